// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <vector>

namespace PUMICE_API pumice {

/// @file
/// Reads and sums by index, joining, padding and triangles.
///
/// Indices are int32 (PyTorch: int64), on the device, and not negative. A kernel cannot throw and
/// the host does not wait for one, so an index outside its dimension reads NaN (0 in dtypes without
/// NaN), is left out of sums, and is reported: the next read of any tensor on the host (item,
/// to_vector, to_host, data_ptr, printing) throws IndexError with operator, index and extent.
/// That happens once, in whatever thread reads first; the same read may be made again.
///
/// All functions take any dtype and strides and return a new contiguous tensor of x's dtype.
/// Results do not depend on the order in which the device runs. All throw ArgumentError for an
/// undefined tensor, for a dimension outside the range and, where there is a `dim`, for a
/// zero-dimensional x. Names and rules are PyTorch's.

/// Rows of a table. weight: [V, D], indices: [...] -> [..., D]; out[i] = weight[indices[i]].
/// Gradient of weight: each row gets the sum of the gradients of its uses, in their order, and the
/// row padding_idx none (negative: no such row). Backward saves the indices.
/// @throws ShapeError unless weight has two dimensions; DTypeError unless the indices are int32;
///         ArgumentError for a padding_idx of V or more, or an undefined tensor
Tensor embedding(Tensor weight, Tensor indices, std::int64_t padding_idx = -1);

/// Single elements along dim: out[i][j] = x[index[i][j]][j] for dim 0 of a matrix.
/// x, index: as many dimensions, index no longer than x but along dim -> index's shape.
/// Gradient of x: scatter_add. Backward saves the index.
/// @throws ShapeError for shapes that do not fit; DTypeError unless the index is int32;
///         ArgumentError for a dim outside the range, a zero-dimensional x or an undefined tensor
Tensor gather(Tensor x, std::int64_t dim, Tensor index);

/// Whole rows along dim. x: [.., n, ..], index: [k] or [] -> [.., k, ..]. Gradient of x: index_add.
/// Backward saves the index. @throws ShapeError for an index of more than one dimension;
/// DTypeError, ArgumentError as gather
Tensor index_select(Tensor x, std::int64_t dim, Tensor index);

/// x with source added: out[index[i][j]][j] += source[i][j] for dim 0 of a matrix, in rising order
/// of i, in float32 for the halves. index: no longer than source, nor than x but along dim -> x's
/// shape. Gradients: of x the gradient, of source its gather. Backward saves the index if source's
/// gradient is wanted. No float atomics; the time grows with the distance between entries that are
/// added to one element.
/// @throws ShapeError for shapes that do not fit; DTypeError unless the index is int32 and source
///         has x's dtype; ArgumentError as gather
Tensor scatter_add(Tensor x, std::int64_t dim, Tensor index, Tensor source);

/// x with rows of source added: out[.., index[k], ..] += source[.., k, ..], in rising order of k.
/// index: [k] or []; source: x's shape but k along dim -> x's shape. As scatter_add otherwise.
/// @throws ShapeError, DTypeError, ArgumentError as scatter_add
Tensor index_add(Tensor x, std::int64_t dim, Tensor index, Tensor source);

/// x with rows replaced by those of source: out[.., index[k], ..] = source[.., k, ..]; of several
/// for one row the last k stays. index: [k] or []; source: x's shape but k along dim -> x's shape.
/// Gradients: of x the gradient, zeros in the rows replaced; of source its rows, zeros where
/// another one came later (PyTorch: undefined). Backward saves the index.
/// @throws ShapeError, DTypeError, ArgumentError as scatter_add
Tensor index_copy(Tensor x, std::int64_t dim, Tensor index, Tensor source);

/// The elements of x where the mask, which broadcasts with it, is true, in row-major order: [n].
/// The host waits for the mask. The gradient goes back to those elements. Backward saves their
/// positions.
/// @throws ShapeError unless the shapes broadcast; DTypeError unless the mask is bool;
///         ArgumentError for an undefined tensor; GradModeError for a mask of a captured function
Tensor masked_select(const Tensor& x, const Tensor& mask);

/// Where x is not 0 (NaN is not): int32 [n, x.dim()], one row an element in row-major order. The
/// host waits for x. No gradient. @throws ArgumentError for an undefined x; GradModeError for a
/// tensor of a captured function
Tensor nonzero(const Tensor& x);

/// Tensors behind one another along dim, in the dtype all promote to (promote_types). Their shapes
/// agree except along dim; an empty one-dimensional tensor goes with any shape. The result is
/// always a copy, of a single tensor too. Each tensor gets its part of the gradient. Backward saves
/// nothing.
/// @throws ShapeError for shapes that differ, or zero-dimensional tensors; ArgumentError for no
///         tensors, an undefined one or a dim outside the range
Tensor cat(const std::vector<Tensor>& tensors, std::int64_t dim = 0);

/// Tensors of one shape behind one another along a new dimension `dim`, in [-dims - 1, dims]:
/// n of [2, 3] at dim 1 -> [2, n, 3]. Dtype and gradient as cat.
/// @throws ShapeError for shapes that differ, or of eight dimensions; ArgumentError for no tensors,
///         an undefined one or a dim outside the range
Tensor stack(const std::vector<Tensor>& tensors, std::int64_t dim = 0);

/// x with `value` around it: padding has (before, after) pairs from the last dimension on, negative
/// ones crop. x: [2, 3], padding {1, 2} -> [2, 6]. Gradient: the inner part. Backward saves
/// nothing. Source: torch.nn.functional.pad, mode "constant".
/// @throws ArgumentError for an odd count, too many pairs or an undefined x; ShapeError if cropping
///         takes more than there is or padding makes more than 2^31 - 1 elements; DTypeError for a
///         value that x's dtype cannot hold
Tensor pad(Tensor x, const Dims& padding, const Scalar& value = 0);

/// A copy of x laid side by side repeats[i] times along dimension i; new dimensions stand in front.
/// x: [2, 3], repeats {4, 1, 2} -> [4, 2, 6]. Gradient: the sum over the copies.
/// @throws ShapeError for fewer repeats than dimensions or more than 2^31 - 1 elements;
///         ArgumentError for negative repeats or an undefined x
Tensor repeat(const Tensor& x, const Dims& repeats);

/// The lower triangle of the last two dimensions, zeros elsewhere: elements with
/// column - row <= diagonal stay. x: [..., M, N] -> same. Gradient: tril. Backward saves nothing.
/// @throws ShapeError for fewer than two dimensions; ArgumentError for an undefined x
Tensor tril(Tensor x, std::int64_t diagonal = 0);

/// The upper triangle: elements with column - row >= diagonal stay. Otherwise as tril.
/// @throws ShapeError, ArgumentError as tril
Tensor triu(Tensor x, std::int64_t diagonal = 0);

}  // namespace pumice
