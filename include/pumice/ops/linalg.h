// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <optional>

namespace PUMICE_API pumice {

/// @file
/// Matrix products and attention. While recording, all throw GradModeError where the gradient would
/// have to keep an inference tensor.

/// Matrix product: a [..., M, K], b [..., K, N] -> [..., M, N], leading dimensions broadcast. A
/// vector a [K] is one row, a vector b [K] one column, and the dimension of 1 is left out of the
/// result. K = 0 gives zeros.
/// One dtype, floating (sums in float32, rounded once) or int32 (wrapping), which the result keeps;
/// nothing is promoted. Any strides; transposed operands are read in place. Backward saves each
/// operand if the other's gradient is wanted. Source: torch.matmul.
/// @throws ShapeError for shapes that do not fit or a zero-dimensional operand; DTypeError for two
///         dtypes or another one; ArgumentError for an undefined operand
Tensor matmul(Tensor a, Tensor b);

/// x weight^T + bias. x [..., I], weight [O, I], bias [O] or undefined -> [..., O], in the one
/// dtype of all, as matmul's. Backward saves x and weight, each if the other's gradient is wanted.
/// Source: torch.nn.functional.linear.
/// @throws ShapeError for shapes that do not fit; DTypeError for several dtypes or another one;
///         ArgumentError for an undefined x or weight
Tensor linear(Tensor x, Tensor weight, Tensor bias = {});

/// matmul into `out`, which is returned; an operand that overlaps `out` is copied first. Nothing is
/// resized.
/// @throws ShapeError and DTypeError as matmul, and unless `out` has the result's; UnsupportedError
///         for an `out` of more than six dimensions that is not contiguous; GradModeError while
///         recording if an operand requires grad, and for an inference `out` outside of inference
///         mode; ArgumentError for an undefined tensor or an overlapping `out`
Tensor& matmul_out(Tensor& out, Tensor a, Tensor b);

/// softmax(query key^T * scale + mask) value. query [..., L, E], key [..., S, E], value [..., S, D]
/// -> [..., L, D], leading dimensions broadcast; one floating dtype, which the result keeps, and
/// float32 within. The scores [..., L, S] are never stored.
/// mask: undefined, additive (query's dtype) or bool (true takes part), broadcast to [..., L, S].
/// is_causal: query i sees keys 0 to i; unlike PyTorch's, it may come with a mask. A query that
/// sees no key gets zeros. scale: 1 / sqrt(E) when not given. Backward saves the operands (not the
/// value, if only its gradient is wanted), the result and a float32 for each query. Sources:
/// torch.nn.functional.scaled_dot_product_attention; Dao et al., "FlashAttention", 2022.
/// @throws ShapeError for shapes that do not fit; DTypeError for several dtypes or one that is not
///         floating; ArgumentError for an undefined operand or a scale that is not finite;
///         UnsupportedError for a query so wide (E of 16,000 or more) that one score takes longer
///         than devices let an invocation run
Tensor scaled_dot_product_attention(Tensor query,
                                    Tensor key,
                                    Tensor value,
                                    Tensor mask = {},
                                    bool is_causal = false,
                                    std::optional<double> scale = {});

}  // namespace pumice
