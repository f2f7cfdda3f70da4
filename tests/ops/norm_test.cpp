// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace pumice;
using namespace pumice::test;

namespace {

struct Parameters {
    std::vector<double> weight;
    std::vector<double> bias;
};

// float64 layer_norm (or rms_norm) over rows of `length`.
std::vector<double> reference(const Tensor& x,
                              std::int64_t length,
                              const Parameters& parameters,
                              double eps,
                              bool is_centered) {
    std::vector<double> values = x.to_vector<double>();
    const auto n = static_cast<std::size_t>(length);
    for (std::size_t first = 0; first < values.size(); first += n) {
        double mean = 0.0;
        for (std::size_t k = 0; is_centered && k < n; ++k) {
            mean += values[first + k] / static_cast<double>(n);
        }
        double squares = 0.0;
        for (std::size_t k = 0; k < n; ++k) {
            squares += (values[first + k] - mean) * (values[first + k] - mean);
        }
        const double rate = 1.0 / std::sqrt(squares / static_cast<double>(n) + eps);
        for (std::size_t k = 0; k < n; ++k) {
            double& value = values[first + k];
            value = (value - mean) * rate;
            value *= parameters.weight.empty() ? 1.0 : parameters.weight[k];
            value += parameters.bias.empty() ? 0.0 : parameters.bias[k];
        }
    }
    return values;
}

}  // namespace

TEST_CASE("layer_norm, rms_norm: float64 reference over shapes and parameters") {
    for (const Dims& sizes : {Dims{1},
                              Dims{3, 1},
                              Dims{5, 7},
                              Dims{4, 64},
                              Dims{2, 3, 65},
                              Dims{70001, 3},
                              Dims{2, 5003},
                              Dims{0, 4}}) {
        CAPTURE(to_string(sizes));
        const std::int64_t length = sizes.back();
        const Tensor x = random_tensor(sizes, 1.0, 3.0);
        const Tensor weight = random_tensor({length}, 0.5, 1.5, 2);
        const Tensor bias = random_tensor({length}, -1.0, 1.0, 3);
        const std::vector<double> w = weight.to_vector<double>();
        const std::vector<double> b = bias.to_vector<double>();
        check_close(layer_norm(x, {length}), reference(x, length, {}, 1e-5, true));
        check_close(layer_norm(x, {length}, weight, bias),
                    reference(x, length, {w, b}, 1e-5, true));
        check_close(layer_norm(x, {length}, {}, bias), reference(x, length, {{}, b}, 1e-5, true));
        check_close(layer_norm(x, {length}, weight, {}, 0.5),
                    reference(x, length, {w, {}}, 0.5, true));
        check_close(rms_norm(x, {length}), reference(x, length, {}, 1e-6, false));
        check_close(rms_norm(x, {length}, weight, 0.5), reference(x, length, {w, {}}, 0.5, false));
    }
}

TEST_CASE("layer_norm: several normalized dims, narrow floats, views") {
    const Tensor x = random_tensor({3, 4, 5});
    check_close(layer_norm(x, {4, 5}), reference(x, 20, {}, 1e-5, true));
    for (const DType dtype : {kFloat16, kBFloat16}) {
        for (const std::int64_t length : {8, 9}) {
            const Tensor narrow = random_tensor({5, length}, -1.0, 1.0, 4, dtype);
            const Tensor weight = random_tensor({length}, 0.5, 1.5, 2, dtype);
            const Tensor full_weight = weight.to(kFloat32);
            const std::vector<double> w = weight.to_vector<double>();
            CHECK(layer_norm(narrow, {length}, weight).dtype() == dtype);
            check_close(layer_norm(narrow, {length}, weight),
                        reference(narrow, length, {w, {}}, 1e-5, true));
            check_close(rms_norm(narrow, {length}, full_weight),
                        reference(narrow, length, {w, {}}, 1e-6, false));
        }
    }
    const Tensor turned = permute(x, {1, 2, 0});
    check_close(layer_norm(turned, {3}), reference(turned, 3, {}, 1e-5, true));
    check_close(rms_norm(turned, {5, 3}), reference(turned, 15, {}, 1e-6, false));
}

TEST_CASE("layer_norm, rms_norm: all modes agree") {
    const std::vector<Tensor> inputs{
        random_tensor({6, 33}), random_tensor({33}, 0.5, 1.5), random_tensor({33})};
    check_modes([](const auto& in) { return layer_norm(in[0], {33}, in[1], in[2]); }, inputs);
    check_modes([](const auto& in) { return rms_norm(in[0], {33}, in[1]); }, inputs);
}

TEST_CASE("layer_norm, rms_norm: errors") {
    const Tensor x = zeros({2, 3});
    check_throws<ShapeError>([&] { layer_norm(x, {4}); },
                             "[layer_norm] x must end in normalized_shape [4]; got x [2, 3]");
    check_throws<ShapeError>([&] { rms_norm(x, {5, 2, 3}); }, "[rms_norm] x must end in");
    check_throws<ShapeError>([&] { layer_norm(x, {}); }, "[layer_norm] x must end in");
    check_throws<ShapeError>([&] { layer_norm(x, {3}, zeros({2})); },
                             "[layer_norm] weight must have normalized_shape [3]; got [2] float32");
    check_throws<DTypeError>([&] { layer_norm(x, {3}, {}, zeros({3}, kInt32)); },
                             "[layer_norm] bias must have x's dtype float32 or float32");
    check_throws<DTypeError>([&] { rms_norm(zeros({3}, kInt32), {3}); },
                             "[rms_norm] x must have a floating dtype");
}

TEST_CASE("layer_norm, rms_norm: gradients") {
    for (const std::int64_t rows : {3, 40}) {
        const std::vector<Tensor> inputs{random_tensor({rows, 6}),
                                         random_tensor({6}, 0.5, 1.5, 2),
                                         random_tensor({6}, -1.0, 1.0, 3)};
        check_gradients([](const auto& in) { return layer_norm(in[0], {6}, in[1], in[2]); },
                        inputs);
        check_gradients([](const auto& in) { return layer_norm(in[0], {6}); }, {inputs[0]});
        check_gradients([](const auto& in) { return layer_norm(in[0], {6}, {}, in[1]); },
                        {inputs[0], inputs[2]});
        check_gradients([](const auto& in) { return rms_norm(in[0], {6}, in[1]); },
                        {inputs[0], inputs[1]});
        check_gradients(
            [](const auto& in) {
                return rms_norm(in[0], {2, 3});
            },
            {view(inputs[0], {rows, 2, 3})});
    }
}

TEST_CASE("layer_norm: only the wanted gradients are made") {
    const Tensor x = random_tensor({4, 5});
    Tensor weight = ones({5}).set_requires_grad(true);
    Tensor bias = zeros({5}).set_requires_grad(true);
    sum(layer_norm(x, {5}, weight, bias)).backward();
    CHECK_FALSE(x.grad().defined());
    check_close(bias.grad(), {4.0, 4.0, 4.0, 4.0, 4.0});
    Tensor bias_alone = zeros({5}).set_requires_grad(true);
    sum(layer_norm(x, {5}, {}, bias_alone)).backward();
    check_close(bias_alone.grad(), {4.0, 4.0, 4.0, 4.0, 4.0});
    Tensor no_rows = zeros({0, 5});
    weight.set_grad({});
    sum(layer_norm(no_rows, {5}, weight)).backward();
    check_close(weight.grad(), {0.0, 0.0, 0.0, 0.0, 0.0});
}
