// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/scalar.h"
#include "pumice/tensor.h"

namespace pumice::ops {

/// Common dtype of two tensors: a zero-dimensional one gives way unless its category (bool,
/// integer, floating) is higher. Source: PyTorch's type promotion.
DType result_type(const Tensor& a, const Tensor& b);

/// Common dtype of a tensor and a host number, which only counts by its category.
DType result_type(const Tensor& a, const Scalar& b);

/// The dtype itself if floating, else float32.
constexpr DType floating(DType dtype) noexcept {
    return is_floating_point(dtype) ? dtype : kFloat32;
}

/// A host number's bits as kernels of the common dtype read it: float or int32.
std::uint32_t scalar_word(const Scalar& value, DType common) noexcept;

}  // namespace pumice::ops
