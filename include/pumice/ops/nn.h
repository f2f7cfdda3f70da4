// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "pumice/tensor.h"

namespace pumice {

Tensor softmax(Tensor x, std::int64_t dim);
Tensor log_softmax(Tensor x, std::int64_t dim);
/// Over the last normalized_shape.count() dimensions; weight and bias of that shape or undefined.
Tensor layer_norm(Tensor x,
                  const Dims& normalized_shape,
                  Tensor weight = {},
                  Tensor bias = {},
                  double eps = 1e-5);
/// x * rsqrt(mean(x^2) + eps) * weight over the last normalized_shape.count() dimensions.
Tensor rms_norm(Tensor x, const Dims& normalized_shape, Tensor weight = {}, double eps = 1e-6);
/// Zeroes with probability p and scales by 1/(1-p) when training; itself otherwise.
Tensor dropout(Tensor x, double p = 0.5, bool training = true);

/// Turns pairs (x[i], x[i + d/2]) of the last dimension by per-position angles.
/// x: [..., T, d], cos and sin: [T, d/2] float32, not differentiated -> [..., T, d]:
/// out[i] = x[i] cos - x[i+d/2] sin, out[i+d/2] = x[i+d/2] cos + x[i] sin.
/// @throws ShapeError, DTypeError
/// Source: Su et al., "RoFormer", 2021, in the half-split layout.
Tensor rotary_embedding(Tensor x, Tensor cos, Tensor sin);

/// How a loss is reduced over elements.
enum class Reduction : std::uint8_t { kNone, kMean, kSum };

Tensor mse_loss(Tensor input, Tensor target, Reduction reduction = Reduction::kMean);
Tensor l1_loss(Tensor input, Tensor target, Reduction reduction = Reduction::kMean);
Tensor huber_loss(Tensor input,
                  Tensor target,
                  Reduction reduction = Reduction::kMean,
                  double delta = 1.0);
/// input [N, C] or [N, C, d...] logits, target [N] or [N, d...] int class indices.
Tensor cross_entropy(Tensor input,
                     Tensor target,
                     Reduction reduction = Reduction::kMean,
                     std::int64_t ignore_index = -100,
                     double label_smoothing = 0.0);
/// Pinball loss: input [..., Q], target [...], quantiles [Q] in (0, 1):
/// max(q * (target - input), (q - 1) * (target - input)).
Tensor quantile_loss(Tensor input,
                     Tensor target,
                     Tensor quantiles,
                     Reduction reduction = Reduction::kMean);

}  // namespace pumice
