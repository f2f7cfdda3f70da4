// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"

#include <span>

namespace pumice::ops {

// Gives every OpDef of the table external linkage: an operator's file includes this header and
// defines its record as `constexpr OpDef kSoftmax{...}`.
#define PUMICE_OP(name, def) extern const dispatch::OpDef def;
#include "ops/all_ops.inc"
#undef PUMICE_OP

/// Every operator of the engine, in the order of all_ops.inc: what coverage tests and tools walk.
std::span<const dispatch::OpDef* const> all_ops() noexcept;

}  // namespace pumice::ops
