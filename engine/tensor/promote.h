// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/scalar.h"
#include "pumice/tensor.h"

#include <string_view>

namespace pumice {

/// Common dtype of two tensors: a zero-dimensional one gives way unless its category (bool,
/// integer, floating) is higher. Source: PyTorch's type promotion.
DType result_type(const Tensor& a, const Tensor& b);

/// Common dtype of a tensor and a host number, which only counts by its category.
DType result_type(const Tensor& a, const Scalar& b);

/// The dtype itself if floating, else float32.
constexpr DType floating(DType dtype) noexcept {
    return is_floating_point(dtype) ? dtype : kFloat32;
}

/// Bool, integer and floating as 0, 1 and 2: a value is only ever cast upwards unasked.
int category(DType dtype) noexcept;

/// A host number's bits as kernels of the common dtype read it: float or int32.
/// @throws ArgumentError for an integer that int32 cannot hold, where that is what they read
std::uint32_t scalar_word(std::string_view op, const Scalar& value, DType common);

}  // namespace pumice
