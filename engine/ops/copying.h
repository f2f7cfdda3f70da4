// SPDX-License-Identifier: Apache-2.0
// The roles in which rooms below run a copy of their own, whatever operator does it.
#pragma once

#include "ops/all_ops.h"

namespace pumice::ops {

/// Inputs {from}: the result has its elements.
inline constexpr const dispatch::OpDef& kCopyOfValue = kClone;

/// Inputs {to, from}: writes the elements of `from` into `to`, which may have any strides.
inline constexpr const dispatch::OpDef& kCopyIntoValue = kCopy;

}  // namespace pumice::ops
