// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <optional>
#include <utility>

namespace PUMICE_API pumice {

/// @file
/// Reductions, with PyTorch's names and rules. Common to all, with x: [d0, d1, ...] of any strides:
///
/// - dims: which dimensions are reduced, negative ones counted from the back; none means all.
/// - keepdim: reduced dimensions stay in the result with extent 1; without it they are left out.
/// - Values are added in float32, with the rounding errors between blocks of 32 carried along, and
///   rounded once to the result's dtype; integers are added in int32, which wraps. Every grad mode
///   gives the same bits.
/// - The result is a new contiguous tensor.
/// - All throw ArgumentError for an undefined x, and for a dimension outside [-x.dim(), x.dim()) or
///   given twice; GradModeError (E3) while recording, if the gradient would have to keep an
///   inference tensor.

/// Sum of elements: sum_i x_i. Of nothing it is 0.
/// Dtypes: a floating x keeps its dtype; integers and bool give int32 (PyTorch: int64). Accuracy:
/// at most 1e-6 of sum(|x|) in float32, whatever the count (tests/ops/sum_test.cpp). Backward saves
/// nothing.
/// Source: Knuth, The Art of Computer Programming 2, 4.2.2 (TwoSum).
/// @throws ArgumentError for an undefined x or bad dims
Tensor sum(Tensor x, const Dims& dims = {}, bool keepdim = false);

/// Mean of elements: sum_i x_i / n. Of nothing it is NaN. Keeps the dtype; accuracy as `sum`.
/// Backward saves nothing. @throws DTypeError unless x is floating; ArgumentError as sum
Tensor mean(Tensor x, const Dims& dims = {}, bool keepdim = false);

/// Largest element; NaN if there is one. Keeps the dtype, any is allowed. Backward saves x and the
/// result; elements that tie share the gradient evenly.
/// @throws ShapeError if a reduced dimension has extent 0; ArgumentError as sum
Tensor amax(Tensor x, const Dims& dims = {}, bool keepdim = false);

/// Smallest element; otherwise as `amax`. @throws ShapeError, ArgumentError as amax
Tensor amin(Tensor x, const Dims& dims = {}, bool keepdim = false);

/// Variance: sum_i (x_i - mean)^2 / max(n - correction, 0). Keeps the dtype. correction: 1 divides
/// by n - 1 (Bessel), 0 by n; a divisor of 0 gives NaN or an infinity. Does not cancel for large
/// means (tests/ops/var_test.cpp). Backward saves x. Source: Chan, Golub, LeVeque, 1979.
/// @throws DTypeError unless x is floating; ArgumentError as sum
Tensor var(Tensor x, const Dims& dims = {}, std::int64_t correction = 1, bool keepdim = false);

/// Standard deviation: the root of `var`. Backward saves x and the result; the gradient is 0 where
/// the deviation is. @throws DTypeError unless x is floating; ArgumentError as sum
Tensor std(Tensor x, const Dims& dims = {}, std::int64_t correction = 1, bool keepdim = false);

/// Index of the first largest element along `dim`; NaN counts as largest. Without dim, the index in
/// the row-major order of all elements. The result is int32 (PyTorch: int64); it has no gradient.
/// @throws DTypeError for bool; ShapeError if a reduced dimension has extent 0; ArgumentError as
///         sum
Tensor argmax(Tensor x, std::optional<std::int64_t> dim = {}, bool keepdim = false);

/// Index of the first smallest element along `dim`; NaN counts as smallest. Otherwise as `argmax`.
/// @throws DTypeError, ShapeError, ArgumentError as argmax
Tensor argmin(Tensor x, std::optional<std::int64_t> dim = {}, bool keepdim = false);

/// log(sum_i exp(x_i)), computed relative to the largest element so that it does not overflow. It
/// is -inf where all elements are -inf, and for no elements. Keeps the dtype. Backward saves x and
/// the result. @throws DTypeError unless x is floating; ArgumentError as sum
Tensor logsumexp(Tensor x, const Dims& dims, bool keepdim = false);

/// Running sums along one dimension: y_k = x_0 + ... + x_k. x, y: the same shape. Dtypes and
/// accuracy as `sum`. Backward saves nothing.
/// @throws ArgumentError for an undefined x or a dim outside the range
Tensor cumsum(Tensor x, std::int64_t dim);

/// Sums over broadcast dimensions until the shape is `sizes`: what turns the gradient of a
/// broadcast operand into the operand's own. x itself if it has the shape. Dtypes as `sum`.
/// Backward saves nothing. Source: at::sum_to.
/// @throws ShapeError unless `sizes` broadcasts to x's shape; ArgumentError for an undefined x
Tensor sum_to_size(Tensor x, const Dims& sizes);

/// Whether some element is true (not 0; NaN is true). The result is bool, false for no elements,
/// and has no gradient. @throws ArgumentError for an undefined x or bad dims
Tensor any(Tensor x, const Dims& dims = {}, bool keepdim = false);

/// Whether every element is true (not 0; NaN is true). The result is bool, true for no elements,
/// and has no gradient. @throws ArgumentError for an undefined x or bad dims
Tensor all(Tensor x, const Dims& dims = {}, bool keepdim = false);

/// Whether both have the same shape and equal elements. Waits for the device.
/// @throws DTypeError unless they have the same dtype; ArgumentError for an undefined tensor;
///         GradModeError for a tensor of a captured function
bool equal(const Tensor& a, const Tensor& b);
/// Whether |a - b| <= atol + rtol * |b| for all elements; NaN equals NaN if asked. Waits for the
/// device. @throws ShapeError unless the shapes broadcast; DTypeError, ArgumentError, GradModeError
/// as equal
bool allclose(const Tensor& a,
              const Tensor& b,
              double rtol = 1e-5,
              double atol = 1e-8,
              bool equal_nan = false);

}  // namespace pumice
