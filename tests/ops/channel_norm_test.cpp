// SPDX-License-Identifier: Apache-2.0
#include "ops/norm/channel_norm.h"

#include "pumice/gradcheck.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace pumice;
using namespace pumice::test;

namespace {

using In = const std::vector<Tensor>&;

// As the docstring states it.
constexpr double kTolerance = 1e-5;

// float64 mean and variance (divided by n) of each channel.
struct Moments {
    std::vector<double> mean;
    std::vector<double> var;
    double n = 0.0;
};

std::size_t channel_of(std::size_t i, const Dims& sizes) {
    std::size_t inner = 1;
    for (std::int64_t d = 2; d < sizes.count(); ++d) {
        inner *= static_cast<std::size_t>(sizes[d]);
    }
    return i / inner % static_cast<std::size_t>(sizes[1]);
}

Moments moments_of(const Tensor& x) {
    const auto channels = static_cast<std::size_t>(x.size(1));
    Moments m{.mean = std::vector<double>(channels), .var = std::vector<double>(channels)};
    m.n = static_cast<double>(x.numel() / x.size(1));
    const std::vector<double> values = x.to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        m.mean[channel_of(i, x.sizes())] += values[i] / m.n;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t c = channel_of(i, x.sizes());
        m.var[c] += (values[i] - m.mean[c]) * (values[i] - m.mean[c]) / m.n;
    }
    return m;
}

struct Affine {
    std::vector<double> weight;
    std::vector<double> bias;
};

std::vector<double> reference(const Tensor& x, const Moments& m, const Affine& affine, double eps) {
    std::vector<double> values = x.to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t c = channel_of(i, x.sizes());
        values[i] = (values[i] - m.mean[c]) / std::sqrt(m.var[c] + eps);
        values[i] *= affine.weight.empty() ? 1.0 : affine.weight[c];
        values[i] += affine.bias.empty() ? 0.0 : affine.bias[c];
    }
    return values;
}

// What the last bit of x's largest value is worth in deviations: no float32 mean is closer.
double last_bit_of(const Tensor& x, const Moments& m, double eps) {
    double largest = 0.0;
    for (const double value : x.to_vector<double>()) {
        largest = std::max(largest, std::abs(value));
    }
    double least_var = m.var.empty() ? 1.0 : m.var[0];
    for (const double var : m.var) {
        least_var = std::min(least_var, var);
    }
    return 0x1p-23 * largest / std::sqrt(least_var + eps);
}

Tensor trained(Tensor x, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5) {
    return batch_norm(std::move(x), weight, bias, {}, {}, true, 0.1, eps);
}

}  // namespace

TEST_CASE("batch_norm: float64 reference over shapes and parameters") {
    for (const Dims& sizes : {Dims{2, 1},
                              Dims{7, 1},
                              Dims{5, 3},
                              Dims{4, 3, 5},
                              Dims{2, 5, 4, 2},
                              Dims{1, 2, 3, 3},
                              Dims{3, 2, 2, 1, 7},
                              Dims{70001, 2},
                              Dims{2, 3, 5003},
                              Dims{3, 65, 2},
                              Dims{3, 0, 2}}) {
        CAPTURE(to_string(sizes));
        const Tensor x = random_tensor(sizes, 1.0, 3.0);
        const Tensor weight = random_tensor({sizes[1]}, 0.5, 1.5, 2);
        const Tensor bias = random_tensor({sizes[1]}, -1.0, 1.0, 3);
        const std::vector<double> w = weight.to_vector<double>();
        const std::vector<double> b = bias.to_vector<double>();
        const Moments m = moments_of(sizes[1] == 0 ? ones({2, 1}) : x);
        const double tolerance = kTolerance + last_bit_of(x, m, 1e-5);
        check_close(trained(x), reference(x, m, {}, 1e-5), tolerance);
        check_close(trained(x, weight, bias), reference(x, m, {w, b}, 1e-5), tolerance);
        check_close(trained(x, weight), reference(x, m, {w, {}}, 1e-5), tolerance);
        check_close(trained(x, {}, bias, 0.5), reference(x, m, {{}, b}, 0.5), kTolerance);
    }
}

TEST_CASE("batch_norm: running statistics move when training and are taken otherwise") {
    const Tensor x = random_tensor({4, 3, 5}, 1.0, 3.0);
    const Moments m = moments_of(x);
    const Tensor mean = tensor<float>({1, 2, 3});
    const Tensor var = tensor<float>({4, 5, 6});
    const std::vector<double> wanted =
        reference(x, {.mean = {1, 2, 3}, .var = {4, 5, 6}, .n = 0}, {}, 0.25);
    check_close(batch_norm(x, {}, {}, mean, var, false, 0.5, 0.25), wanted, kTolerance);
    check_close(mean, {1, 2, 3});
    CHECK(mean._version() == 0);
    check_same_bits(batch_norm(x, {}, {}, mean, var, true, 0.3), trained(x));
    std::vector<double> wanted_mean;
    std::vector<double> wanted_var;
    for (std::size_t c = 0; c < 3; ++c) {
        const auto old = static_cast<double>(c);
        wanted_mean.push_back(0.7 * (old + 1) + 0.3 * m.mean[c]);
        wanted_var.push_back(0.7 * (old + 4) + 0.3 * m.var[c] * m.n / (m.n - 1));
    }
    check_close(mean, wanted_mean);
    check_close(var, wanted_var);
}

TEST_CASE("batch_norm: narrow floats, views and inputs far from 0") {
    for (const DType dtype : {kFloat16, kBFloat16}) {
        CAPTURE(to_string(dtype));
        const Tensor x = random_tensor({5, 3, 7}, 0.0, 1.0, 1, dtype);
        const Tensor weight = random_tensor({3}, 0.5, 1.0, 2, dtype);
        const Affine affine{.weight = weight.to_vector<double>(), .bias = {}};
        const std::vector<double> wanted = reference(x, moments_of(x), affine, 1e-5);
        const Tensor y = trained(x, weight);
        CHECK(y.dtype() == dtype);
        check_close(y, wanted, tolerance_of(dtype));
        check_close(trained(x, weight.to(kFloat32)), wanted, tolerance_of(dtype));
    }
    const Tensor turned = random_tensor({5, 3, 4}).transpose(0, 2);
    check_close(trained(turned), reference(turned, moments_of(turned), {}, 1e-5), kTolerance);
    const Tensor repeated = random_tensor({4, 3, 1}).expand({4, 3, 6});
    check_close(trained(repeated), reference(repeated, moments_of(repeated), {}, 1e-5), kTolerance);
    const Tensor weights = random_tensor({7}, 0.5, 1.5);
    const Tensor x = random_tensor({5, 3});
    check_same_bits(trained(x, weights.slice(0, 1, 7, 2)),
                    trained(x, weights.slice(0, 1, 7, 2).clone()));
    const Tensor far = random_tensor({64, 2}, 1000.0, 1001.0);
    check_close(trained(far), reference(far, moments_of(far), {}, 1e-5), 1e-3);
}

TEST_CASE("batch_norm: the modes agree, gradients and their gradients") {
    const std::vector<Tensor> inputs = {
        random_tensor({3, 2, 4}), random_tensor({2}, 0.5, 1.5, 2), random_tensor({2}, -1, 1, 3)};
    const auto training = [](In in) { return trained(in[0], in[1], in[2], 0.1); };
    const auto plain = [](In in) { return trained(in[0], {}, {}, 0.1); };
    const auto evaluating = [](In in) {
        const Tensor mean = tensor<float>({0.5, -1});
        return batch_norm(in[0], in[1], in[2], mean, tensor<float>({2, 3}), false);
    };
    check_modes(training, inputs);
    check_modes(evaluating, inputs);
    check_gradients(training, inputs);
    check_gradients(plain, {inputs[0]});
    check_gradients(evaluating, inputs);
    check_gradients(training, {inputs[0].narrow(2, 0, 1).squeeze(2), inputs[1], inputs[2]});
    const auto second = [&](In in) { return std::vector<Tensor>{training(in)}; };
    std::vector<Tensor> leaves;
    for (const Tensor& input : inputs) {
        leaves.push_back(input.clone().set_requires_grad(true));
    }
    CHECK(autograd::gradgradcheck(second, leaves));
}

TEST_CASE("batch_norm: gradients of weight or bias alone") {
    const Tensor x = random_tensor({3, 2, 4});
    const Tensor weight = random_tensor({2}, 0.5, 1.5, 2).set_requires_grad(true);
    const Tensor bias = zeros({2}, {kFloat32, true});
    square(trained(x, weight)).sum().backward();
    const std::vector<double> w = weight.to_vector<double>();
    // sum((w x_hat)^2) has the slope 2 w n var / (var + eps).
    const Moments m = moments_of(x);
    check_close(weight.grad(),
                {2 * w[0] * m.n * m.var[0] / (m.var[0] + 1e-5),
                 2 * w[1] * m.n * m.var[1] / (m.var[1] + 1e-5)},
                kTolerance);
    trained(x, {}, bias).sum().backward();
    check_close(bias.grad(), {12, 12});
}

TEST_CASE("batch_norm: what it saves is noticed when written") {
    Tensor x = random_tensor({3, 2, 4}).set_requires_grad(true) * 1;
    const Tensor y = trained(x);
    no_grad([&] { x.add_(1); });
    check_throws<GradModeError>([&] { y.sum().backward(); },
                                "one of the variables needed for gradient computation");
    const Tensor frozen = random_tensor({3, 2, 4});
    const Tensor i = inference_mode([] { return ones({2}); });
    const Tensor r = ones({3, 2, 4}, {kFloat32, true});
    check_throws<GradModeError>([&] { trained(r, i); },
                                "Inference tensors cannot be saved for backward.");
    CHECK(!trained(frozen, i).requires_grad());
}

TEST_CASE("batch_norm: refusals come before anything is written") {
    const Tensor x = ones({4, 3});
    const Tensor ok = zeros({3});
    check_throws<ShapeError>([&] { trained(ones({3})); },
                             "x must be [N, C, ...]; got x [3] float32");
    check_throws<ShapeError>([&] { trained(x, ones({4})); },
                             "weight must be [C], here [3]; got [4]");
    check_throws<ShapeError>([&] { trained(x, ok, ones({3, 1})); }, "bias must be [C], here [3]");
    check_throws<DTypeError>([&] { trained(x, zeros({3}, kInt32)); },
                             "weight must have x's dtype float32 or float32");
    check_throws<DTypeError>([&] { trained(zeros({4, 3}, kInt32)); }, "floating");
    check_throws<ShapeError>([&] { trained(ones({1, 3, 1})); }, "more than 1 value per channel");
    check_throws<ShapeError>([&] { trained(ones({0, 3})); }, "more than 1 value per channel");
    check_throws<ArgumentError>([&] { batch_norm(x, {}, {}, ok, {}, true); }, "both");
    check_throws<ArgumentError>([&] { batch_norm(x, {}, {}, {}, {}, false); },
                                "wanted running_mean and running_var without training");
    const Tensor i = inference_mode([] { return ones({3}); });
    check_throws<GradModeError>(
        [&] { batch_norm(x, {}, {}, ok, i, true); },
        "Inplace update to inference tensor outside InferenceMode is not allowed.");
    CHECK(ok._version() == 0);
    check_close(ok, {0, 0, 0});
}

TEST_CASE("channel_affine: optional factor and addend, gradients of both") {
    const Tensor x = random_tensor({2, 3, 5});
    const Tensor scale = random_tensor({3}, 0.5, 1.5, 2);
    const Tensor shift = random_tensor({3}, -1.0, 1.0, 3);
    check_same_bits(ops::channel_affine(x, {}, {}), x);
    check_same_bits(ops::channel_affine(x, scale, {}), mul(x, scale.view({3, 1})));
    check_same_bits(ops::channel_affine(x, scale, shift),
                    add(mul(x, scale.view({3, 1})), shift.view({3, 1})));
    check_gradients([](In in) { return ops::channel_affine(in[0], in[1], in[2]); },
                    {x, scale, shift});
    check_gradients([](In in) { return ops::channel_affine(in[0], {}, in[1]); }, {x, shift});
}
