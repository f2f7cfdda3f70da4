// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "dispatch/op_def.h"

#include <string_view>

namespace pumice::ops {

/// @throws ShapeError for a negative extent or more than 2^31 - 1 elements
void check_new_sizes(std::string_view op, const Dims& sizes);

/// The same for an operand: kernels count elements in 32 bits. @throws ShapeError
void check_element_count(std::string_view op, const Tensor& x);

/// @throws UnsupportedError for float64, which no tensor has
void check_device_dtype(std::string_view op, DType dtype);

/// What the shape of a view must meet, which no kernel may ever see.
/// @throws ShapeError for more elements than int64 counts
void check_view_sizes(std::string_view op, const Dims& sizes);

/// Calls an operator without inputs and marks the result as `requires_grad` asks (G32).
Tensor make(const dispatch::OpDef& def, dispatch::AttrsRef attrs, bool requires_grad);

}  // namespace pumice::ops
