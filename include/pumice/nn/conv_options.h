// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/ops/conv.h"

#include <cstdint>
#include <optional>

/// @file
/// Options of convolution and pooling in LibTorch's form, see options.h. The layers and functions
/// check the values. A number stands for rows and columns alike, {3, 2} for each of them.

namespace PUMICE_API pumice {
namespace nn {

/// Options of Conv2d.
class Conv2dOptions {
public:
    /// Channels of x and y, extents of the kernel; stride and dilation 1, no padding, one group, a
    /// bias.
    Conv2dOptions(std::int64_t in_channels, std::int64_t out_channels, IntPair kernel_size) noexcept
        : in_channels_(in_channels), out_channels_(out_channels), kernel_size_(kernel_size) {}

    /// Sets what lies between neighbouring results or neighbouring elements of the kernel, the
    /// zeros on each side, how many groups divide the channels, or whether there is a bias.
    /// @{
    Conv2dOptions& stride(IntPair stride) noexcept {
        stride_ = stride;
        return *this;
    }

    Conv2dOptions& padding(IntPair padding) noexcept {
        padding_ = padding;
        return *this;
    }

    Conv2dOptions& dilation(IntPair dilation) noexcept {
        dilation_ = dilation;
        return *this;
    }

    Conv2dOptions& groups(std::int64_t groups) noexcept {
        groups_ = groups;
        return *this;
    }

    Conv2dOptions& bias(bool has_bias) noexcept {
        has_bias_ = has_bias;
        return *this;
    }

    /// @}

    /// As set.
    /// @{
    [[nodiscard]] std::int64_t in_channels() const noexcept { return in_channels_; }

    [[nodiscard]] std::int64_t out_channels() const noexcept { return out_channels_; }

    [[nodiscard]] const IntPair& kernel_size() const noexcept { return kernel_size_; }

    [[nodiscard]] const IntPair& stride() const noexcept { return stride_; }

    [[nodiscard]] const IntPair& padding() const noexcept { return padding_; }

    [[nodiscard]] const IntPair& dilation() const noexcept { return dilation_; }

    [[nodiscard]] std::int64_t groups() const noexcept { return groups_; }

    [[nodiscard]] bool bias() const noexcept { return has_bias_; }

    /// @}

private:
    std::int64_t in_channels_;
    std::int64_t out_channels_;
    IntPair kernel_size_;
    IntPair stride_ = 1;
    IntPair padding_ = 0;
    IntPair dilation_ = 1;
    std::int64_t groups_ = 1;
    bool has_bias_ = true;
};

/// Options of MaxPool2d.
class MaxPool2dOptions {
public:
    /// Extents of a window; stride the same, dilation 1, no padding, whole windows only.
    explicit(false) MaxPool2dOptions(IntPair kernel_size) noexcept : kernel_size_(kernel_size) {}

    /// Sets what lies between neighbouring windows (nothing: the kernel's size) or neighbouring
    /// elements of one, the padding, or whether the last windows may reach outside.
    /// @{
    MaxPool2dOptions& stride(OptionalIntPair stride) noexcept {
        stride_ = stride;
        return *this;
    }

    MaxPool2dOptions& padding(IntPair padding) noexcept {
        padding_ = padding;
        return *this;
    }

    MaxPool2dOptions& dilation(IntPair dilation) noexcept {
        dilation_ = dilation;
        return *this;
    }

    MaxPool2dOptions& ceil_mode(bool rounds_up) noexcept {
        rounds_up_ = rounds_up;
        return *this;
    }

    /// @}

    /// As set.
    /// @{
    [[nodiscard]] const IntPair& kernel_size() const noexcept { return kernel_size_; }

    [[nodiscard]] const OptionalIntPair& stride() const noexcept { return stride_; }

    [[nodiscard]] const IntPair& padding() const noexcept { return padding_; }

    [[nodiscard]] const IntPair& dilation() const noexcept { return dilation_; }

    [[nodiscard]] bool ceil_mode() const noexcept { return rounds_up_; }

    /// @}

private:
    IntPair kernel_size_;
    OptionalIntPair stride_;
    IntPair padding_ = 0;
    IntPair dilation_ = 1;
    bool rounds_up_ = false;
};

/// Options of AvgPool2d.
class AvgPool2dOptions {
public:
    /// Extents of a window; stride the same, no padding, whole windows only, padding counts.
    explicit(false) AvgPool2dOptions(IntPair kernel_size) noexcept : kernel_size_(kernel_size) {}

    /// Sets what lies between neighbouring windows (nothing: the kernel's size), the padding,
    /// whether the last windows may reach outside, whether padding counts as elements, or what
    /// divides the sums instead of their counts.
    /// @{
    AvgPool2dOptions& stride(OptionalIntPair stride) noexcept {
        stride_ = stride;
        return *this;
    }

    AvgPool2dOptions& padding(IntPair padding) noexcept {
        padding_ = padding;
        return *this;
    }

    AvgPool2dOptions& ceil_mode(bool rounds_up) noexcept {
        rounds_up_ = rounds_up;
        return *this;
    }

    AvgPool2dOptions& count_include_pad(bool counts_padding) noexcept {
        counts_padding_ = counts_padding;
        return *this;
    }

    AvgPool2dOptions& divisor_override(std::optional<std::int64_t> divisor) noexcept {
        divisor_ = divisor;
        return *this;
    }

    /// @}

    /// As set.
    /// @{
    [[nodiscard]] const IntPair& kernel_size() const noexcept { return kernel_size_; }

    [[nodiscard]] const OptionalIntPair& stride() const noexcept { return stride_; }

    [[nodiscard]] const IntPair& padding() const noexcept { return padding_; }

    [[nodiscard]] bool ceil_mode() const noexcept { return rounds_up_; }

    [[nodiscard]] bool count_include_pad() const noexcept { return counts_padding_; }

    [[nodiscard]] std::optional<std::int64_t> divisor_override() const noexcept { return divisor_; }

    /// @}

private:
    IntPair kernel_size_;
    OptionalIntPair stride_;
    IntPair padding_ = 0;
    bool rounds_up_ = false;
    bool counts_padding_ = true;
    std::optional<std::int64_t> divisor_;
};

/// Options of AdaptiveAvgPool2d.
class AdaptiveAvgPool2dOptions {
public:
    /// Windows along the rows and along the columns.
    explicit(false) AdaptiveAvgPool2dOptions(IntPair output_size) noexcept
        : output_size_(output_size) {}

    /// Sets them.
    AdaptiveAvgPool2dOptions& output_size(IntPair output_size) noexcept {
        output_size_ = output_size;
        return *this;
    }

    /// As set.
    [[nodiscard]] const IntPair& output_size() const noexcept { return output_size_; }

private:
    IntPair output_size_;
};

}  // namespace nn
}  // namespace pumice
