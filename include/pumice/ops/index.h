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
/// All functions take any dtype and strides, return a new contiguous tensor of x's dtype, throw
/// ArgumentError for an undefined tensor, for a dimension outside the range and for a
/// zero-dimensional x where there is a `dim`, and have results that do not depend on the order of
/// execution. Names and rules are PyTorch's.

/// Rows of a table. weight: [V, D], indices: [...] -> [..., D]; out[i] = weight[indices[i]].
/// Gradient of weight: each row the sum of the gradients of its uses, in their order, none for
/// padding_idx (negative: no such row). Saves the indices.
/// @throws ShapeError unless weight has two dimensions; DTypeError for other indices than int32;
/// ArgumentError for padding_idx from V on
Tensor embedding(Tensor weight, Tensor indices, std::int64_t padding_idx = -1);

/// Single elements along dim: out[i][j] = x[index[i][j]][j] for dim 0 of a matrix.
/// x, index: as many dimensions, index no longer than x but along dim -> index's shape.
/// Gradient of x: scatter_add. Saves the index.
/// @throws ShapeError for shapes that do not fit, DTypeError for another index than int32
Tensor gather(Tensor x, std::int64_t dim, Tensor index);

/// Whole rows along dim. x: [.., n, ..], index: [k] or [] -> [.., k, ..]. Gradient of x: index_add.
/// Saves the index. @throws ShapeError for an index of more than one dimension, DTypeError for
/// another one than int32
Tensor index_select(Tensor x, std::int64_t dim, Tensor index);

/// x with source added: out[index[i][j]][j] += source[i][j] for dim 0 of a matrix, in rising order
/// of i, in float32 for the halves. index: no longer than source, nor than x but along dim -> x's
/// shape. Gradients: of x the gradient, of source its gather. Saves the index. No float atomics;
/// time grows with the distance between entries of one target.
/// @throws ShapeError for shapes that do not fit, DTypeError for another index than int32 or two
/// dtypes
Tensor scatter_add(Tensor x, std::int64_t dim, Tensor index, Tensor source);

/// x with rows of source added: out[.., index[k], ..] += source[.., k, ..], in rising order of k.
/// index: [k] or []; source: x's shape but k along dim -> x's shape. As scatter_add otherwise.
/// @throws ShapeError for shapes that do not fit, DTypeError for another index than int32 or two
/// dtypes
Tensor index_add(Tensor x, std::int64_t dim, Tensor index, Tensor source);

/// x with rows replaced by those of source: out[.., index[k], ..] = source[.., k, ..]; of several
/// for one row the last k stays. index: [k] or []; source: x's shape but k along dim -> x's shape.
/// Gradients: of x the gradient, zeros in the rows replaced; of source its rows, zeros where
/// another one came later (PyTorch: undefined). Saves the index.
/// @throws ShapeError for shapes that do not fit, DTypeError for another index than int32 or two
/// dtypes
Tensor index_copy(Tensor x, std::int64_t dim, Tensor index, Tensor source);

/// The elements of x where the mask, which broadcasts with it, is true, in row-major order: [n].
/// The host waits for the mask. Gradient: back to those elements. Saves their places.
/// @throws ShapeError for shapes that do not broadcast, DTypeError unless the mask is bool
Tensor masked_select(const Tensor& x, const Tensor& mask);

/// Where x is not 0 (NaN is not): int32 [n, x.dim()], one row an element in row-major order. The
/// host waits for x. No gradient.
Tensor nonzero(const Tensor& x);

/// Tensors behind one another along dim, in the dtype all promote to (promote_types). Shapes agree
/// but along dim; empty one-dimensional tensors go with any. Always a copy, of one tensor too.
/// Gradient: each tensor's part. Saves nothing.
/// @throws ShapeError for shapes that differ or no dimensions, ArgumentError for no tensors
Tensor cat(const std::vector<Tensor>& tensors, std::int64_t dim = 0);

/// Tensors of one shape behind one another along a new dimension `dim`, in [-dims - 1, dims]:
/// n of [2, 3] at dim 1 -> [2, n, 3]. Dtype and gradient as cat.
/// @throws ShapeError for shapes that differ, ArgumentError for no tensors
Tensor stack(const std::vector<Tensor>& tensors, std::int64_t dim = 0);

/// x with `value` around it: padding has (before, after) pairs from the last dimension on, negative
/// ones crop. x: [2, 3], padding {1, 2} -> [2, 6]. Gradient: the inner part. Saves nothing.
/// Source: torch.nn.functional.pad, mode "constant".
/// @throws ArgumentError for an odd count or too many pairs, ShapeError if cropping takes more than
/// there is or padding makes more than 2^31 - 1 elements, DTypeError for a value that x's dtype
/// cannot hold
Tensor pad(Tensor x, const Dims& padding, const Scalar& value = 0);

/// A copy of x laid side by side repeats[i] times along dimension i; new dimensions stand in front.
/// x: [2, 3], repeats {4, 1, 2} -> [4, 2, 6]. Gradient: the sum over the copies.
/// @throws ShapeError for fewer repeats than dimensions or more than 2^31 - 1 elements,
/// ArgumentError for negative repeats
Tensor repeat(const Tensor& x, const Dims& repeats);

/// The lower triangle of the last two dimensions, zeros elsewhere: elements with
/// column - row <= diagonal stay. x: [..., M, N] -> same. Gradient: tril. Saves nothing.
/// @throws ShapeError for fewer than two dimensions
Tensor tril(Tensor x, std::int64_t diagonal = 0);

/// The upper triangle: elements with column - row >= diagonal stay. Otherwise as tril.
/// @throws ShapeError for fewer than two dimensions
Tensor triu(Tensor x, std::int64_t diagonal = 0);

}  // namespace pumice
