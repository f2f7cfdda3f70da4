// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "base/index_user.h"

#include <string_view>

namespace pumice::ops {

/// Note [Index bounds]:
/// Indices live on the device, where a kernel cannot throw, and reading them back before every call
/// would make the host wait. So an index outside its dimension reads NaN (0 in dtypes without NaN)
/// and is left out of sums. The kernel reports it under the number of the public function, and the
/// next read on the host throws (Note [Reports] in vk/reports.h). Gradients report nothing: they
/// have the indices of their forward call, which did.

/// How an index tensor addresses one dimension of another.
enum class IndexForm : bool {
    kElements,  ///< gather: the index has x's dimensions and moves single elements
    kRows,      ///< index_select, embedding: one dimension of indices moves whole rows
};

/// @throws DTypeError unless the index is int32
void check_index_dtype(std::string_view op, const Tensor& index);

/// gather that reports for another function.
Tensor take_for(IndexUser user, Tensor x, std::int64_t dim, Tensor index);

/// index_select and index_copy that report nothing: the indices were looked at before.
/// @{
Tensor take_rows(Tensor x, std::int64_t dim, Tensor index);
Tensor replace_rows(Tensor x, std::int64_t dim, Tensor index, Tensor source);
/// @}

/// index_add that reports nothing.
Tensor add_rows(Tensor x, std::int64_t dim, Tensor index, Tensor source);

/// Places in [0, extent) of int32 indices, which may count from the end where the user's may; -1
/// for those outside, which are reported. @throws DTypeError for another dtype
Tensor places_of(IndexUser user, Tensor index, std::int64_t extent);

/// The transpose of scatter_sum: x at the index along dim, zeros where the index is outside or
/// `ignored`.
Tensor take_or_zero(
    Tensor x, std::int64_t dim, Tensor index, IndexForm form, std::int64_t ignored = -1);

/// x at the int32 index along dim, which the dimensions of the index take the place of; reports
/// nothing. `dim` is not negative. @throws ShapeError for too many dimensions or elements
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
