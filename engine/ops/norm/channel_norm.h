// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <string_view>

namespace pumice::ops {

/// Running statistics of a norm by channel; both undefined where it has none.
struct RunningStats {
    const Tensor& mean;
    const Tensor& var;
};

/// Checks of the norms by channel: x floating and [N, C, ...]; what is defined of the others [C],
/// floating, of x's dtype or float32.
/// @throws ShapeError, DTypeError, ArgumentError for an undefined x
void check_channel_norm(std::string_view op,
                        const Tensor& x,
                        const Tensor& weight,
                        const Tensor& bias);

/// What batch_norm and instance_norm ask besides: both statistics or neither, [C]; both where they
/// are read, which is unless `uses_batch` (the public name of that argument is `switch_name`);
/// writable where they are written, which is when `uses_batch`.
/// @throws as check_channel_norm; ArgumentError, GradModeError (E2)
void check_running_norm(std::string_view op,
                        const Tensor& x,
                        const RunningStats& running,
                        bool uses_batch,
                        std::string_view switch_name);

/// running = (1 - momentum) * running + momentum * latest, unrecorded.
void move_running(Tensor running, const Tensor& latest, double momentum);

/// x * scale + shift by channel, scale and shift [C] or undefined; x, result: [N, C, ...].
/// Differentiable in all. Saves x where scale wants a gradient and the other way round.
Tensor channel_affine(Tensor x, Tensor scale, Tensor shift);

/// (x - mean) / sqrt(var + eps) * weight + bias with statistics that were given, as one affine map
/// a channel. The statistics get no gradient.
Tensor normalize_with(Tensor x,
                      const Tensor& weight,
                      const Tensor& bias,
                      const Tensor& mean,
                      const Tensor& var,
                      double eps);

}  // namespace pumice::ops
