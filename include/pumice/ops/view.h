// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <optional>
#include <vector>

namespace PUMICE_API pumice {

/// @file
/// Every function here except `reshape` and `flatten` returns a view, which shares x's storage and
/// has x's kind (normal or inference) in every mode. Any dtype. Dimensions may be negative: -1 is
/// the last. All throw ArgumentError for an undefined tensor or a dimension outside the range, and
/// ShapeError for more than eight dimensions. Backward saves no tensor. Where several gradients
/// belong to one element they are summed in a fixed order. Names and rules are PyTorch's; PyTorch
/// throws IndexError or RuntimeError where these errors are named.

/// x with another shape, elements in the same order. One extent may be -1 and is inferred.
/// x: any shape -> sizes. Gradient: the gradient in x's shape.
/// @throws ShapeError if the element counts differ, for a second -1 or another negative extent, or
///         if x's strides do not allow the shape (those of a contiguous x always do); ArgumentError
///         for an undefined x
Tensor view(const Tensor& x, const Dims& sizes);

/// A view where the strides allow one, else a contiguous copy of that shape. One extent may be -1.
/// @throws ShapeError if the element counts differ, for a second -1 or another negative extent;
///         ArgumentError for an undefined x
Tensor reshape(const Tensor& x, const Dims& sizes);

/// Dimensions start_dim to end_dim as one, by reshape; a zero-dimensional x becomes [1].
/// x: [2, 3, 4] with start_dim 1 -> [2, 12]. @throws ArgumentError if start_dim is after end_dim,
/// for a dimension outside the range or an undefined x
Tensor flatten(const Tensor& x, std::int64_t start_dim = 0, std::int64_t end_dim = -1);

/// Dimension i of the result is dims[i] of x. Gradient: the inverse permutation.
/// @throws ArgumentError unless dims names each dimension once, or for an undefined x
Tensor permute(const Tensor& x, const Dims& dims);

/// x with two dimensions exchanged. Gradient: the same exchange.
/// @throws ArgumentError for a dimension outside [-x.dim(), x.dim()) or an undefined x
Tensor transpose(const Tensor& x, std::int64_t dim0, std::int64_t dim1);

/// The transposed matrix; x itself (as a view) for fewer than two dimensions.
/// @throws ShapeError for more than two dimensions; ArgumentError for an undefined x
Tensor t(const Tensor& x);

/// x repeated along dimensions of extent 1 and along new leading ones, without a copy (strides 0).
/// -1 keeps an extent. x: [3, 1], sizes [2, 3, 4] -> [2, 3, 4]. Gradient: the sum over the repeated
/// dimensions.
/// @throws ShapeError if an extent other than 1 would change, for fewer dimensions than x has, or
///         for more elements than int64 counts; ArgumentError for an undefined x
Tensor expand(const Tensor& x, const Dims& sizes);

/// x without the dimension if its extent is 1, else x (as a view). There is no form without dim.
/// @throws ArgumentError for a dim outside [-x.dim(), x.dim()) or an undefined x
Tensor squeeze(const Tensor& x, std::int64_t dim);

/// x with a new dimension of extent 1 at `dim`.
/// @throws ArgumentError for a dim outside [-x.dim() - 1, x.dim()] or an undefined x; ShapeError if
///         x has eight dimensions
Tensor unsqueeze(const Tensor& x, std::int64_t dim);

/// x at one index of a dimension, without that dimension: [2, 3, 4] at dim 1 -> [2, 4]. A negative
/// index counts from the end. Gradient: the gradient at that index, zeros elsewhere.
/// @throws ArgumentError for an index outside [-extent, extent), a dim outside the range, a
///         zero-dimensional or an undefined x
Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index);

/// x[start:end:step] along dim by Python's rules: negative bounds count from the end, bounds past
/// either end are clamped, and without `end` it goes to the end. Gradient: the gradient in the
/// slice, zeros elsewhere.
/// @throws ArgumentError for a step below 1, a dim outside the range, a zero-dimensional or an
///         undefined x
Tensor slice(const Tensor& x,
             std::int64_t dim,
             std::int64_t start,
             std::optional<std::int64_t> end = {},
             std::int64_t step = 1);

/// x[start:start + length] along dim, which must lie within x; a negative start counts from the
/// end.
/// @throws ArgumentError if it does not lie within x, for a dim outside the range, a
///         zero-dimensional or an undefined x
Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length);

/// Windows of `length` elements every `step` along dim, as a new last dimension:
/// x: [.., n, ..] -> [.., (n - length) / step + 1, .., length]. Gradient: sum over the windows that
/// an element is in. @throws ArgumentError unless 0 <= length <= n and step >= 1, for a dim outside
/// the range, a zero-dimensional or an undefined x; ShapeError for more elements than int64 counts
/// or if x has eight dimensions
Tensor unfold(const Tensor& x, std::int64_t dim, std::int64_t length, std::int64_t step);

/// Parts of split_length along dim; the last one may be shorter. For extent 0 there is one empty
/// part. A part that was made while recording must not be written in place while recording (G36).
/// @throws ArgumentError for a length below 1 (0 is allowed for extent 0), a dim outside the range,
///         a zero-dimensional or an undefined x
std::vector<Tensor> split(const Tensor& x, std::int64_t split_length, std::int64_t dim = 0);

/// Parts of the given lengths along dim; as split.
/// @throws ArgumentError for a negative length, another sum than the extent, a dim outside the
///         range, a zero-dimensional or an undefined x
std::vector<Tensor> split_with_sizes(const Tensor& x,
                                     const std::vector<std::int64_t>& lengths,
                                     std::int64_t dim = 0);

/// At most `chunks` parts of equal length along dim, of which the last may be shorter; as split.
/// For extent 0, `chunks` empty parts.
/// @throws ArgumentError for chunks below 1, a dim outside the range, a zero-dimensional or an
///         undefined x
std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, std::int64_t dim = 0);

/// Any geometry within x's storage: element i stands at offset + sum(i * strides), counted in
/// elements from the start of the storage. Gradient: each element of the storage gets the sum over
/// all positions of the result that read it; if several positions of x stand for that element
/// (x is expanded, say), they share the sum equally.
/// @throws ShapeError if it reaches outside the storage or has more elements than int64 counts;
///         ArgumentError for negative values, unless there are as many strides as sizes, or for an
///         undefined x
Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides, std::int64_t offset);

/// A view with x's own geometry. The gradient is passed on. @throws ArgumentError for an undefined
/// x
Tensor alias(const Tensor& x);

/// view(x, other.sizes()). @throws ShapeError as view; ArgumentError for an undefined tensor
Tensor view_as(const Tensor& x, const Tensor& other);

}  // namespace pumice
