// SPDX-License-Identifier: Apache-2.0
// Gradients by central differences, to compare formulas with.
#include "pumice/gradcheck.h"

#include "pumice/autograd.h"
#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include "tensor/tensor_impl.h"

#include <fmt/format.h>

#include <cmath>

namespace pumice::autograd {

namespace {

using List = std::vector<Tensor>;
using TensorFunction = std::function<List(const List&)>;

// Fixed weights, so that one number stands for all elements of an output: the fractional parts of
// the multiples of the golden ratio, away from 0.
std::vector<float> weights_of(std::int64_t count) {
    std::vector<float> weights;
    for (std::int64_t i = 0; i < count; ++i) {
        const double part = std::fmod(0.618033988749895 * static_cast<double>(i + 1), 1.0);
        weights.push_back(static_cast<float>((i % 2 == 0 ? 0.5 : -0.5) + 0.5 * part));
    }
    return weights;
}

void check_float32(const char* what, const Tensor& tensor) {
    if (tensor.dtype() != kFloat32) {
        throw DTypeError("gradcheck",
                         fmt::format("{} must be float32; got {}", what, describe(tensor)));
    }
}

// The weighted sum of one output, in float64.
double weighted(const Tensor& output) {
    const std::vector<double> values = output.to_vector<double>();
    const std::vector<float> weights = weights_of(output.numel());
    double sum = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        sum += values[i] * static_cast<double>(weights[i]);
    }
    return sum;
}

Tensor with_element(const std::vector<float>& values,
                    const Tensor& like,
                    std::size_t at,
                    double value) {
    std::vector<float> changed = values;
    changed[at] = static_cast<float>(value);
    return from_values(std::span<const float>(changed), like.sizes(), kFloat32);
}

// Derivatives of one output's weighted sum by each element of one input.
std::vector<double> numerical(const TensorFunction& fn,
                              const List& inputs,
                              std::size_t input,
                              std::size_t output,
                              double eps) {
    const std::vector<float> values = inputs[input].to_vector<float>();
    std::vector<double> slopes;
    List moved = inputs;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float up = static_cast<float>(static_cast<double>(values[i]) + eps);
        const float down = static_cast<float>(static_cast<double>(values[i]) - eps);
        const auto at = [&](float value) {
            moved[input] = with_element(values, inputs[input], i, value);
            return weighted(no_grad([&] { return fn(moved); }).at(output));
        };
        slopes.push_back((at(up) - at(down)) /
                         (static_cast<double>(up) - static_cast<double>(down)));
    }
    return slopes;
}

List as_leaves(const List& inputs) {
    List leaves;
    for (const Tensor& input : inputs) {
        Tensor& leaf = leaves.emplace_back(input);
        if (leaf.defined()) {
            leaf = leaf.detach().clone();
            leaf.set_requires_grad(input.requires_grad());
        }
    }
    return leaves;
}

bool check_one(const TensorFunction& fn,
               const List& leaves,
               std::size_t input,
               std::size_t output,
               const GradcheckOptions& options) {
    const List outputs = fn(leaves);
    check_float32("an output", outputs[output]);
    const std::vector<float> weights = weights_of(outputs[output].numel());
    const Tensor weight =
        from_values(std::span<const float>(weights), outputs[output].sizes(), kFloat32);
    const Tensor gradient =
        grad({outputs[output]}, {leaves[input]}, {weight}, false, false, true)[0];
    const std::vector<double> analytic =
        gradient.defined() ? gradient.to_vector<double>()
                           : std::vector<double>(static_cast<std::size_t>(leaves[input].numel()));
    const std::vector<double> slopes = numerical(fn, leaves, input, output, options.eps);
    for (std::size_t i = 0; i < slopes.size(); ++i) {
        const double allowed = options.atol + options.rtol * std::abs(slopes[i]);
        if (std::abs(analytic[i] - slopes[i]) <= allowed) {
            continue;
        }
        if (options.raise_exception) {
            throw GradModeError(
                "gradcheck",
                fmt::format("the derivative of output {} by element {} of input {} is {} by "
                            "backward and {} by differences",
                            output,
                            i,
                            input,
                            analytic[i],
                            slopes[i]));
        }
        return false;
    }
    return true;
}

}  // namespace

bool gradcheck(const TensorFunction& fn, const List& inputs, const GradcheckOptions& options) {
    const AutoGradMode mode(true);
    const List leaves = as_leaves(inputs);
    const List outputs = fn(leaves);
    bool is_any = false;
    for (std::size_t input = 0; input < leaves.size(); ++input) {
        if (!leaves[input].defined() || !leaves[input].requires_grad()) {
            continue;
        }
        is_any = true;
        check_float32("an input that requires grad", leaves[input]);
        for (std::size_t output = 0; output < outputs.size(); ++output) {
            if (outputs[output].requires_grad() && !check_one(fn, leaves, input, output, options)) {
                return false;
            }
        }
    }
    if (!is_any) {
        throw ArgumentError("gradcheck", "wants an input that requires grad; got none");
    }
    return true;
}

bool gradgradcheck(const TensorFunction& fn, const List& inputs, const GradcheckOptions& options) {
    const AutoGradMode mode(true);
    List all = inputs;
    for (const Tensor& output : fn(as_leaves(inputs))) {
        if (output.requires_grad()) {
            const std::vector<float> weights = weights_of(output.numel());
            all.push_back(
                from_values(std::span<const float>(weights), output.sizes(), {kFloat32, true}));
        }
    }
    std::vector<bool> is_wanted;
    for (const Tensor& input : inputs) {
        is_wanted.push_back(input.defined() && input.requires_grad());
    }
    const auto input_count = static_cast<std::ptrdiff_t>(inputs.size());
    const auto gradients = [&fn, &is_wanted, input_count](const List& given) {
        // Under no_grad this is a difference's point: its derivatives still are recorded inside.
        const AutoGradMode recorded(true);
        List leaves(given.begin(), given.begin() + input_count);
        List wanted;
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            if (is_wanted[i]) {
                wanted.push_back(leaves[i].set_requires_grad(true));
            }
        }
        List roots;
        for (Tensor& output : fn(leaves)) {
            if (output.requires_grad()) {
                roots.push_back(output);
            }
        }
        const List weights(given.begin() + input_count, given.end());
        List found;
        for (Tensor& gradient : grad(roots, wanted, weights, true, true, true)) {
            if (gradient.defined()) {
                found.push_back(gradient);
            }
        }
        return found;
    };
    return gradcheck(gradients, all, options);
}

}  // namespace pumice::autograd
