// SPDX-License-Identifier: Apache-2.0
// Convolution and pooling as modules: which options go together.
#include "pumice/nn/conv.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/nn/conv_functional.h"
#include "pumice/ops.h"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <utility>

namespace pumice::nn {

namespace {

bool is_at_least(std::int64_t least, const IntPair& pair) noexcept {
    return pair.rows >= least && pair.cols >= least;
}

std::string to_text(const IntPair& pair) {
    return fmt::format("[{}, {}]", pair.rows, pair.cols);
}

void check_options(const Conv2dOptions& o) {
    const bool is_positive = is_at_least(1, o.kernel_size()) && is_at_least(1, o.stride()) &&
                             is_at_least(1, o.dilation()) && o.in_channels() > 0 &&
                             o.out_channels() > 0 && o.groups() > 0;
    if (!is_positive || !is_at_least(0, o.padding())) {
        throw ArgumentError(
            "Conv2d",
            fmt::format(
                "channels, kernel_size, stride, dilation and groups must be positive, "
                "padding not negative; got in_channels {}, out_channels {}, kernel_size {}, "
                "stride {}, dilation {}, groups {} and padding {}",
                o.in_channels(),
                o.out_channels(),
                to_text(o.kernel_size()),
                to_text(o.stride()),
                to_text(o.dilation()),
                o.groups(),
                to_text(o.padding())));
    }
    if (o.in_channels() % o.groups() != 0 || o.out_channels() % o.groups() != 0) {
        throw ArgumentError("Conv2d",
                            fmt::format("groups must divide in_channels and out_channels; got "
                                        "groups {}, in_channels {} and out_channels {}",
                                        o.groups(),
                                        o.in_channels(),
                                        o.out_channels()));
    }
}

}  // namespace

Conv2dImpl::Conv2dImpl(const Conv2dOptions& options_in) : options(options_in) {
    check_options(options);
    const Dims sizes{options.out_channels(),
                     options.in_channels() / options.groups(),
                     options.kernel_size().rows,
                     options.kernel_size().cols};
    const double bound = 1.0 / std::sqrt(static_cast<double>(sizes[1] * sizes[2] * sizes[3]));
    const auto uniform = [bound](const Dims& shape) {
        return no_grad([&] { return sub(mul(rand(shape), 2.0 * bound), bound); });
    };
    weight = register_parameter("weight", uniform(sizes));
    if (options.bias()) {
        bias = register_parameter("bias", uniform({options.out_channels()}));
    }
}

Tensor Conv2dImpl::forward(Tensor x) const {
    return conv2d(std::move(x),
                  weight,
                  bias,
                  options.stride(),
                  options.padding(),
                  options.dilation(),
                  options.groups());
}

void Conv2dImpl::rebind() {
    weight = registered("weight");
    bias = registered("bias");
}

Tensor MaxPool2dImpl::forward(Tensor x) const {
    return functional::max_pool2d(std::move(x), options);
}

Tensor AvgPool2dImpl::forward(const Tensor& x) const {
    return functional::avg_pool2d(x, options);
}

Tensor AdaptiveAvgPool2dImpl::forward(const Tensor& x) const {
    return functional::adaptive_avg_pool2d(x, options);
}

}  // namespace pumice::nn
