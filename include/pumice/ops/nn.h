// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <optional>
#include <string_view>

namespace PUMICE_API pumice {

/// @file
/// Functions of neural networks: softmax, norms, dropout, rotary positions and losses. None works
/// in place. While recording, all throw GradModeError where the gradient would have to keep an
/// inference tensor.

/// exp(x_i - m) / sum_j exp(x_j - m) along `dim`, m the largest element.
/// x: any shape and strides, floating -> same shape and dtype, computed in float32. Large negative
/// masks are fine; a row of nothing but -inf is NaN, as in PyTorch. Backward saves the result.
/// Accuracy: 2e-6 of a float64 reference (tests/ops/softmax_test.cpp).
/// @throws DTypeError unless x is floating; ArgumentError for a dim outside [-x.dim(), x.dim()) or
///         an undefined x
Tensor softmax(Tensor x, std::int64_t dim);

/// log(softmax(x)) = x_i - m - log(sum_j exp(x_j - m)) along `dim`; otherwise as `softmax`.
/// @throws DTypeError, ArgumentError as softmax
Tensor log_softmax(Tensor x, std::int64_t dim);

/// (x - mean) / sqrt(var + eps) * weight + bias over the last normalized_shape.count() dimensions,
/// var without correction.
/// x: [..., *normalized_shape] floating -> same shape and dtype, computed in float32; weight, bias:
/// normalized_shape or undefined, of x's dtype or float32, both alike. Backward saves x, and weight
/// where x wants a gradient. Source: Ba, Kiros, Hinton, "Layer normalization", 2016.
/// @throws ShapeError unless x ends in normalized_shape (not empty) and weight and bias have it;
/// DTypeError for other dtypes; ArgumentError for an undefined x
Tensor layer_norm(Tensor x,
                  const Dims& normalized_shape,
                  Tensor weight = {},
                  Tensor bias = {},
                  double eps = 1e-5);

/// x / sqrt(mean(x^2) + eps) * weight over the last normalized_shape.count() dimensions; shapes,
/// dtypes, errors and what is saved as `layer_norm`.
/// Source: Zhang, Sennrich, "Root mean square layer normalization", 2019.
/// @throws ShapeError, DTypeError, ArgumentError as layer_norm
Tensor rms_norm(Tensor x, const Dims& normalized_shape, Tensor weight = {}, double eps = 1e-6);

/// (x - mean) / sqrt(var + eps) * weight + bias by channel, with the population variance.
/// x: [N, C, ...] floating -> same shape and dtype, computed in float32; the others: [C] or
/// undefined, of x's dtype or float32. When training, mean and var are those of all but the channel
/// dimension, and running_mean, running_var, where given, move in place by `momentum` towards them
/// (var with n - 1): running = (1 - momentum) * running + momentum * latest, in every grad mode.
/// Without training the running ones are used, as one affine map for each channel, and nothing is
/// written; they get no gradient. Backward saves, for the gradients of x and weight, x, mean and
/// deviation, and the weight if x's is wanted. Without training it saves x for weight's gradient,
/// and a factor for each channel for x's. Accuracy: 1e-5 + 2^-23 max|x| / sqrt(var + eps); the
/// second term counts for a channel whose values hardly differ (tests/ops/channel_norm_test.cpp).
/// Departure from at::batch_norm: no cudnn_enabled. Source: Ioffe, Szegedy, "Batch normalization",
/// 2015.
/// @throws ShapeError for shapes that do not fit, or 1 value or none per channel when training;
/// DTypeError for other dtypes; ArgumentError for an undefined x, one running tensor without the
/// other, or none without training; GradModeError (E2) for running tensors that may not be written.
/// Nothing was written then.
Tensor batch_norm(Tensor x,
                  const Tensor& weight,
                  const Tensor& bias,
                  const Tensor& running_mean,
                  const Tensor& running_var,
                  bool training,
                  double momentum = 0.1,
                  double eps = 1e-5);

/// As layer_norm over each of num_groups groups of neighbouring channels, then an affine map by
/// channel. x: [N, C, ...] floating -> same shape and dtype, computed in float32; weight, bias: [C]
/// or undefined, of x's dtype or float32. Backward saves what layer_norm and the affine map save:
/// x, and its normalised values if weight's gradient is wanted. Source: Wu, He, "Group
/// normalization", 2018.
/// @throws ArgumentError unless num_groups divides C, or for an undefined x; ShapeError, DTypeError
/// as batch_norm
Tensor group_norm(Tensor x,
                  std::int64_t num_groups,
                  const Tensor& weight = {},
                  const Tensor& bias = {},
                  double eps = 1e-5);

/// As batch_norm, with mean and var of each channel of each instance; the running ones move towards
/// their mean over the batch. Without use_input_stats the running ones are used, as in batch_norm.
/// Backward saves as group_norm, or without use_input_stats as batch_norm.
/// Source: Ulyanov, Vedaldi, Lempitsky, "Instance normalization", 2016.
/// @throws ShapeError for 1 value or none per channel of an instance with use_input_stats;
/// ShapeError, DTypeError, ArgumentError, GradModeError as batch_norm
Tensor instance_norm(const Tensor& x,
                     const Tensor& weight,
                     const Tensor& bias,
                     const Tensor& running_mean,
                     const Tensor& running_var,
                     bool use_input_stats,
                     double momentum = 0.1,
                     double eps = 1e-5);

/// When training, zeroes each element with probability p and scales the others by 1 / (1 - p).
/// Without training, or with p = 0, gives x itself. x: any shape, floating. Takes ceil(numel / 4)
/// Philox blocks of the generator (random.h) in every grad mode. Backward saves nothing: it
/// computes the zeroed places again.
/// @throws ArgumentError for p outside [0, 1] or an undefined x; DTypeError unless x is floating
Tensor dropout(Tensor x, double p = 0.5, bool training = true);

/// Turns pairs (x[i], x[i + d/2]) of the last dimension by per-position angles.
/// x: [..., T, d] floating, two to four dimensions, d even; cos and sin: [T, d/2] float32, not
/// differentiated -> [..., T, d] in x's dtype: out[i] = x[i] cos - x[i+d/2] sin,
/// out[i+d/2] = x[i+d/2] cos + x[i] sin. Backward saves cos and sin.
/// @throws ShapeError for shapes that do not fit, DTypeError for other dtypes, ArgumentError for an
/// undefined tensor
/// Source: Su et al., "RoFormer", 2021, in the half-split layout.
Tensor rotary_embedding(Tensor x, Tensor cos, Tensor sin);

/// How a loss is reduced: not at all, to the mean, or to the sum over its elements.
enum class Reduction : std::uint8_t { kNone, kMean, kSum };

/// (input - target)^2. input, target: the same shape, floating (PyTorch broadcasts) -> that shape,
/// or [] when reduced, in the dtype both promote to. The mean of no elements is NaN. Backward saves
/// the difference.
/// @throws ShapeError unless the shapes are equal, DTypeError unless both are floating,
/// ArgumentError for an undefined tensor
Tensor mse_loss(Tensor input, Tensor target, Reduction reduction = Reduction::kMean);

/// |input - target|; otherwise as `mse_loss`. @throws ShapeError, DTypeError, ArgumentError
/// as mse_loss
Tensor l1_loss(Tensor input, Tensor target, Reduction reduction = Reduction::kMean);

/// With d = |input - target|: d^2 / 2 up to delta, then delta * (d - delta / 2); otherwise as
/// `mse_loss`. Backward saves three tensors of that shape and a bit for each element.
/// Source: Huber, "Robust estimation of a location parameter", 1964.
/// @throws ArgumentError unless delta > 0; ShapeError, DTypeError, ArgumentError as mse_loss
Tensor huber_loss(Tensor input,
                  Tensor target,
                  Reduction reduction = Reduction::kMean,
                  double delta = 1.0);

/// -log_softmax(input)[target], with label_smoothing s: (1 - s) of that plus s times its mean over
/// the classes.
/// input: [N, C] or [N, C, d...] floating logits; target: [N] or [N, d...] int32 class indices,
/// each in [0, C) or ignore_index -> target's shape, or [] when reduced. Ignored targets give 0 and
/// do not count in the mean; a mean over none is NaN. A target outside [0, C) gives NaN and is
/// reported (see index.h). The result has input's dtype. Backward saves the logarithms of the
/// probabilities, which are as large as input, the classes and which of them count. Departures from
/// torch.nn.functional.cross_entropy: no class probabilities as target, no class weights, no input
/// [C].
/// @throws ShapeError for shapes that do not fit, DTypeError unless input is floating and target
/// int32, ArgumentError for label_smoothing outside [0, 1], an ignore_index past int32 or an
/// undefined tensor
Tensor cross_entropy(Tensor input,
                     const Tensor& target,
                     Reduction reduction = Reduction::kMean,
                     std::int64_t ignore_index = -100,
                     double label_smoothing = 0.0);

/// Pinball loss: max(q * (target - input), (q - 1) * (target - input)).
/// input: [..., Q], target: [...], quantiles: [Q], floating, values in (0, 1) that are not checked
/// -> [..., Q], or [] when reduced, in the dtype all promote to. Backward saves two bits for each
/// element of [..., Q] and factors of the shape [Q]; for the gradient of the quantiles the
/// difference too. Source: Koenker, Bassett, "Regression quantiles", 1978.
/// @throws ShapeError for shapes that do not fit, DTypeError unless all are floating, ArgumentError
/// for an undefined tensor
Tensor quantile_loss(Tensor input,
                     const Tensor& target,
                     const Tensor& quantiles,
                     Reduction reduction = Reduction::kMean);

}  // namespace pumice
