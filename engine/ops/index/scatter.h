// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "ops/index/indexing.h"

namespace pumice::ops {

/// index_copy and index_add that report nothing: the indices were looked at before.
/// @{
Tensor replace_rows(Tensor x, std::int64_t dim, Tensor index, Tensor source);
Tensor add_rows(Tensor x, std::int64_t dim, Tensor index, Tensor source);
/// @}

/// Zeros of shape `sizes` with the source added at the index along dim, in the order of the
/// source; indices outside or `ignored` are left out.
Tensor scatter_sum(Tensor source,
                   std::int64_t dim,
                   Tensor index,
                   const Dims& sizes,
                   IndexForm form,
                   std::int64_t ignored = -1);

}  // namespace pumice::ops
