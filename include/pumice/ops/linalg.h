// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <optional>

namespace pumice {

/// Matrix product with batch broadcasting: a [..., M, K], b [..., K, N] -> [..., M, N]; vectors as
/// in PyTorch. Transposed operands are read in place.
Tensor matmul(Tensor a, Tensor b);
/// x [..., I], weight [O, I], bias [O] or undefined -> [..., O].
Tensor linear(Tensor x, Tensor weight, Tensor bias = {});
Tensor& matmul_out(Tensor& out, Tensor a, Tensor b);

/// softmax(query key^T * scale + mask) value. query [..., L, E], key [..., S, E], value [..., S, D]
/// -> [..., L, D]. mask: undefined, additive (floating) or bool (true takes part), broadcast to
/// [..., L, S]. scale: 1/sqrt(E) when not given (NaN is refused).
Tensor scaled_dot_product_attention(Tensor query,
                                    Tensor key,
                                    Tensor value,
                                    Tensor mask = {},
                                    bool is_causal = false,
                                    std::optional<double> scale = {});

}  // namespace pumice
