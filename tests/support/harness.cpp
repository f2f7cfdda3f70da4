// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include "pumice/graph.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <span>

namespace pumice::test {

namespace {

bool is_close(double got, double wanted, double tolerance) {
    if (std::isnan(wanted) || std::isnan(got)) {
        return std::isnan(wanted) && std::isnan(got);
    }
    if (std::isinf(wanted) || std::isinf(got)) {
        return wanted == got;
    }
    return std::abs(got - wanted) <= tolerance * std::max(1.0, std::abs(wanted));
}

// sum(values * weights) in float64, weights fixed and uneven so that no gradient cancels.
double weigh(const std::vector<double>& values) {
    double total = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        total += values[i] * (0.5 + 0.25 * static_cast<double>(i % 7));
    }
    return total;
}

Tensor weights_like(const Tensor& output) {
    std::vector<float> weights(static_cast<std::size_t>(output.numel()));
    for (std::size_t i = 0; i < weights.size(); ++i) {
        weights[i] = static_cast<float>(0.5 + 0.25 * static_cast<double>(i % 7));
    }
    return from_values<float>(weights, output.sizes(), output.dtype());
}

Tensor copy_with_grad(const Tensor& input) {
    Tensor copy = input.detach().clone();
    if (copy.is_floating_point()) {
        copy.set_requires_grad(true);
    }
    return copy;
}

std::vector<Tensor> leaves_of(const std::vector<Tensor>& inputs) {
    std::vector<Tensor> leaves;
    for (const Tensor& input : inputs) {
        leaves.push_back(input.defined() ? copy_with_grad(input) : Tensor());
    }
    return leaves;
}

void check_input_gradient(const Function& function,
                          const std::vector<Tensor>& inputs,
                          std::size_t index,
                          const std::vector<double>& gradient,
                          double step,
                          double tolerance) {
    const std::vector<float> values = inputs[index].to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto loss_at = [&](double value) {
            std::vector<float> moved = values;
            moved[i] = static_cast<float>(value);
            std::vector<Tensor> arguments = inputs;
            arguments[index] =
                from_values<float>(moved, inputs[index].sizes(), inputs[index].dtype());
            return weigh(function(arguments).to_vector<double>());
        };
        const double low = values[i] - step;
        const double high = values[i] + step;
        const double slope =
            (loss_at(high) - loss_at(low)) / (static_cast<double>(static_cast<float>(high)) -
                                              static_cast<double>(static_cast<float>(low)));
        INFO("input " << index << ", element " << i << ": gradient " << gradient[i]
                      << ", central difference " << slope);
        CHECK(is_close(gradient[i], slope, tolerance));
    }
}

}  // namespace

std::vector<float> random_values(std::int64_t count, double low, double high, std::uint64_t seed) {
    std::mt19937_64 engine(seed);
    std::uniform_real_distribution<double> uniform(low, high);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) {
        value = static_cast<float>(uniform(engine));
    }
    return values;
}

Tensor random_tensor(const Dims& sizes, double low, double high, std::uint64_t seed, DType dtype) {
    return from_values<float>(random_values(numel(sizes), low, high, seed), sizes, dtype);
}

double tolerance_of(DType dtype) {
    switch (dtype) {
        case kFloat32: return 2e-6;
        case kFloat16: return 1e-3;
        case kBFloat16: return 8e-3;
        default: return 0.0;
    }
}

void check_close(const Tensor& got, const std::vector<double>& wanted, double tolerance) {
    const std::vector<double> values = got.to_vector<double>();
    REQUIRE(values.size() == wanted.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!is_close(values[i], wanted[i], tolerance)) {
            INFO("element " << i << ": got " << values[i] << ", wanted " << wanted[i]);
            CHECK(false);
            return;
        }
    }
    CHECK(true);
}

void check_close(const Tensor& got, const std::vector<double>& wanted) {
    check_close(got, wanted, tolerance_of(got.dtype()));
}

double ulp_error(float got, double wanted) {
    const double error = std::abs(static_cast<double>(got) - wanted);
    if (error <= std::numeric_limits<float>::min()) {
        return 0.0;
    }
    const auto magnitude =
        std::max(static_cast<float>(std::abs(wanted)), std::numeric_limits<float>::min());
    const float next = std::nextafter(magnitude, std::numeric_limits<float>::infinity());
    return error / (static_cast<double>(next) - static_cast<double>(magnitude));
}

void check_same_bits(const Tensor& got, const Tensor& wanted) {
    REQUIRE(got.sizes() == wanted.sizes());
    REQUIRE(got.dtype() == wanted.dtype());
    CHECK(got.to_host().bytes == wanted.to_host().bytes);
}

namespace {

// A plan sees the inputs as they lie, and is replayed on them and on contiguous copies.
void check_replays(const Function& function,
                   const std::vector<Tensor>& inputs,
                   const Tensor& wanted) {
    std::vector<Tensor> given;
    std::vector<Tensor> copies;
    for (const Tensor& input : inputs) {
        if (input.defined()) {
            given.push_back(input);
            copies.push_back(input.clone());
        }
    }
    const auto captured = [&](std::span<const Tensor> arguments) {
        std::vector<Tensor> all;
        auto next = arguments.begin();
        for (const Tensor& input : inputs) {
            all.push_back(input.defined() ? *next++ : Tensor());
        }
        return function(all);
    };
    const Plan plan = capture(captured, given);
    check_same_bits(plan.replay(given)[0], wanted);
    check_same_bits(plan.replay(copies)[0], wanted);
}

}  // namespace

Tensor check_modes(const Function& function, const std::vector<Tensor>& inputs) {
    const Tensor eager = function(inputs);
    check_same_bits(function(leaves_of(inputs)), eager);
    check_same_bits(no_grad([&] { return function(inputs); }), eager);
    inference_mode([&] {
        for (int pass = 0; pass < 2; ++pass) {
            std::vector<Tensor> copies;
            for (const Tensor& input : inputs) {
                copies.push_back(input.defined() ? input.clone() : Tensor());
            }
            check_same_bits(function(copies), eager);
        }
    });
    check_replays(function, inputs, eager);
    return eager;
}

void check_gradients(const Function& function,
                     const std::vector<Tensor>& inputs,
                     double step,
                     double tolerance) {
    const std::vector<Tensor> leaves = leaves_of(inputs);
    const Tensor output = function(leaves);
    output.backward(weights_like(output));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined() || !inputs[i].is_floating_point()) {
            continue;
        }
        const Tensor gradient = leaves[i].grad();
        INFO("input " << i);
        REQUIRE(gradient.defined());
        REQUIRE(gradient.sizes() == inputs[i].sizes());
        check_input_gradient(function, inputs, i, gradient.to_vector<double>(), step, tolerance);
    }
}

void fail(const std::string& message) {
    FAIL_CHECK(message);
}

}  // namespace pumice::test
