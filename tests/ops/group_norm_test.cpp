// SPDX-License-Identifier: Apache-2.0
#include "pumice/gradcheck.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace pumice;
using namespace pumice::test;

namespace {

using In = const std::vector<Tensor>&;

constexpr double kTolerance = 1e-5;

// float64: rows of `length` elements normalised, then weight and bias by channel, where given.
std::vector<double> reference(
    const Tensor& x, std::size_t length, const Tensor& weight, const Tensor& bias, double eps) {
    std::vector<double> values = x.to_vector<double>();
    for (std::size_t first = 0; first < values.size(); first += length) {
        double mean = 0.0;
        double squares = 0.0;
        for (std::size_t k = first; k < first + length; ++k) {
            mean += values[k] / static_cast<double>(length);
        }
        for (std::size_t k = first; k < first + length; ++k) {
            squares += (values[k] - mean) * (values[k] - mean);
        }
        const double rate = 1.0 / std::sqrt(squares / static_cast<double>(length) + eps);
        for (std::size_t k = first; k < first + length; ++k) {
            values[k] = (values[k] - mean) * rate;
        }
    }
    const auto channels = static_cast<std::size_t>(x.size(1));
    const std::size_t inner =
        values.size() / std::max<std::size_t>(1, static_cast<std::size_t>(x.size(0)) * channels);
    const std::vector<double> w =
        weight.defined() ? weight.to_vector<double>() : std::vector<double>(channels, 1.0);
    const std::vector<double> b =
        bias.defined() ? bias.to_vector<double>() : std::vector<double>(channels, 0.0);
    for (std::size_t k = 0; k < values.size(); ++k) {
        values[k] = values[k] * w[k / inner % channels] + b[k / inner % channels];
    }
    return values;
}

}  // namespace

TEST_CASE("group_norm: float64 reference over shapes and groups") {
    struct Shape {
        Dims sizes;
        std::int64_t groups;
    };

    for (const Shape& shape : {Shape{.sizes = {2, 6}, .groups = 3},
                               Shape{.sizes = {3, 4, 5}, .groups = 2},
                               Shape{.sizes = {2, 6, 3, 2}, .groups = 1},
                               Shape{.sizes = {2, 6, 3, 2}, .groups = 6},
                               Shape{.sizes = {1, 8, 2, 1, 13}, .groups = 4},
                               Shape{.sizes = {20001, 4, 2}, .groups = 2},
                               Shape{.sizes = {0, 4, 2}, .groups = 2}}) {
        CAPTURE(to_string(shape.sizes));
        const Tensor x = random_tensor(shape.sizes, 1.0, 3.0);
        const std::int64_t channels = shape.sizes[1];
        const Tensor weight = random_tensor({channels}, 0.5, 1.5, 2);
        const Tensor bias = random_tensor({channels}, -1.0, 1.0, 3);
        std::int64_t length = channels / shape.groups;
        for (std::int64_t d = 2; d < shape.sizes.count(); ++d) {
            length *= shape.sizes[d];
        }
        const auto row = static_cast<std::size_t>(length);
        check_close(group_norm(x, shape.groups), reference(x, row, {}, {}, 1e-5), kTolerance);
        check_close(group_norm(x, shape.groups, weight, bias, 0.5),
                    reference(x, row, weight, bias, 0.5),
                    kTolerance);
        check_close(
            group_norm(x, shape.groups, {}, bias), reference(x, row, {}, bias, 1e-5), kTolerance);
    }
    CHECK(group_norm(ones({2, 4, 0}), 2, ones({4})).sizes() == Dims{2, 4, 0});
}

TEST_CASE("instance_norm: float64 reference, and running statistics over the batch") {
    const Tensor x = random_tensor({4, 3, 5, 2}, 1.0, 3.0);
    const Tensor weight = random_tensor({3}, 0.5, 1.5, 2);
    const Tensor bias = random_tensor({3}, -1.0, 1.0, 3);
    const Tensor mean = tensor<float>({1, 2, 3});
    const Tensor var = tensor<float>({4, 5, 6});
    const std::vector<double> wanted = reference(x, 10, weight, bias, 1e-5);
    check_close(instance_norm(x, weight, bias, {}, {}, true), wanted, kTolerance);
    check_close(instance_norm(x, weight, bias, mean, var, true, 0.25), wanted, kTolerance);
    const std::vector<double> v = x.to_vector<double>();
    std::vector<double> wanted_mean = {0.75, 1.5, 2.25};
    std::vector<double> wanted_var = {3.0, 3.75, 4.5};
    for (std::size_t row = 0; row < 12; ++row) {
        double row_mean = 0.0;
        double squares = 0.0;
        for (std::size_t k = 0; k < 10; ++k) {
            row_mean += v[row * 10 + k] / 10.0;
        }
        for (std::size_t k = 0; k < 10; ++k) {
            squares += std::pow(v[row * 10 + k] - row_mean, 2);
        }
        wanted_mean[row % 3] += 0.25 * row_mean / 4.0;
        wanted_var[row % 3] += 0.25 * squares / 9.0 / 4.0;
    }
    check_close(mean, wanted_mean);
    check_close(var, wanted_var);
    const auto version = mean._version();
    check_same_bits(instance_norm(x, weight, bias, mean, var, false, 0.25, 0.5),
                    batch_norm(x, weight, bias, mean, var, false, 0.25, 0.5));
    CHECK(mean._version() == version);
}

TEST_CASE("group_norm, instance_norm: narrow floats and views") {
    for (const DType dtype : {kFloat16, kBFloat16}) {
        const Tensor x = random_tensor({2, 4, 5}, 0.0, 1.0, 1, dtype);
        const Tensor weight = random_tensor({4}, 0.5, 1.0, 2, dtype);
        const Tensor y = group_norm(x, 2, weight);
        CHECK(y.dtype() == dtype);
        check_close(y, reference(x, 10, weight, {}, 1e-5), tolerance_of(dtype));
    }
    const Tensor turned = random_tensor({5, 4, 3}).transpose(0, 2);
    check_close(group_norm(turned, 2), reference(turned, 10, {}, {}, 1e-5), kTolerance);
    check_close(instance_norm(turned, {}, {}, {}, {}, true),
                reference(turned, 5, {}, {}, 1e-5),
                kTolerance);
}

TEST_CASE("group_norm, instance_norm: the modes agree, gradients and their gradients") {
    const std::vector<Tensor> inputs = {
        random_tensor({2, 4, 3}), random_tensor({4}, 0.5, 1.5, 2), random_tensor({4}, -1, 1, 3)};
    const auto group = [](In in) { return group_norm(in[0], 2, in[1], in[2], 0.1); };
    const auto instance = [](In in) {
        return instance_norm(in[0], in[1], in[2], {}, {}, true, 0.1, 0.1);
    };
    check_modes(group, inputs);
    check_modes(instance, inputs);
    check_gradients(group, inputs);
    check_gradients(instance, inputs);
    std::vector<Tensor> leaves;
    for (const Tensor& input : inputs) {
        leaves.push_back(input.clone().set_requires_grad(true));
    }
    CHECK(autograd::gradgradcheck([&](In in) { return std::vector<Tensor>{group(in)}; }, leaves));
}

TEST_CASE("group_norm, instance_norm: refusals") {
    const Tensor x = ones({2, 4, 3});
    check_throws<ArgumentError>(
        [&] { group_norm(x, 3); },
        "num_groups must divide the channels; got 3 for x [2, 4, 3] float32");
    check_throws<ArgumentError>([&] { group_norm(x, 0); }, "num_groups");
    check_throws<ShapeError>([&] { group_norm(x, 2, ones({2})); }, "weight must be [C], here [4]");
    check_throws<ShapeError>([&] { group_norm(ones({4}), 2); }, "[N, C, ...]");
    check_throws<ShapeError>(
        [&] {
            instance_norm(ones({2, 4, 1}), {}, {}, {}, {}, true);
        },
        "more than 1 value per channel of an instance");
    check_throws<ArgumentError>([&] { instance_norm(x, {}, {}, {}, {}, false); },
                                "without use_input_stats");
    check_throws<ArgumentError>([&] { instance_norm(x, {}, {}, ones({4}), {}, true); }, "both");
    const Tensor i = inference_mode([] { return ones({4}); });
    const Tensor n = zeros({4});
    check_throws<GradModeError>(
        [&] { instance_norm(x, {}, {}, n, i, true); },
        "Inplace update to inference tensor outside InferenceMode is not allowed.");
    CHECK(n._version() == 0);
}
