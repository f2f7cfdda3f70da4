// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"
#include "pumice/graph.h"
#include "pumice/ops.h"
#include "pumice/optim.h"

#include <fmt/format.h>

#include <cmath>

namespace pumice::optim {

namespace {

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

SGD::SGD(std::vector<Tensor> parameters, const SGDOptions& options)
    : Optimizer(std::move(parameters), options.lr), options_(options) {
    check_not_negative("SGD", "momentum", options.momentum);
    check_not_negative("SGD", "weight_decay", options.weight_decay);
    if (options.nesterov && (options.momentum <= 0.0 || options.dampening != 0.0)) {
        throw ArgumentError("SGD",
                            fmt::format("nesterov wants momentum > 0 and dampening 0; got {}, {}",
                                        options.momentum,
                                        options.dampening));
    }
}

std::vector<std::string> SGD::state_names() const {
    return options_.momentum > 0.0 ? std::vector<std::string>{"momentum_buffer"}
                                   : std::vector<std::string>{};
}

void SGD::update(Tensor& parameter,
                 const Tensor& grad,
                 std::vector<Tensor>& state,
                 std::int64_t step) {
    Tensor direction =
        options_.weight_decay > 0.0 ? add(grad, parameter, options_.weight_decay) : grad;
    if (options_.momentum > 0.0) {
        Tensor& buffer = state[0];
        if (step == 1 && options_.dampening != 0.0 && is_capturing()) {
            throw UnsupportedError("SGD",
                                   "the first step with momentum is not damped, so replays would "
                                   "not be either; run one step before the capture");
        }
        // The first gradient starts the buffer, undamped.
        const double taken = step == 1 ? 1.0 : 1.0 - options_.dampening;
        mul_(buffer, options_.momentum);
        add_(buffer, direction, taken);
        direction = options_.nesterov ? add(direction, buffer, options_.momentum) : buffer;
    }
    add_(parameter, direction, -lr());
}

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options)
    : Optimizer(std::move(parameters), options.lr), options_(options) {
    check_beta("beta1", options.beta1);
    check_beta("beta2", options.beta2);
    check_not_negative("Adam", "eps", options.eps);
    check_not_negative("Adam", "weight_decay", options.weight_decay);
}

std::vector<std::string> Adam::state_names() const {
    return {"exp_avg", "exp_avg_sq"};
}

void Adam::apply_moments(Tensor& parameter,
                         const Tensor& grad,
                         std::vector<Tensor>& state,
                         std::int64_t step,
                         double decay) {
    if (is_capturing()) {
        throw UnsupportedError("Adam",
                               "the bias corrections change from step to step and are numbers of "
                               "the host, which a captured step would keep; capture forward and "
                               "backward alone");
    }
    const auto t = static_cast<double>(step);
    const double correction1 = 1.0 - std::pow(options_.beta1, t);
    const double correction2 = 1.0 - std::pow(options_.beta2, t);
    Tensor& mean = state[0];
    Tensor& mean_square = state[1];
    mul_(mean, options_.beta1);
    add_(mean, grad, 1.0 - options_.beta1);
    mul_(mean_square, options_.beta2);
    add_(mean_square, square(grad), 1.0 - options_.beta2);
    Tensor denominator = sqrt(mean_square);
    mul_(denominator, 1.0 / std::sqrt(correction2));
    add_(denominator, options_.eps);
    Tensor direction = div(mean, std::move(denominator));
    if (decay > 0.0) {
        add_(direction, parameter, decay * correction1);
    }
    add_(parameter, std::move(direction), -lr() / correction1);
}

void Adam::update(Tensor& parameter,
                  const Tensor& grad,
                  std::vector<Tensor>& state,
                  std::int64_t step) {
    apply_moments(parameter,
                  options_.weight_decay > 0.0 ? add(grad, parameter, options_.weight_decay) : grad,
                  state,
                  step);
}

void AdamW::update(Tensor& parameter,
                   const Tensor& grad,
                   std::vector<Tensor>& state,
                   std::int64_t step) {
    apply_moments(parameter, grad, state, step, options().weight_decay);
}

}  // namespace pumice::optim
