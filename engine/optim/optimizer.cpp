// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"
#include "pumice/optim.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

namespace pumice::optim {

Optimizer::Optimizer(std::vector<Tensor> parameters, double lr)
    : parameters_(std::move(parameters)), lr_(lr) {
    if (parameters_.empty()) {
        throw ArgumentError("Optimizer", "got no parameters, wanted at least one");
    }
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        const Tensor& parameter = parameters_[i];
        if (parameter.is_inference()) {
            throw GradModeError(
                "Optimizer",
                fmt::format("Cannot optimize an inference tensor (parameter {}): make a clone() "
                            "outside of inference mode",
                            i));
        }
        if (!parameter.is_leaf() || !parameter.requires_grad()) {
            throw ArgumentError(
                "Optimizer",
                fmt::format("can't optimize parameter {}: wanted a leaf that requires grad", i));
        }
    }
    set_lr(lr);
}

void Optimizer::set_lr(double lr) {
    if (!(std::isfinite(lr) && lr >= 0.0)) {
        throw ArgumentError("Optimizer", fmt::format("lr must be finite and >= 0; got {}", lr));
    }
    lr_ = lr;
}

void Optimizer::ensure_state() {
    if (!states_.empty()) {
        return;
    }
    const PersistentAllocGuard guard;
    for (const Tensor& parameter : parameters_) {
        std::vector<Tensor>& state = states_.emplace_back();
        for (std::size_t i = 0; i < state_names().size(); ++i) {
            state.push_back(zeros(parameter.sizes(), parameter.dtype()));
        }
    }
}

void Optimizer::step() {
    ensure_state();
    ++step_count_;
    no_grad([this] {
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            const Tensor grad = parameters_[i].grad();
            if (grad.defined()) {
                update(parameters_[i], grad, states_[i]);
            }
        }
    });
}

void Optimizer::zero_grad(bool set_to_none) {
    for (Tensor& parameter : parameters_) {
        if (set_to_none) {
            parameter.set_grad({});
        } else if (Tensor grad = parameter.grad(); grad.defined()) {
            no_grad([&grad] { zero_(grad); });
        }
    }
}

std::vector<std::pair<std::string, Tensor>> Optimizer::state_dict() const {
    std::vector<std::pair<std::string, Tensor>> dict;
    dict.emplace_back("step", tensor<std::int64_t>({step_count_}));
    const std::vector<std::string> names = state_names();
    for (std::size_t i = 0; i < states_.size(); ++i) {
        for (std::size_t j = 0; j < names.size(); ++j) {
            dict.emplace_back(fmt::format("{}.{}", i, names[j]), states_[i][j]);
        }
    }
    return dict;
}

void Optimizer::load_state_dict(const std::vector<std::pair<std::string, Tensor>>& state) {
    const std::map<std::string, Tensor> given(state.begin(), state.end());
    const auto step = given.find("step");
    if (step == given.end()) {
        throw ArgumentError("Optimizer", "missing state 'step'");
    }
    ensure_state();
    const auto own = state_dict();
    for (const auto& [name, value] : given) {
        bool is_known = false;
        for (const auto& entry : own) {
            is_known = is_known || entry.first == name;
        }
        if (!is_known) {
            throw ArgumentError("Optimizer", fmt::format("unknown state '{}'", name));
        }
    }
    // Before the first step there is no state to load beyond the counter.
    const bool has_state = given.size() > 1;
    for (const auto& [name, value] : own) {
        const auto found = given.find(name);
        if (found == given.end() && has_state) {
            throw ArgumentError("Optimizer", fmt::format("missing state '{}'", name));
        }
        if (found != given.end() && found->second.sizes() != value.sizes()) {
            throw ShapeError("Optimizer",
                             fmt::format("state '{}' has shape {}, wanted {}",
                                         name,
                                         to_string(found->second.sizes()),
                                         to_string(value.sizes())));
        }
    }
    step_count_ = step->second.item<std::int64_t>();
    no_grad([&] {
        for (auto [name, value] : own) {
            const auto found = given.find(name);
            if (name != "step" && found != given.end()) {
                copy_(value, found->second);
            }
        }
    });
}

Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm) {
    if (!(max_norm > 0.0)) {
        throw ArgumentError("clip_grad_norm_",
                            fmt::format("max_norm must be > 0; got {}", max_norm));
    }
    return no_grad([&] {
        std::vector<Tensor> squares;
        for (const Tensor& parameter : parameters) {
            if (const Tensor grad = parameter.grad(); grad.defined()) {
                squares.push_back(sum(square(to(grad, kFloat32))));
            }
        }
        if (squares.empty()) {
            return zeros({});
        }
        Tensor norm = sqrt(sum(stack(squares)));
        // Below the bound the factor is 1: clamped, not branched on, so that nothing waits.
        const Tensor factor = clamp(mul(reciprocal(add(norm, 1e-6)), max_norm), {}, 1.0);
        for (const Tensor& parameter : parameters) {
            if (Tensor grad = parameter.grad(); grad.defined()) {
                mul_(grad, factor);
            }
        }
        return norm;
    });
}

}  // namespace pumice::optim
