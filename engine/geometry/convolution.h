// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/ops/conv.h"

#include "dispatch/op_def.h"

#include <cstdint>
#include <span>

namespace pumice::ops {

/// PRODUCT of shaders/include/convolve.glsl.
enum class ConvRole : std::uint32_t { kResult = 0, kImageGradient = 1, kWeightGradient = 2 };

/// Attributes of conv2d and its gradients.
struct ConvAttrs {
    IntPair stride = 1;
    IntPair padding = 0;
    IntPair dilation = 1;
    std::int64_t groups = 1;
    IntPair extent = 0;  ///< gradients: rows and columns of the image, or of the weight
};

/// Appends the step that makes outputs[0]: the result of (x, weight, bias), the image gradient of
/// (gradient, weight), or the weight gradient of (gradient, x).
void append_convolution(ConvRole role,
                        const dispatch::OpCall& call,
                        std::span<const Tensor> outputs,
                        const vk::Capabilities& caps,
                        dispatch::Program& program);

}  // namespace pumice::ops
