// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

namespace PUMICE_API pumice {

/// @file
/// Functions that make tensors. A new tensor is normal or an inference tensor as the thread's mode
/// says, and obeys options.requires_grad in every mode. It is contiguous and has at most 2^31 - 1
/// elements; an extent of 0 makes it empty. The default dtype is float32; there is no float64 and
/// no int64. Names are PyTorch's. All throw ShapeError for a negative extent or too many elements;
/// DTypeError for requires_grad with a dtype that is not floating; UnsupportedError for float64;
/// OutOfMemoryError; DeviceError where there is no device. The _like forms throw ArgumentError for
/// an undefined tensor.

/// A tensor whose values are not set.
/// @throws ShapeError, DTypeError, UnsupportedError, OutOfMemoryError, DeviceError as all factories
Tensor empty(const Dims& sizes, const TensorOptions& options = {});
/// 0 everywhere. @throws as empty
Tensor zeros(const Dims& sizes, const TensorOptions& options = {});
/// 1 everywhere. @throws as empty
Tensor ones(const Dims& sizes, const TensorOptions& options = {});
/// `value` everywhere. @throws as empty; DTypeError if the dtype cannot hold it: a finite number
/// past its largest value, NaN or an infinity in an integer one
Tensor full(const Dims& sizes, const Scalar& value, const TensorOptions& options);
/// `value` everywhere; dtype from the scalar: bool, int32 or float32.
/// @throws as empty; DTypeError if int32, or float32, cannot hold it
Tensor full(const Dims& sizes, const Scalar& value);
/// A tensor of x's shape and dtype whose values are not set.
/// @throws ArgumentError for an undefined x; as empty
Tensor empty_like(const Tensor& x);
/// A tensor of x's shape and dtype, 0 everywhere. @throws as empty_like
Tensor zeros_like(const Tensor& x);
/// A tensor of x's shape and dtype, 1 everywhere. @throws as empty_like
Tensor ones_like(const Tensor& x);
/// A tensor of x's shape and dtype, `value` everywhere.
/// @throws as empty_like; DTypeError if the dtype cannot hold the value
Tensor full_like(const Tensor& x, const Scalar& value);

/// 0, 1, ... below end; the dtype is that of the next form. @throws as the next form
Tensor arange(const Scalar& end);
/// start + i * step in [start, end): ceil((end - start) / step) values, computed in int32 or
/// float32. int32 if all three are integral, else float32.
/// @throws ArgumentError for a step that is 0, not finite, or leads away from end; as empty
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step = 1);
/// The same in the dtype of the options; an integer one takes the integer parts of all three.
/// @throws ArgumentError as above; DTypeError for bool, or values that the dtype cannot hold
Tensor arange(const Scalar& start,
              const Scalar& end,
              const Scalar& step,
              const TensorOptions& options);

/// Uniform in [0, 1): multiples of 2^-24 (float32), 2^-11 (float16) or 2^-8 (bfloat16), the same
/// bits on every device for one seed. Takes a Philox block for every four elements (random.h).
/// @throws DTypeError for a dtype that is not floating; as empty
Tensor rand(const Dims& sizes, const TensorOptions& options = {});
/// Standard normal, by Box and Muller's formula on pairs of uniform numbers; at most 5.8 in
/// float32. Takes the generator's blocks as rand does.
/// Source: Box and Muller, "A note on the generation of random normal deviates", 1958.
/// @throws DTypeError for a dtype that is not floating; as empty
Tensor randn(const Dims& sizes, const TensorOptions& options = {});
/// Uniform integers in [low, high), int32, the same on every device: low plus the upper half of
/// (high - low) times a random word, whose bias is below (high - low) / 2^32.
/// @throws ArgumentError for an empty range or one outside int32; as empty
Tensor randint(std::int64_t low, std::int64_t high, const Dims& sizes);

/// Row-major host values of `source` dtype, converted to options.dtype by convert_host.
/// @throws ShapeError when the byte count does not fit; DTypeError for a value that an integer
///         dtype cannot hold (a floating dtype rounds it instead, past its largest value to an
///         infinity); as empty
Tensor from_bytes(std::span<const std::byte> bytes,
                  HostDType source,
                  const Dims& sizes,
                  const TensorOptions& options);

namespace detail {

/// from_bytes for `from_values`.
Tensor from_host_values(std::span<const std::byte> bytes,
                        HostDType source,
                        const Dims& sizes,
                        const TensorOptions& options);
/// from_bytes for `tensor`.
Tensor from_list(std::span<const std::byte> bytes,
                 HostDType source,
                 std::size_t count,
                 const TensorOptions& options);

}  // namespace detail

/// Copies host values in row-major order; dtype as options say.
/// @throws ShapeError unless there are as many values as elements; as from_bytes
template <class T>
Tensor from_values(std::span<const T> values, const Dims& sizes, const TensorOptions& options) {
    return detail::from_host_values(std::as_bytes(values), host_dtype_of<T>(), sizes, options);
}

/// LibTorch's torch::tensor for lists: one dimension, dtype from T unless given (double gives
/// float32, int64 gives int32).
/// @throws DTypeError for a value that the dtype cannot hold, a finite one past the largest of a
///         floating dtype included; as empty
template <class T>
Tensor tensor(const std::vector<T>& values, const TensorOptions& options = {}) {
    const TensorOptions filled =
        options.has_dtype() ? options : options.dtype(device_dtype(host_dtype_of<T>()));
    if constexpr (std::is_same_v<T, bool>) {
        const std::vector<std::uint8_t> bytes(values.begin(), values.end());
        return detail::from_list(
            std::as_bytes(std::span(bytes)), HostDType::kBoolean, bytes.size(), filled);
    } else {
        return detail::from_list(
            std::as_bytes(std::span(values)), host_dtype_of<T>(), values.size(), filled);
    }
}

/// The same for a list in braces. @throws as above
template <class T>
Tensor tensor(std::initializer_list<T> values, const TensorOptions& options = {}) {
    return tensor(std::vector<T>(values), options);
}

/// A zero-dimensional tensor; without options its dtype is the scalar's: bool, int32 or float32.
/// @throws DTypeError if the dtype cannot hold the value; as empty
/// @{
Tensor scalar_tensor(const Scalar& value);
Tensor scalar_tensor(const Scalar& value, const TensorOptions& options);
/// @}

}  // namespace pumice
