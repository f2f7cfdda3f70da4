// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/nn/conv_options.h"
#include "pumice/nn/module.h"

namespace PUMICE_API pumice {
namespace nn {

/// pumice::conv2d with weight and bias of its own, of float32 and uniform in
/// +-1/sqrt(C / groups * KH * KW) at first, as in PyTorch.
class Conv2dImpl : public Cloneable<Conv2dImpl> {
public:
    /// @throws ArgumentError unless all counts are positive, padding is not negative and groups
    ///         divides the channels
    explicit Conv2dImpl(const Conv2dOptions& options);

    /// All else as by default.
    Conv2dImpl(std::int64_t in_channels, std::int64_t out_channels, IntPair kernel_size)
        : Conv2dImpl(Conv2dOptions(in_channels, out_channels, kernel_size)) {}

    /// [N, C, H, W] or [C, H, W] -> [N, O, H', W'] or [O, H', W'].
    /// @throws ShapeError, DTypeError as pumice::conv2d
    [[nodiscard]] Tensor forward(Tensor x) const;

    Conv2dOptions options;  ///< as given
    Tensor weight;          ///< [O, C / groups, KH, KW]
    Tensor bias;            ///< [O], or undefined

protected:
    /// See Module::rebind.
    void rebind() override;
};

/// Owner of a Conv2dImpl.
using Conv2d = ModuleHolder<Conv2dImpl>;

/// pumice::max_pool2d.
class MaxPool2dImpl : public Cloneable<MaxPool2dImpl> {
public:
    /// Nothing is checked before the first forward.
    explicit MaxPool2dImpl(const MaxPool2dOptions& options_in) : options(options_in) {}

    /// All else as by default.
    explicit MaxPool2dImpl(IntPair kernel_size) : options(kernel_size) {}

    /// [N, C, H, W] or [C, H, W] -> pooled.
    /// @throws ArgumentError, ShapeError, DTypeError as pumice::max_pool2d
    [[nodiscard]] Tensor forward(Tensor x) const;

    MaxPool2dOptions options;  ///< as given

protected:
    /// There is nothing to fill.
    void rebind() override {}
};

/// Owner of a MaxPool2dImpl.
using MaxPool2d = ModuleHolder<MaxPool2dImpl>;

/// pumice::avg_pool2d.
class AvgPool2dImpl : public Cloneable<AvgPool2dImpl> {
public:
    /// Nothing is checked before the first forward.
    explicit AvgPool2dImpl(const AvgPool2dOptions& options_in) : options(options_in) {}

    /// All else as by default.
    explicit AvgPool2dImpl(IntPair kernel_size) : options(kernel_size) {}

    /// [N, C, H, W] or [C, H, W] -> pooled.
    /// @throws ArgumentError, ShapeError, DTypeError as pumice::avg_pool2d
    [[nodiscard]] Tensor forward(const Tensor& x) const;

    AvgPool2dOptions options;  ///< as given

protected:
    /// There is nothing to fill.
    void rebind() override {}
};

/// Owner of an AvgPool2dImpl.
using AvgPool2d = ModuleHolder<AvgPool2dImpl>;

/// pumice::adaptive_avg_pool2d.
class AdaptiveAvgPool2dImpl : public Cloneable<AdaptiveAvgPool2dImpl> {
public:
    /// Nothing is checked before the first forward.
    explicit AdaptiveAvgPool2dImpl(const AdaptiveAvgPool2dOptions& options_in)
        : options(options_in) {}

    /// The same from the counts of windows.
    explicit AdaptiveAvgPool2dImpl(IntPair output_size) : options(output_size) {}

    /// [N, C, H, W] or [C, H, W] -> pooled.
    /// @throws ArgumentError, ShapeError, DTypeError as pumice::adaptive_avg_pool2d
    [[nodiscard]] Tensor forward(const Tensor& x) const;

    AdaptiveAvgPool2dOptions options;  ///< as given

protected:
    /// There is nothing to fill.
    void rebind() override {}
};

/// Owner of an AdaptiveAvgPool2dImpl.
using AdaptiveAvgPool2d = ModuleHolder<AdaptiveAvgPool2dImpl>;

}  // namespace nn
}  // namespace pumice
