// SPDX-License-Identifier: Apache-2.0
// nn::init against its formulas: exact where it is exact, else by the moments of many numbers.
#include "pumice/nn/init.h"

#include "pumice/nn/layers.h"
#include "pumice/torch.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

namespace pumice::nn {

namespace {

struct Moments {
    double mean;
    double deviation;
    double low;
    double high;
    double kurtosis;  // 1.8 for a uniform distribution, 3 for a normal one
};

Moments moments_of(const Tensor& x) {
    const std::vector<double> values = x.to_vector<double>();
    const auto count = static_cast<double>(values.size());
    double total = 0.0;
    for (const double value : values) {
        total += value;
    }
    const double mean = total / count;
    double second = 0.0;
    double fourth = 0.0;
    for (const double value : values) {
        const double square = (value - mean) * (value - mean);
        second += square;
        fourth += square * square;
    }
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return {mean, std::sqrt(second / count), *low, *high, fourth * count / (second * second)};
}

// Five standard errors of mean and deviation over n numbers: n is 40,000 or more here.
void check_distribution(const Tensor& x, double deviation, bool is_uniform) {
    CAPTURE(deviation);
    CAPTURE(is_uniform);
    const Moments got = moments_of(x);
    const double n = static_cast<double>(x.numel());
    CHECK(std::abs(got.mean) < 5.0 * deviation / std::sqrt(n));
    CHECK(got.deviation == doctest::Approx(deviation).epsilon(5.0 / std::sqrt(2.0 * n)));
    CHECK(std::abs(got.kurtosis - (is_uniform ? 1.8 : 3.0)) < 0.15);
    if (is_uniform) {
        const double bound = std::sqrt(3.0) * deviation;
        CHECK(got.low >= -bound * (1 + 1e-6));
        CHECK(got.high <= bound * (1 + 1e-6));
        CHECK(got.high > 0.999 * bound);
        CHECK(got.low < -0.999 * bound);
    }
}

Tensor weight(const Dims& sizes = {160, 250}) {
    return zeros(sizes, {kFloat32, true});
}

}  // namespace

TEST_CASE("init: gains are those of He's and Glorot's rules") {
    using init::calculate_gain;
    for (const auto each : {torch::kLinear,
                            torch::kConv1D,
                            torch::kConv2D,
                            torch::kConv3D,
                            torch::kConvTranspose1D,
                            torch::kConvTranspose2D,
                            torch::kConvTranspose3D,
                            torch::kSigmoid}) {
        CHECK(calculate_gain(each) == 1.0);
    }
    CHECK(calculate_gain(torch::kTanh) == doctest::Approx(1.6666666666666667));
    CHECK(calculate_gain(torch::kReLU) == doctest::Approx(1.4142135623730951));
    CHECK(calculate_gain(torch::kReLU, 5.0) == doctest::Approx(1.4142135623730951));
    CHECK(calculate_gain(torch::kLeakyReLU) == doctest::Approx(1.4141428569978354));
    CHECK(calculate_gain(torch::kLeakyReLU, 0.5) == doctest::Approx(1.2649110640673518));
    CHECK(calculate_gain(torch::kLeakyReLU, 0.0) == calculate_gain(torch::kReLU));
}

TEST_CASE("init: fans count inputs and outputs, kernels included") {
    const auto fans = [](const Dims& sizes) {
        return init::_calculate_fan_in_and_fan_out(zeros(sizes));
    };
    CHECK(fans({5, 3}) == std::make_tuple(3, 5));
    CHECK(fans({5, 3, 7}) == std::make_tuple(21, 35));
    CHECK(fans({5, 3, 2, 7}) == std::make_tuple(42, 70));
    CHECK(fans({0, 3}) == std::make_tuple(3, 0));
    test::check_throws<ShapeError>([&] { fans({5}); }, "wanted at least two dimensions");
    test::check_throws<ShapeError>([&] { fans({}); }, "wanted at least two dimensions");
    test::check_throws<ArgumentError>([] { init::_calculate_fan_in_and_fan_out({}); }, "undefined");
}

TEST_CASE("init: constants and the identity, in any dtype, return the tensor itself") {
    const Tensor x = weight({2, 3});
    CHECK(init::constant_(x, 2.5).is_same(x));
    test::check_close(x, {2.5, 2.5, 2.5, 2.5, 2.5, 2.5});
    init::ones_(x);
    test::check_close(x, {1, 1, 1, 1, 1, 1});
    init::zeros_(x);
    test::check_close(x, {0, 0, 0, 0, 0, 0});
    CHECK(x.requires_grad());
    CHECK(x.is_leaf());
    CHECK(init::eye_(x).is_same(x));
    test::check_close(x, {1, 0, 0, 0, 1, 0});
    for (const DType dtype : {kFloat16, kBFloat16, kInt32}) {
        test::check_close(init::eye_(zeros({3, 2}, dtype)), {1, 0, 0, 1, 0, 0});
        test::check_close(init::constant_(zeros({2}, dtype), 3), {3, 3});
    }
    CHECK(init::eye_(zeros({0, 3})).numel() == 0);
    test::check_close(init::eye_(zeros({1, 1})), {1});
    // A column of a matrix: what is beside it stays.
    const Tensor matrix = zeros({2, 3});
    init::ones_(matrix.select(1, 1));
    test::check_close(matrix, {0, 1, 0, 0, 1, 0});
    test::check_throws<ShapeError>([] { init::eye_(zeros({2})); }, "[eye_] wanted a matrix");
    test::check_throws<DTypeError>([] { init::constant_(zeros({2}, kInt32), 1e12); }, "int32");
}

TEST_CASE("init: uniform and normal numbers have the moments that are asked for") {
    manual_seed(11);
    const Tensor x = weight();
    CHECK(init::uniform_(x).is_same(x));
    Moments got = moments_of(x);
    CHECK(got.mean == doctest::Approx(0.5).epsilon(0.015));
    CHECK(got.deviation == doctest::Approx(std::sqrt(1.0 / 12.0)).epsilon(0.02));
    CHECK(got.low >= 0.0);
    CHECK(got.high < 1.0);
    init::uniform_(x, -3.0, 5.0);
    got = moments_of(x);
    CHECK(got.mean == doctest::Approx(1.0).epsilon(0.06));
    CHECK(got.deviation == doctest::Approx(8.0 / std::sqrt(12.0)).epsilon(0.02));
    CHECK(got.low >= -3.0);
    CHECK(got.low < -2.99);
    CHECK(got.high <= 5.0);
    CHECK(got.high > 4.99);
    init::normal_(x);
    check_distribution(x, 1.0, false);
    init::normal_(x, 3.0, 0.5);
    got = moments_of(x);
    CHECK(got.mean == doctest::Approx(3.0).epsilon(0.005));
    CHECK(got.deviation == doctest::Approx(0.5).epsilon(0.02));
    init::normal_(x, 2.0, 0.0);
    CHECK(moments_of(x).low == 2.0);
    CHECK(moments_of(x).high == 2.0);
    init::uniform_(x, 4.0, 4.0);
    CHECK(moments_of(x).high == 4.0);
    const Tensor half = zeros({64, 64}, kFloat16);
    init::normal_(half, 0.0, 0.02);
    CHECK(moments_of(half).deviation == doctest::Approx(0.02).epsilon(0.06));
    CHECK(init::uniform_(zeros({0, 3})).numel() == 0);
}

TEST_CASE("init: xavier's deviation is gain * sqrt(2 / (fan_in + fan_out))") {
    manual_seed(12);
    const Tensor x = weight();
    const double plain = std::sqrt(2.0 / 410.0);
    check_distribution(init::xavier_uniform_(x), plain, true);
    check_distribution(init::xavier_normal_(x), plain, false);
    const double gain = init::calculate_gain(torch::kTanh);
    check_distribution(init::xavier_uniform_(x, gain), 5.0 / 3.0 * plain, true);
    check_distribution(init::xavier_normal_(x, gain), 5.0 / 3.0 * plain, false);
    check_distribution(init::xavier_normal_(weight({20, 100, 5, 5})), std::sqrt(2.0 / 3000), false);
    CHECK(x.requires_grad());
}

TEST_CASE("init: kaiming's deviation is the gain by the root of the fan that is asked for") {
    manual_seed(13);
    const Tensor x = weight();
    check_distribution(init::kaiming_uniform_(x), std::sqrt(2.0 / 250), true);
    check_distribution(init::kaiming_normal_(x), std::sqrt(2.0 / 250), false);
    check_distribution(init::kaiming_uniform_(x, 0.0, torch::kFanOut), std::sqrt(2.0 / 160), true);
    check_distribution(
        init::kaiming_normal_(x, 0.0, torch::kFanOut, torch::kReLU), std::sqrt(2.0 / 160), false);
    check_distribution(init::kaiming_normal_(x, 0.5), std::sqrt(1.6 / 250), false);
    check_distribution(
        init::kaiming_normal_(x, 0.5, torch::kFanIn, torch::kReLU), std::sqrt(2.0 / 250), false);
    check_distribution(
        init::kaiming_uniform_(x, 0.0, torch::kFanIn, torch::kLinear), std::sqrt(1.0 / 250), true);
    // The rule of Linear's own weight: uniform in +-1/sqrt(in).
    check_distribution(init::kaiming_uniform_(x, std::sqrt(5.0)), 1.0 / std::sqrt(3.0 * 250), true);
    check_distribution(
        init::kaiming_uniform_(weight({20, 100, 5, 5})), std::sqrt(2.0 / 2500), true);
    CHECK(init::kaiming_uniform_(weight({0, 3})).numel() == 0);
    CHECK(init::kaiming_normal_(weight({3, 0}), 0.0, torch::kFanIn).numel() == 0);
    CHECK(init::xavier_uniform_(weight({0, 0})).numel() == 0);
}

TEST_CASE("init: one seed gives one result, in every mode, and nothing is recorded") {
    const auto values_in = [](auto&& in_mode) {
        const Tensor x = weight({17, 13});
        manual_seed(3);
        in_mode([&] { init::kaiming_normal_(x); });
        CHECK(x.is_leaf());
        CHECK(x.requires_grad());
        CHECK(!x.is_inference());
        return x;
    };
    const Tensor eager = values_in([](auto&& call) { call(); });
    test::check_same_bits(values_in([](auto&& call) { no_grad(call); }), eager);
    test::check_same_bits(values_in([](auto&& call) { inference_mode(call); }), eager);
    const Tensor inferred = inference_mode([] { return ones({2, 2}); });
    test::check_throws<GradModeError>([&] { init::zeros_(inferred); },
                                      "Inplace update to inference tensor outside InferenceMode");
    test::check_throws<GradModeError>([&] { init::normal_(inferred); },
                                      "Inplace update to inference tensor outside InferenceMode");
    inference_mode([&] { init::eye_(inferred); });
    test::check_close(inferred, {1, 0, 0, 1});
}

TEST_CASE("init: bad input is refused before anything is written") {
    const double inf = std::numeric_limits<double>::infinity();
    const Tensor x = ones({2, 2});
    const auto refuse = [](auto&& call, const std::string& text) {
        test::check_throws<ArgumentError>(call, text);
    };
    refuse([&] { init::uniform_(x, 2.0, 1.0); }, "[uniform_] wanted low <= high, both finite");
    refuse([&] { init::uniform_(x, -inf, 1.0); }, "both finite; got -inf and 1");
    refuse([&] { init::normal_(x, 0.0, -1.0); }, "[normal_] std must be finite and >= 0; got -1");
    refuse([&] { init::normal_(x, std::nan("")); }, "[normal_] mean must be finite");
    refuse([&] { init::xavier_uniform_(x, -1.0); }, "[xavier_uniform_] gain must be finite");
    refuse([&] { init::xavier_normal_(x, inf); }, "[xavier_normal_] gain must be finite");
    refuse([&] { init::kaiming_uniform_(x, inf); }, "[kaiming_uniform_] a must be finite");
    refuse([&] { init::kaiming_normal_(x, inf); }, "[kaiming_normal_] a must be finite");
    refuse([] { init::normal_({}); }, "[normal_] got an undefined tensor");
    refuse([] { init::zeros_({}); }, "undefined");
    refuse([] { init::eye_({}); }, "undefined");
    refuse([] { init::kaiming_normal_({}); }, "undefined");
    test::check_throws<ShapeError>([] { init::xavier_normal_(ones({3})); }, "got [3]");
    test::check_throws<DTypeError>([] { init::uniform_(ones({2}, kInt32)); }, "int32");
    test::check_close(x, {1, 1, 1, 1});
}

TEST_CASE("torch::nn::init: a program initialises the layers of its model") {
    torch::nn::Sequential net(
        torch::nn::Linear(200, 200), torch::nn::ReLU(), torch::nn::Linear(200, 200));
    torch::manual_seed(5);
    for (const auto& module : net->modules(/*include_self=*/false)) {
        if (auto* linear = module->as<torch::nn::Linear>()) {
            torch::nn::init::kaiming_normal_(linear->weight, /*a=*/0, torch::kFanOut, torch::kReLU);
            torch::nn::init::constant_(linear->bias, 0.125);
        }
    }
    for (const auto& item : net->named_parameters()) {
        if (item.value().dim() == 2) {
            check_distribution(item.value(), 0.1, false);
        } else {
            CHECK(item.value().eq(0.125).all().item<bool>());
        }
    }
}

}  // namespace pumice::nn
