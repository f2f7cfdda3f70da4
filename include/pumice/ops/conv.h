// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <cstdint>
#include <optional>

namespace PUMICE_API pumice {

/// @file
/// Convolution and pooling in two dimensions. None works in place. While recording, all throw
/// GradModeError (E3) where the gradient would have to keep an inference tensor.

/// A number for rows and one for columns; a single number stands for both.
struct IntPair {
    std::int64_t rows = 0;  ///< along the height
    std::int64_t cols = 0;  ///< along the width

    /// The same for both.
    explicit(false) constexpr IntPair(std::int64_t both) : rows(both), cols(both) {}

    /// One each.
    constexpr IntPair(std::int64_t rows_in, std::int64_t cols_in) : rows(rows_in), cols(cols_in) {}

    /// Equal in both.
    friend bool operator==(const IntPair&, const IntPair&) = default;
};

/// An IntPair, or nothing: `{}`.
struct OptionalIntPair : std::optional<IntPair> {
    using std::optional<IntPair>::optional;

    /// One each.
    constexpr OptionalIntPair(std::int64_t rows, std::int64_t cols)
        : std::optional<IntPair>(IntPair(rows, cols)) {}
};

/// y[n, o, p] = bias[o] + sum over c, t of weight[o, c, t] * x[n, c, p * stride + t * dilation -
/// padding], zeros outside of x; with groups, each group of O / groups results sees its own
/// C / groups channels (as many groups as channels: depthwise).
/// x: [N, C, H, W] or [C, H, W]; weight: [O, C / groups, KH, KW]; bias: [O] or undefined; all of
/// one floating dtype -> [N, O, H', W'] or [O, H', W'], accumulated in float32, with
/// H' = (H + 2 * padding - dilation * (KH - 1) - 1) / stride + 1. It is computed as a matrix
/// product whose factor of windows is never stored. Backward saves x and weight, each if the
/// other's gradient is wanted. Accuracy: 1e-5 for up to 500 products (tests/ops/conv_test.cpp).
/// Departure from at::conv2d: no padding by name.
/// @throws ShapeError for shapes that do not fit, an empty plane or a kernel larger than the padded
/// x; DTypeError for other dtypes; ArgumentError for stride, dilation or groups below 1, a negative
/// padding, any of them above 2^29, or an undefined x or weight
Tensor conv2d(Tensor x,
              Tensor weight,
              Tensor bias = {},
              IntPair stride = 1,
              IntPair padding = 0,
              IntPair dilation = 1,
              std::int64_t groups = 1);

/// The largest element of each window; NaN if there is one.
/// x: [N, C, H, W] or [C, H, W] floating -> [N, C, H', W'] or [C, H', W'] with H' as in conv2d, or
/// rounded up with ceil_mode where the last window still starts inside of x or its left padding.
/// stride: kernel_size where absent. Padding never is the largest. Backward saves the position of
/// each window's largest element (the first of equal ones) as int32, and that element gets the
/// window's gradient. The positions are computed only where the call is recorded.
/// @throws ShapeError for another rank, or a window that does not fit into the padded x; DTypeError
///         unless x is floating; ArgumentError for extents below 1, padding not in
///         [0, kernel_size / 2], or an undefined x
Tensor max_pool2d(Tensor x,
                  IntPair kernel_size,
                  OptionalIntPair stride = {},
                  IntPair padding = 0,
                  IntPair dilation = 1,
                  bool ceil_mode = false);

/// The mean of each window of kernel_size elements; shapes, stride, ceil_mode as `max_pool2d`.
/// count_include_pad: padding counts as elements that are 0. divisor_override: divides the sum
/// instead of the count. Backward saves nothing. @throws ShapeError, DTypeError as max_pool2d;
/// ArgumentError as max_pool2d, or for a divisor of 0 or outside int32
Tensor avg_pool2d(const Tensor& x,
                  IntPair kernel_size,
                  OptionalIntPair stride = {},
                  IntPair padding = 0,
                  bool ceil_mode = false,
                  bool count_include_pad = true,
                  std::optional<std::int64_t> divisor_override = {});

/// The mean of each of output_size windows that cover x: window i of an extent H is
/// [floor(i H / H'), ceil((i + 1) H / H')). x: [N, C, H, W] or [C, H, W] floating -> [N, C, H', W']
/// or [C, H', W']. Backward saves nothing.
/// @throws ShapeError for shapes that do not fit or no elements to divide; DTypeError unless x is
/// floating; ArgumentError for a negative output_size or an undefined x; UnsupportedError where
/// H H' or W W' reaches 2^32
Tensor adaptive_avg_pool2d(const Tensor& x, IntPair output_size);

}  // namespace pumice
