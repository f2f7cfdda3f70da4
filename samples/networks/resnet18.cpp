// SPDX-License-Identifier: Apache-2.0
#include "networks/resnet18.h"

#include "pumice/ops.h"

#include <array>
#include <string>
#include <utility>

namespace networks {

namespace {

using pumice::Tensor;
using pumice::nn::BatchNorm2d;
using pumice::nn::Conv2d;
using pumice::nn::Conv2dOptions;

Conv2dOptions conv3x3(std::int64_t in_channels, std::int64_t out_channels, std::int64_t stride) {
    return Conv2dOptions(in_channels, out_channels, 3).stride(stride).padding(1).bias(false);
}

}  // namespace

BasicBlockImpl::BasicBlockImpl(std::int64_t in_channels,
                               std::int64_t out_channels,
                               std::int64_t stride)
    : conv1(register_module("conv1", Conv2d(conv3x3(in_channels, out_channels, stride)))),
      norm1(register_module("norm1", BatchNorm2d(out_channels))),
      conv2(register_module("conv2", Conv2d(conv3x3(out_channels, out_channels, 1)))),
      norm2(register_module("norm2", BatchNorm2d(out_channels))) {
    if (stride != 1 || in_channels != out_channels) {
        shortcut = register_module(
            "shortcut",
            Conv2d(Conv2dOptions(in_channels, out_channels, 1).stride(stride).bias(false)));
        shortcut_norm = register_module("shortcut_norm", BatchNorm2d(out_channels));
    }
}

Tensor BasicBlockImpl::forward(Tensor x) {
    Tensor kept = shortcut.is_empty() ? x : shortcut_norm(shortcut(x));
    Tensor y = conv1(std::move(x));
    y = relu(norm1(std::move(y)));
    y = conv2(std::move(y));
    y = norm2(std::move(y));
    return relu(add(std::move(y), std::move(kept)));
}

ResNet18Impl::ResNet18Impl(std::int64_t class_count)
    : stem(register_module("stem",
                           Conv2d(Conv2dOptions(3, 64, 7).stride(2).padding(3).bias(false)))),
      stem_norm(register_module("stem_norm", BatchNorm2d(64))) {
    constexpr std::array<std::int64_t, 4> kWidths = {64, 128, 256, 512};
    std::int64_t channels = 64;
    for (const std::int64_t width : kWidths) {
        for (int i = 0; i < 2; ++i) {
            const std::int64_t stride = i == 0 && width > 64 ? 2 : 1;
            blocks.push_back(register_module("block" + std::to_string(blocks.size()),
                                             BasicBlock(channels, width, stride)));
            channels = width;
        }
    }
    classifier = register_module("classifier", pumice::nn::Linear(channels, class_count));
}

Tensor ResNet18Impl::forward(Tensor x) {
    x = stem(std::move(x));
    x = relu(stem_norm(std::move(x)));
    x = max_pool2d(std::move(x), 3, 2, 1);
    for (BasicBlock& block : blocks) {
        x = block(std::move(x));
    }
    x = flatten(adaptive_avg_pool2d(x, 1), 1);
    return classifier(std::move(x));
}

}  // namespace networks
