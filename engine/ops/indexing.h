// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <string_view>

namespace pumice::ops {

/// Note [Index bounds]
/// Indices live on the device, where a kernel cannot throw, and reading them back before every call
/// would make the host wait. So an index outside its dimension reads NaN (0 in dtypes without NaN)
/// and is left out of sums. Builds with PUMICE_CHECKED read the indices back and throw.

/// How an index tensor addresses one dimension of another.
enum class IndexForm : bool {
    kElements,  ///< gather: the index has x's dimensions and moves single elements
    kRows,      ///< index_select, embedding: one dimension of indices moves whole rows
};

/// @throws DTypeError unless the index is int32
void check_index_dtype(std::string_view op, const Tensor& index);

/// In checked builds, of an index that has values: @throws ArgumentError naming the first position
/// outside [0, extent).
void check_index_range(std::string_view op, const Tensor& index, std::int64_t extent);

/// The transpose of scatter_sum: x at the index along dim, zeros where the index is outside or
/// `ignored`.
Tensor take_or_zero(
    Tensor x, std::int64_t dim, Tensor index, IndexForm form, std::int64_t ignored = -1);

/// x at the int32 index along dim, which the dimensions of the index take the place of. `dim` is
/// not negative. @throws ShapeError for too many dimensions or elements
Tensor take_in_place_of(Tensor x, std::int64_t dim, Tensor index);

/// Zeros of shape `sizes` with the source added at the index along dim, in the order of the
/// source; indices outside or `ignored` are left out.
Tensor scatter_sum(Tensor source,
                   std::int64_t dim,
                   Tensor index,
                   const Dims& sizes,
                   IndexForm form,
                   std::int64_t ignored = -1);

}  // namespace pumice::ops
