// SPDX-License-Identifier: Apache-2.0
// SGD, Adam and AdamW: which options they take, their state and one step of each.
#include "pumice/error.h"
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
                "nesterov wants momentum > 0 and dampening 0; got momentum {} and dampening {}",
                momentum,
                dampening));
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
        mul_(buffer, options.momentum);
        if (options.dampening == 0.0) {
            add_(buffer, direction);
        } else {
            now.add_scaled(buffer, direction, [](const Moment& at) {
                // The first gradient starts the buffer, undamped.
                return at.is_state_new ? 1.0 : 1.0 - values_of<SGDOptions>(at.options).dampening;
            });
        }
        direction = options.nesterov ? add(direction, buffer, options.momentum) : buffer;
    }
    now.add_scaled(parameter, direction, [](const Moment& at) { return -at.options.get_lr(); });
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

namespace {

// What the zeros at their start leave of the mean, and of the root of the mean square.
struct Corrections {
    double mean = 1.0;
    double root = 1.0;
};

Corrections corrections_of(const AdamOptions& options, std::int64_t step) {
    const auto t = static_cast<double>(step);
    return {.mean = 1.0 - std::pow(options.beta1, t),
            .root = std::sqrt(1.0 - std::pow(options.beta2, t))};
}

}  // namespace

// With m and v biased by c1 and c2, m / c1 / (sqrt(v / c2) + eps) is
// sqrt(c2) / c1 * m / (sqrt(v) + eps * sqrt(c2)).
void Adam::apply_moments(Tensor& parameter, const Tensor& grad, const Update& now, bool decays) {
    const auto& options = values_of<AdamOptions>(now.options);
    Tensor& mean = now.state[0];
    Tensor& mean_square = now.state[1];
    mul_(mean, options.beta1);
    add_(mean, grad, 1.0 - options.beta1);
    mul_(mean_square, options.beta2);
    add_(mean_square, square(grad), 1.0 - options.beta2);
    Tensor denominator = sqrt(mean_square);
    now.add_number(denominator, [](const Moment& at) {
        const auto& values = values_of<AdamOptions>(at.options);
        return values.eps * corrections_of(values, at.step).root;
    });
    Tensor direction = div(mean, std::move(denominator));
    if (decays && options.weight_decay > 0.0) {
        now.add_scaled(direction, parameter, [](const Moment& at) {
            const auto& values = values_of<AdamOptions>(at.options);
            const Corrections by = corrections_of(values, at.step);
            return values.weight_decay * by.mean / by.root;
        });
    }
    now.add_scaled(parameter, direction, [](const Moment& at) {
        const auto& values = values_of<AdamOptions>(at.options);
        const Corrections by = corrections_of(values, at.step);
        return -values.lr * by.root / by.mean;
    });
}

void Adam::update(Tensor& parameter, const Tensor& grad, const Update& now) {
    const double decay = values_of<AdamOptions>(now.options).weight_decay;
    apply_moments(parameter, decay > 0.0 ? add(grad, parameter, decay) : grad, now);
}

void AdamW::update(Tensor& parameter, const Tensor& grad, const Update& now) {
    apply_moments(parameter, grad, now, true);
}

}  // namespace pumice::optim
