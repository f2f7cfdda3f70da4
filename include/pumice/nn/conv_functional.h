// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/nn/conv_options.h"
#include "pumice/ops/conv.h"

#include <cstdint>
#include <utility>

/// Convolution and pooling in LibTorch's form. Shapes, dtypes and errors are those of the function
/// of the same name in pumice/ops/conv.h.
namespace PUMICE_API pumice {
namespace nn {
namespace functional {

/// Options of conv2d.
class Conv2dFuncOptions {
public:
    /// Sets the bias (none at first), what lies between neighbouring results or neighbouring
    /// elements of the kernel (1), the zeros on each side (0), or how many groups divide the
    /// channels (1).
    /// @{
    Conv2dFuncOptions& bias(Tensor bias) {
        bias_ = std::move(bias);
        return *this;
    }

    Conv2dFuncOptions& stride(IntPair stride) noexcept {
        stride_ = stride;
        return *this;
    }

    Conv2dFuncOptions& padding(IntPair padding) noexcept {
        padding_ = padding;
        return *this;
    }

    Conv2dFuncOptions& dilation(IntPair dilation) noexcept {
        dilation_ = dilation;
        return *this;
    }

    Conv2dFuncOptions& groups(std::int64_t groups) noexcept {
        groups_ = groups;
        return *this;
    }

    /// @}

    /// As set.
    /// @{
    [[nodiscard]] const Tensor& bias() const noexcept { return bias_; }

    [[nodiscard]] const IntPair& stride() const noexcept { return stride_; }

    [[nodiscard]] const IntPair& padding() const noexcept { return padding_; }

    [[nodiscard]] const IntPair& dilation() const noexcept { return dilation_; }

    [[nodiscard]] std::int64_t groups() const noexcept { return groups_; }

    /// @}

private:
    Tensor bias_;
    IntPair stride_ = 1;
    IntPair padding_ = 0;
    IntPair dilation_ = 1;
    std::int64_t groups_ = 1;
};

/// The layers' options.
/// @{
using MaxPool2dFuncOptions = MaxPool2dOptions;
using AvgPool2dFuncOptions = AvgPool2dOptions;
using AdaptiveAvgPool2dFuncOptions = AdaptiveAvgPool2dOptions;

/// @}

/// pumice::conv2d.
inline Tensor conv2d(Tensor x, Tensor weight, const Conv2dFuncOptions& options = {}) {
    return pumice::conv2d(std::move(x),
                          std::move(weight),
                          options.bias(),
                          options.stride(),
                          options.padding(),
                          options.dilation(),
                          options.groups());
}

/// pumice::max_pool2d.
inline Tensor max_pool2d(Tensor x, const MaxPool2dFuncOptions& options) {
    return pumice::max_pool2d(std::move(x),
                              options.kernel_size(),
                              options.stride(),
                              options.padding(),
                              options.dilation(),
                              options.ceil_mode());
}

/// pumice::avg_pool2d.
inline Tensor avg_pool2d(const Tensor& x, const AvgPool2dFuncOptions& options) {
    return pumice::avg_pool2d(x,
                              options.kernel_size(),
                              options.stride(),
                              options.padding(),
                              options.ceil_mode(),
                              options.count_include_pad(),
                              options.divisor_override());
}

/// pumice::adaptive_avg_pool2d.
inline Tensor adaptive_avg_pool2d(const Tensor& x, const AdaptiveAvgPool2dFuncOptions& options) {
    return pumice::adaptive_avg_pool2d(x, options.output_size());
}

}  // namespace functional
}  // namespace nn
}  // namespace pumice
