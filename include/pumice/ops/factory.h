// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

#include "pumice/tensor.h"

namespace pumice {

/// Values unset.
Tensor empty(const Dims& sizes, const TensorOptions& options = {});
Tensor zeros(const Dims& sizes, const TensorOptions& options = {});
Tensor ones(const Dims& sizes, const TensorOptions& options = {});
Tensor full(const Dims& sizes, const Scalar& value, const TensorOptions& options);
/// Dtype from the scalar.
Tensor full(const Dims& sizes, const Scalar& value);
Tensor empty_like(const Tensor& x);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor full_like(const Tensor& x, const Scalar& value);
/// [start, end) by step; int32 if all three are integral, else float32.
Tensor arange(const Scalar& end);
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step = 1);
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, const TensorOptions& options);
/// Uniform in [0, 1).
Tensor rand(const Dims& sizes, const TensorOptions& options = {});
/// Standard normal.
Tensor randn(const Dims& sizes, const TensorOptions& options = {});
/// Uniform integers in [low, high), int32.
Tensor randint(std::int64_t low, std::int64_t high, const Dims& sizes);

/// Row-major host values of `source` dtype, converted to options.dtype.
/// @throws ShapeError when the byte count does not fit, DTypeError for a value that does not fit
Tensor from_bytes(std::span<const std::byte> bytes,
                  HostDType source,
                  const Dims& sizes,
                  const TensorOptions& options);

/// Copies host values in row-major order; dtype as options say.
template <class T>
Tensor from_values(std::span<const T> values, const Dims& sizes, const TensorOptions& options) {
    return from_bytes(std::as_bytes(values), host_dtype_of<T>(), sizes, options);
}

/// LibTorch's torch::tensor for lists: one dimension, dtype from T unless given.
template <class T>
Tensor tensor(const std::vector<T>& values,
              const TensorOptions& options = device_dtype(host_dtype_of<T>())) {
    if constexpr (std::is_same_v<T, bool>) {
        const std::vector<std::uint8_t> bytes(values.begin(), values.end());
        return from_bytes(std::as_bytes(std::span(bytes)),
                          HostDType::kBoolean,
                          {static_cast<std::int64_t>(bytes.size())},
                          options);
    } else {
        return from_values(std::span<const T>(values),
                           {static_cast<std::int64_t>(values.size())},
                           options);
    }
}

template <class T>
Tensor tensor(std::initializer_list<T> values,
              const TensorOptions& options = device_dtype(host_dtype_of<T>())) {
    return tensor(std::vector<T>(values), options);
}

/// A zero-dimensional tensor.
Tensor scalar_tensor(const Scalar& value);
Tensor scalar_tensor(const Scalar& value, const TensorOptions& options);

}  // namespace pumice
