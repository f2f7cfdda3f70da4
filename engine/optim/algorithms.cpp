// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"
#include "pumice/graph.h"
#include "pumice/ops.h"
#include "pumice/optim.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace pumice::optim {

namespace {

std::vector<OptimizerParamGroup> one_group(std::vector<Tensor> parameters) {
    return {OptimizerParamGroup(std::move(parameters))};
}

// The optimizer takes no group whose options are of another type.
template <class Values>
const Values& values_of(const OptimizerOptions& options) {
    return static_cast<const GroupOptions<Values>&>(options).values();
}

void check_lr(const char* optimizer, double lr) {
    if (!(std::isfinite(lr) && lr >= 0.0)) {
        throw ArgumentError(optimizer, fmt::format("lr must be finite and >= 0; got {}", lr));
    }
}

void check_not_negative(const char* optimizer, const char* option, double value) {
    if (!(value >= 0.0)) {
        throw ArgumentError(optimizer, fmt::format("{} must be >= 0; got {}", option, value));
    }
}

void check_beta(const char* option, double value) {
    if (!(value >= 0.0 && value < 1.0)) {
        throw ArgumentError("Adam", fmt::format("{} must be in [0, 1); got {}", option, value));
    }
}

}  // namespace

void SGDOptions::check() const {
    check_lr("SGD", lr);
    check_not_negative("SGD", "momentum", momentum);
    check_not_negative("SGD", "weight_decay", weight_decay);
    if (nesterov && (momentum <= 0.0 || dampening != 0.0)) {
        throw ArgumentError(
            "SGD",
            fmt::format(
                "nesterov wants momentum > 0 and dampening 0; got {}, {}", momentum, dampening));
    }
}

SGD::SGD(std::vector<Tensor> parameters, const SGDOptions& options)
    : SGD(one_group(std::move(parameters)), options) {}

SGD::SGD(const std::vector<OptimizerParamGroup>& groups, const SGDOptions& defaults)
    : SGD(groups, GroupOptions(defaults)) {}

SGD::SGD(const std::vector<OptimizerParamGroup>& groups, const GroupOptions<SGDOptions>& defaults)
    : Optimizer(groups, defaults) {}

std::vector<std::string> SGD::state_names() const {
    return {"momentum_buffer"};
}

bool SGD::keeps_state(const OptimizerOptions& options) const {
    return values_of<SGDOptions>(options).momentum > 0.0;
}

void SGD::update(Tensor& parameter, const Tensor& grad, const Update& now) {
    const auto& options = values_of<SGDOptions>(now.options);
    Tensor direction =
        options.weight_decay > 0.0 ? add(grad, parameter, options.weight_decay) : grad;
    if (options.momentum > 0.0) {
        Tensor& buffer = now.state[0];
        if (now.is_state_new && options.dampening != 0.0 && is_capturing()) {
            throw UnsupportedError("SGD",
                                   "the first step with momentum is not damped, so replays would "
                                   "not be either; run one step before the capture");
        }
        // The first gradient starts the buffer, undamped.
        const double taken = now.is_state_new ? 1.0 : 1.0 - options.dampening;
        mul_(buffer, options.momentum);
        add_(buffer, direction, taken);
        direction = options.nesterov ? add(direction, buffer, options.momentum) : buffer;
    }
    add_(parameter, direction, -options.lr);
}

void AdamOptions::check() const {
    check_lr("Adam", lr);
    check_beta("beta1", beta1);
    check_beta("beta2", beta2);
    check_not_negative("Adam", "eps", eps);
    check_not_negative("Adam", "weight_decay", weight_decay);
}

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Adam(one_group(std::move(parameters)), options) {}

Adam::Adam(const std::vector<OptimizerParamGroup>& groups, const AdamOptions& defaults)
    : Adam(groups, GroupOptions(defaults)) {}

Adam::Adam(const std::vector<OptimizerParamGroup>& groups,
           const GroupOptions<AdamOptions>& defaults)
    : Optimizer(groups, defaults) {}

std::vector<std::string> Adam::state_names() const {
    return {"exp_avg", "exp_avg_sq"};
}

bool Adam::keeps_state(const OptimizerOptions& /*options*/) const {
    return true;
}

void Adam::apply_moments(Tensor& parameter, const Tensor& grad, const Update& now, double decay) {
    const auto& options = values_of<AdamOptions>(now.options);
    if (is_capturing()) {
        throw UnsupportedError("Adam",
                               "the bias corrections change from step to step and are numbers of "
                               "the host, which a captured step would keep; capture forward and "
                               "backward alone");
    }
    const auto t = static_cast<double>(now.step);
    const double correction1 = 1.0 - std::pow(options.beta1, t);
    const double correction2 = 1.0 - std::pow(options.beta2, t);
    Tensor& mean = now.state[0];
    Tensor& mean_square = now.state[1];
    mul_(mean, options.beta1);
    add_(mean, grad, 1.0 - options.beta1);
    mul_(mean_square, options.beta2);
    add_(mean_square, square(grad), 1.0 - options.beta2);
    Tensor denominator = sqrt(mean_square);
    mul_(denominator, 1.0 / std::sqrt(correction2));
    add_(denominator, options.eps);
    Tensor direction = div(mean, std::move(denominator));
    if (decay > 0.0) {
        add_(direction, parameter, decay * correction1);
    }
    add_(parameter, std::move(direction), -options.lr / correction1);
}

void Adam::update(Tensor& parameter, const Tensor& grad, const Update& now) {
    const double decay = values_of<AdamOptions>(now.options).weight_decay;
    apply_moments(parameter, decay > 0.0 ? add(grad, parameter, decay) : grad, now);
}

void AdamW::update(Tensor& parameter, const Tensor& grad, const Update& now) {
    apply_moments(parameter, grad, now, values_of<AdamOptions>(now.options).weight_decay);
}

}  // namespace pumice::optim
