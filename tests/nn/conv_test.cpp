// SPDX-License-Identifier: Apache-2.0
#include "pumice/nn/conv.h"

#include "pumice/nn/containers.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>

namespace pumice::nn {

TEST_CASE("conv: the modules are their operators, with parameters of their own") {
    const Conv2d conv(
        Conv2dOptions(4, 6, {3, 2}).stride(2).padding({1, 0}).dilation({1, 2}).groups(2));
    CHECK(conv->weight.sizes() == Dims{6, 2, 3, 2});
    CHECK(conv->bias.sizes() == Dims{6});
    CHECK(conv->weight.requires_grad());
    CHECK(amax(abs(conv->weight)).item() <= 1.0 / std::sqrt(12.0));
    CHECK(amax(abs(conv->weight)).item() > 0.5 / std::sqrt(12.0));
    CHECK(conv->options.stride() == IntPair(2));
    const Tensor x = test::random_tensor({2, 4, 7, 8});
    const Tensor wanted = conv2d(x, conv->weight, conv->bias, 2, {1, 0}, {1, 2}, 2);
    test::check_same_bits(conv(x), wanted);
    test::check_same_bits(Conv2d(conv->clone())(x), wanted);
    CHECK(!Conv2d(Conv2dOptions(1, 1, 1).bias(false))->bias.defined());
    CHECK(Conv2d(4, 5, 3)(ones({4, 4, 4})).sizes() == Dims{5, 2, 2});
    const Sequential chain(Conv2d(4, 3, 3), MaxPool2d(2), AvgPool2d(2), AdaptiveAvgPool2d(1));
    CHECK(chain(x).sizes() == Dims{2, 3, 1, 1});
}

TEST_CASE("conv: pooling modules pass each option on") {
    const Tensor x = test::random_tensor({2, 4, 7, 8});
    test::check_same_bits(
        MaxPool2d(MaxPool2dOptions(3).stride({2, 1}).padding(1).dilation(2).ceil_mode(true))(x),
        max_pool2d(x, 3, {2, 1}, 1, 2, true));
    test::check_same_bits(
        AvgPool2d(AvgPool2dOptions({3, 2}).stride(2).padding(1).ceil_mode(true).count_include_pad(
            false))(x),
        avg_pool2d(x, {3, 2}, 2, 1, true, false));
    test::check_same_bits(AvgPool2d(AvgPool2dOptions(2).divisor_override(3))(x),
                          avg_pool2d(x, 2, {}, 0, false, true, 3));
    test::check_same_bits(AdaptiveAvgPool2d(AdaptiveAvgPool2dOptions({3, 2}))(x),
                          adaptive_avg_pool2d(x, {3, 2}));
    test::check_same_bits(AdaptiveAvgPool2d(AdaptiveAvgPool2dOptions(1).output_size(7))(x),
                          adaptive_avg_pool2d(x, 7));
}

TEST_CASE("conv: refusals") {
    test::check_throws<ArgumentError>([] { Conv2d(0, 1, 1); }, "[Conv2d] channels");
    test::check_throws<ArgumentError>([] { Conv2d(1, 1, 0); },
                                      "got in_channels 1, out_channels 1, kernel_size [0, 0]");
    test::check_throws<ArgumentError>(
        [] {
            Conv2d(Conv2dOptions(1, 1, 1).padding({0, -1}));
        },
        "padding not negative");
    test::check_throws<ArgumentError>([] { Conv2d(Conv2dOptions(4, 3, 1).groups(2)); },
                                      "got groups 2, in_channels 4 and out_channels 3");
}

}  // namespace pumice::nn
