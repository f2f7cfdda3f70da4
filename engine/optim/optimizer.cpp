// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"
#include "pumice/optim.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <utility>

namespace pumice::optim {

namespace {

using StateDict = OrderedDict<std::string, Tensor>;

// Values that are still to be taken.
using Given = std::map<std::string, Tensor>;

Given by_name(const StateDict& state) {
    Given given;
    for (const auto& [name, value] : state) {
        if (!value.defined()) {
            throw ArgumentError("Optimizer", fmt::format("state '{}' is undefined", name));
        }
        given.emplace(name, value);
    }
    return given;
}

void check_shape(const std::string& name, const Tensor& value, const Dims& wanted) {
    if (value.sizes() != wanted) {
        throw ShapeError("Optimizer",
                         fmt::format("state '{}' has shape {}, wanted {}",
                                     name,
                                     to_string(value.sizes()),
                                     to_string(wanted)));
    }
}

// The counts, taken out of `given`.
std::vector<std::int64_t> take_counts(Given& given, std::size_t parameter_count) {
    const auto found = given.find("step");
    if (found == given.end()) {
        throw ArgumentError("Optimizer", "missing state 'step'");
    }
    check_shape("step", found->second, {static_cast<std::int64_t>(parameter_count)});
    if (found->second.dtype() != kInt32) {
        throw DTypeError(
            "Optimizer",
            fmt::format("state 'step' is {}, wanted int32", to_string(found->second.dtype())));
    }
    const std::vector<std::int32_t> counts = found->second.to_vector<std::int32_t>();
    for (const std::int32_t count : counts) {
        if (count < 0) {
            throw ArgumentError("Optimizer",
                                fmt::format("state 'step' must be >= 0; got {}", count));
        }
    }
    given.erase(found);
    return {counts.begin(), counts.end()};
}

std::string state_key(std::size_t parameter, const std::string& name) {
    return fmt::format("{}.{}", parameter, name);
}

}  // namespace

Optimizer::Optimizer(std::vector<Tensor> parameters, double lr)
    : parameters_(std::move(parameters)),
      states_(parameters_.size()),
      step_counts_(parameters_.size()),
      lr_(lr) {
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

std::vector<Tensor> Optimizer::new_state(std::size_t parameter) const {
    const PersistentAllocGuard guard;
    std::vector<Tensor> state(state_names().size());
    for (Tensor& value : state) {
        value = zeros(parameters_[parameter].sizes(), parameters_[parameter].dtype());
    }
    return state;
}

void Optimizer::step() {
    // All memory that stays is asked for before anything is written.
    std::vector<std::vector<Tensor>> made(parameters_.size());
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        if (step_counts_[i] == 0 && parameters_[i].grad().defined()) {
            made[i] = new_state(i);
        }
    }
    no_grad([&] {
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            const Tensor grad = parameters_[i].grad();
            if (!grad.defined()) {
                continue;
            }
            // State of a first update that fails is dropped: it may be written in part.
            const bool is_first = step_counts_[i] == 0;
            update(parameters_[i], grad, is_first ? made[i] : states_[i], step_counts_[i] + 1);
            if (is_first) {
                states_[i] = std::move(made[i]);
            }
            ++step_counts_[i];
        }
    });
}

Tensor Optimizer::step(const std::function<Tensor()>& closure) {
    if (!closure) {
        throw ArgumentError("Optimizer", "step got an empty closure, wanted one that gives a loss");
    }
    Tensor loss = enable_grad(closure);
    step();
    return loss;
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

StateDict Optimizer::state_dict() const {
    StateDict dict;
    dict.insert("step", tensor(step_counts_));
    const std::vector<std::string> names = state_names();
    for (std::size_t i = 0; i < states_.size(); ++i) {
        for (std::size_t j = 0; j < states_[i].size(); ++j) {
            dict.insert(state_key(i, names[j]), states_[i][j]);
        }
    }
    return dict;
}

std::vector<std::vector<Tensor>> Optimizer::copies_of(
    const std::vector<std::vector<Tensor>>& sources) const {
    std::vector<std::vector<Tensor>> copies(sources.size());
    no_grad([&] {
        for (std::size_t i = 0; i < sources.size(); ++i) {
            if (!sources[i].empty()) {
                copies[i] = new_state(i);
            }
            for (std::size_t j = 0; j < copies[i].size(); ++j) {
                copy_(copies[i][j], sources[i][j]);
            }
        }
    });
    return copies;
}

void Optimizer::load_state_dict(const StateDict& state) {
    Given given = by_name(state);
    std::vector<std::int64_t> counts = take_counts(given, parameters_.size());
    const std::vector<std::string> names = state_names();
    std::vector<std::vector<Tensor>> sources(parameters_.size());
    std::string missing;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
        for (std::size_t j = 0; counts[i] > 0 && j < names.size(); ++j) {
            const std::string key = state_key(i, names[j]);
            const auto found = given.find(key);
            if (found == given.end()) {
                missing = missing.empty() ? key : missing;
                continue;
            }
            check_shape(key, found->second, parameters_[i].sizes());
            sources[i].push_back(std::move(found->second));
            given.erase(found);
        }
    }
    if (!given.empty()) {
        throw ArgumentError("Optimizer",
                            fmt::format("unknown state '{}' (or of a parameter with 0 steps)",
                                        given.begin()->first));
    }
    if (!missing.empty()) {
        throw ArgumentError("Optimizer", fmt::format("missing state '{}'", missing));
    }
    std::vector<std::vector<Tensor>> loaded = copies_of(sources);
    states_ = std::move(loaded);
    step_counts_ = std::move(counts);
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
