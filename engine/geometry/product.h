// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dims.h"
#include "pumice/dtype.h"

#include "dispatch/program.h"
#include "tensor/tensor_impl.h"
#include "vk/capabilities.h"

#include <cstdint>

namespace pumice::ops {

/// A strided matrix, or a batch of them; strides and offset in elements.
struct MatrixView {
    dispatch::Operand operand;
    std::uint32_t offset = 0;  ///< from the bound start
    std::int64_t row_stride = 0;
    std::int64_t col_stride = 0;
    Dims batch_strides;  ///< one a batch dimension of the product, 0 where broadcast
};

/// c = a b + bias: a [batch, rows, depth], b [batch, depth, cols], c [batch, rows, cols] and bias
/// [cols], all of one dtype.
struct Product {
    DType dtype = kFloat32;
    std::int64_t rows = 1;
    std::int64_t cols = 1;
    std::int64_t depth = 1;
    Dims batch_sizes;
    MatrixView a;
    MatrixView b;
    MatrixView c;
    bool c_is_contiguous = true;
    bool has_bias = false;
    dispatch::Operand bias;
    std::uint32_t bias_offset = 0;
    std::uint32_t bias_stride = 0;
};

/// Most batch dimensions that a product may have after neighbours are merged.
inline constexpr std::int64_t kMaxBatchRank = 4;

/// The last two dimensions of `tensor` as a matrix, the others broadcast to `batch_sizes`.
MatrixView view_matrix(dispatch::Operand operand,
                       const Tensor& tensor,
                       const Dims& batch_sizes,
                       const vk::Capabilities& caps);

/// Chooses tiles and kernel and appends the steps: one, or two where a long depth is split.
void append_product(Product product, const vk::Capabilities& caps, dispatch::Program& program);

}  // namespace pumice::ops
