// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/nn/conv.h"
#include "pumice/nn/layers.h"
#include "pumice/nn/module.h"
#include "pumice/nn/normalization.h"

#include <cstdint>
#include <vector>

/// Networks in the shapes of well-known ones, with random weights: what measurements run.
namespace networks {

/// relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut(x)), two 3x3 convolutions; the shortcut is x
/// itself, or a 1x1 convolution and its norm where shapes differ.
class BasicBlockImpl : public pumice::nn::Module {
public:
    BasicBlockImpl(std::int64_t in_channels, std::int64_t out_channels, std::int64_t stride);
    /// [N, C, H, W] -> [N, O, H / stride, W / stride], rounded up
    pumice::Tensor forward(pumice::Tensor x);

    pumice::nn::Conv2d conv1 = nullptr;
    pumice::nn::BatchNorm2d norm1 = nullptr;
    pumice::nn::Conv2d conv2 = nullptr;
    pumice::nn::BatchNorm2d norm2 = nullptr;
    pumice::nn::Conv2d shortcut = nullptr;
    pumice::nn::BatchNorm2d shortcut_norm = nullptr;
};

using BasicBlock = pumice::nn::ModuleHolder<BasicBlockImpl>;

/// The 18-layer residual network: a 7x7 stem, four stages of two basic blocks, the mean of each
/// plane and a linear layer. Parameters are random, the generator's state decides.
/// Source: He et al., "Deep residual learning for image recognition", 2016, table 1.
class ResNet18Impl : public pumice::nn::Module {
public:
    explicit ResNet18Impl(std::int64_t class_count = 1000);
    /// [N, 3, H, W] -> [N, class_count]
    pumice::Tensor forward(pumice::Tensor x);

    pumice::nn::Conv2d stem = nullptr;
    pumice::nn::BatchNorm2d stem_norm = nullptr;
    std::vector<BasicBlock> blocks;
    pumice::nn::Linear classifier = nullptr;
};

using ResNet18 = pumice::nn::ModuleHolder<ResNet18Impl>;

}  // namespace networks
