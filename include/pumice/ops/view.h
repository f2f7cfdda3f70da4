// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <optional>
#include <vector>

namespace PUMICE_API pumice {

/// @file
/// Every function here but `reshape` and `flatten` returns a view: it shares x's storage, has x's
/// kind (normal or inference) in every mode, and takes any dtype. Dimensions may be negative: -1 is
/// the last. All throw ArgumentError for an undefined tensor or a dimension outside the range, and
/// ShapeError for more than eight dimensions. Backward saves nothing but attributes; gradients that
/// meet in one element are summed in a fixed order. Names and rules are PyTorch's; the error types
/// are these, where PyTorch throws IndexError or RuntimeError.

/// x with another shape, elements in the same order. One extent may be -1 and is inferred.
/// x: any shape -> sizes. Gradient: the gradient in x's shape.
/// @throws ShapeError if the element counts differ, or x's strides do not allow the shape (those of
/// a contiguous x always do)
Tensor view(const Tensor& x, const Dims& sizes);

/// A view where the strides allow one, else a contiguous copy of that shape. One extent may be -1.
/// @throws ShapeError if the element counts differ
Tensor reshape(const Tensor& x, const Dims& sizes);

/// Dimensions start_dim to end_dim as one, by reshape; a zero-dimensional x becomes [1].
/// x: [2, 3, 4] with start_dim 1 -> [2, 12]. @throws ArgumentError if start_dim is after end_dim
Tensor flatten(const Tensor& x, std::int64_t start_dim = 0, std::int64_t end_dim = -1);

/// Dimension i of the result is dims[i] of x. Gradient: the inverse permutation.
/// @throws ArgumentError unless dims names each dimension once
Tensor permute(const Tensor& x, const Dims& dims);

/// x with two dimensions exchanged. Gradient: the same exchange.
Tensor transpose(const Tensor& x, std::int64_t dim0, std::int64_t dim1);

/// The transposed matrix; x itself (as a view) for fewer than two dimensions.
/// @throws ShapeError for more than two dimensions
Tensor t(const Tensor& x);

/// x read again and again along dimensions of extent 1 and new leading ones (strides 0). -1 keeps
/// an extent. x: [3, 1], sizes [2, 3, 4] -> [2, 3, 4]. Gradient: sum over the repeated dimensions.
/// @throws ShapeError if an extent other than 1 would change, or for more elements than int64 counts
Tensor expand(const Tensor& x, const Dims& sizes);

/// x without the dimension if its extent is 1, else x (as a view). There is no form without dim.
Tensor squeeze(const Tensor& x, std::int64_t dim);

/// x with a new dimension of extent 1 at `dim`, in [-dims - 1, dims].
Tensor unsqueeze(const Tensor& x, std::int64_t dim);

/// x at one index of a dimension, without that dimension: [2, 3, 4] at dim 1 -> [2, 4]. A negative
/// index counts from the end. Gradient: zeros but there.
/// @throws ArgumentError for an index outside [-extent, extent) or a zero-dimensional x
Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index);

/// x[start:end:step] along dim by Python's rules: negative bounds count from the end, bounds past
/// either end are clamped, no end is the end. Gradient: zeros but there.
/// @throws ArgumentError for a step below 1 or a zero-dimensional x
Tensor slice(const Tensor& x,
             std::int64_t dim,
             std::int64_t start,
             std::optional<std::int64_t> end = {},
             std::int64_t step = 1);

/// x[start:start + length] along dim, which must lie within x; a negative start counts from the
/// end.
/// @throws ArgumentError otherwise
Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length);

/// Windows of `length` elements every `step` along dim, as a new last dimension:
/// x: [.., n, ..] -> [.., (n - length) / step + 1, .., length]. Gradient: sum over the windows that
/// an element is in. @throws ArgumentError unless 0 <= length <= n and step >= 1, or for a
/// zero-dimensional x
Tensor unfold(const Tensor& x, std::int64_t dim, std::int64_t length, std::int64_t step);

/// Parts of split_length along dim, the last one maybe shorter; one empty part for extent 0. A part
/// made while recording must not be written in place while recording (G36).
/// @throws ArgumentError for a length below 1 (0 is allowed for extent 0) or a zero-dimensional x
std::vector<Tensor> split(const Tensor& x, std::int64_t split_length, std::int64_t dim = 0);

/// Parts of the given lengths along dim; as split.
/// @throws ArgumentError for a negative length or another sum than the extent
std::vector<Tensor> split_with_sizes(const Tensor& x,
                                     const std::vector<std::int64_t>& lengths,
                                     std::int64_t dim = 0);

/// At most `chunks` parts of equal length along dim, the last one maybe shorter; as split. For
/// extent 0, `chunks` empty parts. @throws ArgumentError for chunks below 1
std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, std::int64_t dim = 0);

/// Any geometry within x's storage: element i stands at offset + sum(i * strides), counted in
/// elements from the start of the storage. Gradient: the sum over all places that name an element;
/// where x itself names an element more than once, each name has an equal share.
/// @throws ShapeError if it reaches outside the storage or has more elements than int64 counts;
/// ArgumentError for negative values, or unless there are as many strides as sizes
Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides, std::int64_t offset);

/// A view of x's own geometry. Gradient: passed on.
Tensor alias(const Tensor& x);

/// view(x, other.sizes()). @throws ShapeError as view
Tensor view_as(const Tensor& x, const Tensor& other);

}  // namespace pumice
