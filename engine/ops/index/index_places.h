// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "base/index_user.h"

namespace pumice::ops {

/// Places in [0, extent) of int32 indices, which may count from the end where the user's may; -1
/// for those outside, which are reported. @throws DTypeError for another dtype
Tensor places_of(IndexUser user, Tensor index, std::int64_t extent);

}  // namespace pumice::ops
