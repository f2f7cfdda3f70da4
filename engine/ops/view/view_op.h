// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"

#include <string_view>

namespace pumice::ops {

/// The record of an operator that gives another view of its one operand, whose gradient has a
/// formula.
constexpr dispatch::OpDef view_op(std::string_view name,
                                  dispatch::InferFn infer,
                                  dispatch::BackwardFn backward) noexcept {
    return {.name = name,
            .inputs = {{{"x", dispatch::Grad::kFormula}}},
            .is_view = true,
            .infer = infer,
            .backward = backward};
}

}  // namespace pumice::ops
