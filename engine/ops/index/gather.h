// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "base/index_user.h"
#include "ops/index/indexing.h"

#include <string_view>

namespace pumice::ops {

/// @throws DTypeError unless the index is int32
void check_index_dtype(std::string_view op, const Tensor& index);

/// gather that reports for another function.
Tensor take_for(IndexUser user, Tensor x, std::int64_t dim, Tensor index);

/// index_select that reports nothing: the indices were looked at before.
Tensor take_rows(Tensor x, std::int64_t dim, Tensor index);

/// The transpose of scatter_sum: x at the index along dim, zeros where the index is outside or
/// `ignored`.
Tensor take_or_zero(
    Tensor x, std::int64_t dim, Tensor index, IndexForm form, std::int64_t ignored = -1);

/// x at the int32 index along dim, which the dimensions of the index take the place of; reports
/// nothing. `dim` is not negative. @throws ShapeError for too many dimensions or elements
Tensor take_in_place_of(Tensor x, std::int64_t dim, Tensor index);

}  // namespace pumice::ops
