// SPDX-License-Identifier: Apache-2.0
// Groups of parameters, their state, and what a failed step leaves.
#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/graph.h"
#include "pumice/ops.h"
#include "pumice/optim.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <typeinfo>
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

// Whether one tensor is in a list.
bool has(const std::vector<Tensor>& parameters, const Tensor& parameter) {
    return std::any_of(parameters.begin(), parameters.end(), [&parameter](const Tensor& each) {
        return each.is_same(parameter);
    });
}

// Calls with the index over all groups, each parameter, and its group.
template <class F>
void for_each_parameter(const std::vector<OptimizerParamGroup>& groups, F&& call) {
    std::size_t index = 0;
    for (const OptimizerParamGroup& group : groups) {
        for (const Tensor& parameter : group.params()) {
            call(index, parameter, group);
            ++index;
        }
    }
}

}  // namespace

Optimizer::Optimizer(const std::vector<OptimizerParamGroup>& groups,
                     const OptimizerOptions& defaults)
    : defaults_(defaults.clone()) {
    if (groups.empty()) {
        throw ArgumentError("Optimizer", "got no groups of parameters, wanted at least one");
    }
    for (const OptimizerParamGroup& group : groups) {
        add_param_group(group);
    }
}

void Optimizer::add_param_group(const OptimizerParamGroup& group) {
    OptimizerParamGroup added =
        group.has_options() ? group : OptimizerParamGroup(group.params(), defaults_->clone());
    check_group(added);
    slots_.reserve(slots_.size() + added.params().size());
    groups_.push_back(std::move(added));
    slots_.resize(slots_.size() + groups_.back().params().size());
    ++*slots_version_;
}

void Optimizer::check_group(const OptimizerParamGroup& group) const {
    if (group.params().empty()) {
        throw ArgumentError("Optimizer", "got no parameters, wanted at least one");
    }
    std::size_t index = slots_.size();
    for (const Tensor& parameter : group.params()) {
        if (parameter.is_inference()) {
            throw GradModeError(
                "Optimizer",
                fmt::format("Cannot optimize an inference tensor (parameter {}): make a clone() "
                            "outside of inference mode",
                            index));
        }
        if (!parameter.is_leaf() || !parameter.requires_grad()) {
            throw ArgumentError(
                "Optimizer",
                fmt::format("can't optimize parameter {}: wanted a leaf that requires grad",
                            index));
        }
        for (const OptimizerParamGroup& other : groups_) {
            if (has(other.params(), parameter)) {
                throw ArgumentError(
                    "Optimizer",
                    fmt::format("parameter {} is in another group, wanted each in one", index));
            }
        }
        ++index;
    }
    const OptimizerOptions& options = group.options();
    const OptimizerOptions& defaults = *defaults_;
    if (typeid(options) != typeid(defaults)) {
        throw ArgumentError("Optimizer",
                            fmt::format("group {} has options of another optimizer, wanted those "
                                        "of its own",
                                        groups_.size()));
    }
    options.check();
}

std::vector<Tensor> Optimizer::parameters() const {
    std::vector<Tensor> parameters;
    parameters.reserve(slots_.size());
    for (const OptimizerParamGroup& group : groups_) {
        parameters.insert(parameters.end(), group.params().begin(), group.params().end());
    }
    return parameters;
}

std::vector<double> Optimizer::lrs() const {
    std::vector<double> lrs;
    for (const OptimizerParamGroup& group : groups_) {
        lrs.push_back(group.options().get_lr());
    }
    return lrs;
}

void Optimizer::set_lr(double lr) {
    set_lrs(std::vector<double>(groups_.size(), lr));
}

void Optimizer::set_lrs(const std::vector<double>& lrs) {
    if (lrs.size() != groups_.size()) {
        throw ArgumentError("Optimizer",
                            fmt::format("wanted a learning rate for each of {} groups; got {}",
                                        groups_.size(),
                                        lrs.size()));
    }
    for (std::size_t i = 0; i < lrs.size(); ++i) {
        const std::unique_ptr<OptimizerOptions> changed = groups_[i].options().clone();
        changed->set_lr(lrs[i]);
        changed->check();
    }
    for (std::size_t i = 0; i < lrs.size(); ++i) {
        groups_[i].options().set_lr(lrs[i]);
    }
}

std::vector<Tensor> Optimizer::new_state(const Tensor& parameter) const {
    const PersistentAllocGuard guard;
    std::vector<Tensor> state(state_names().size());
    for (Tensor& value : state) {
        value = zeros(parameter.sizes(), parameter.dtype());
    }
    return state;
}

Tensor Optimizer::Update::factor_for(const Tensor& x, Number number) const {
    // Of x's rank and float32, so that products and sums are computed as those with a number are.
    return host_number([options = options_, progress = progress_, number] {
               return number(Moment(*options, *progress));
           })
        .view(Dims::filled(x.dim(), 1));
}

void Optimizer::Update::add_scaled(Tensor& target, const Tensor& x, Number number) const {
    if (is_capturing()) {
        add_(target, mul(x, factor_for(x, number)));
    } else {
        add_(target, x, number(*this));
    }
}

void Optimizer::Update::add_number(Tensor& target, Number number) const {
    if (is_capturing()) {
        add_(target, factor_for(target, number));
    } else {
        add_(target, number(*this));
    }
}

// A replay checks the options, as a step does, before it counts anything.
void Optimizer::follow_replays() const {
    struct Options {
        std::shared_ptr<const OptimizerOptions> now;
        std::shared_ptr<const OptimizerOptions> captured;
    };

    std::vector<Options> all;
    for (const OptimizerParamGroup& group : groups_) {
        all.push_back({group.options_, group.options().clone()});
    }
    const auto check = [all] {
        for (const Options& each : all) {
            each.now->check();
        }
    };
    host_call(check, [all, version = slots_version_, captured = *slots_version_] {
        return *version == captured && std::all_of(all.begin(), all.end(), [](const auto& each) {
            return each.now->equals_but_lr(*each.captured);
        });
    });
}

void Optimizer::update_slot(Slot& slot,
                            Tensor parameter,
                            const OptimizerParamGroup& group,
                            std::vector<Tensor> made) {
    const Tensor grad = parameter.grad();
    if (!grad.defined()) {
        return;
    }
    // State of a first update that fails is dropped: it may be written in part.
    const bool is_made = !made.empty();
    std::vector<Tensor>& state = is_made ? made : slot.state;
    update(parameter, grad, Update(group.options_, slot.progress, state));
    if (is_made) {
        slot.state = std::move(made);
    }
    const auto count = [keeps = keeps_state(group.options())](Progress& progress) {
        ++progress.step_count;
        progress.is_state_new = progress.is_state_new && !keeps;
    };
    if (is_capturing()) {
        host_call([count, progress = slot.progress] { count(*progress); });
    } else {
        count(*slot.progress);
    }
}

void Optimizer::step() {
    for (const OptimizerParamGroup& group : groups_) {
        group.options().check();
    }
    // All memory that stays is asked for before anything is written.
    std::vector<std::vector<Tensor>> made(slots_.size());
    for_each_parameter(
        groups_, [&](std::size_t i, const Tensor& parameter, const OptimizerParamGroup& group) {
            if (slots_[i].state.empty() && keeps_state(group.options()) &&
                parameter.grad().defined()) {
                made[i] = new_state(parameter);
            }
        });
    if (is_capturing()) {
        follow_replays();
    }
    no_grad([&] {
        for_each_parameter(
            groups_, [&](std::size_t i, const Tensor& parameter, const OptimizerParamGroup& group) {
                update_slot(slots_[i], parameter, group, std::move(made[i]));
            });
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
    for (Tensor& parameter : parameters()) {
        if (set_to_none) {
            parameter.set_grad({});
        } else if (Tensor grad = parameter.grad(); grad.defined()) {
            no_grad([&grad] { zero_(grad); });
        }
    }
}

StateDict Optimizer::state_dict() const {
    std::vector<std::int64_t> counts;
    for (const Slot& slot : slots_) {
        counts.push_back(slot.progress->step_count);
    }
    StateDict dict = {{"step", tensor(counts)}};
    const std::vector<std::string> names = state_names();
    for_each_parameter(
        groups_, [&](std::size_t i, const Tensor& /*parameter*/, const OptimizerParamGroup& group) {
            const std::vector<Tensor>& state = slots_[i].state;
            const bool is_kept = keeps_state(group.options()) && !slots_[i].progress->is_state_new;
            for (std::size_t j = 0; is_kept && j < state.size(); ++j) {
                dict.insert(state_key(i, names[j]), state[j]);
            }
        });
    return dict;
}

void Optimizer::load_state_dict(const StateDict& state) {
    Given given = by_name(state);
    const std::vector<std::int64_t> counts = take_counts(given, slots_.size());
    const std::vector<std::string> names = state_names();
    std::vector<std::vector<Tensor>> sources(slots_.size());
    std::string missing;
    for_each_parameter(
        groups_, [&](std::size_t i, const Tensor& parameter, const OptimizerParamGroup& group) {
            const bool is_kept = counts[i] > 0 && keeps_state(group.options());
            for (std::size_t j = 0; is_kept && j < names.size(); ++j) {
                const std::string key = state_key(i, names[j]);
                const auto found = given.find(key);
                if (found == given.end()) {
                    missing = missing.empty() ? key : missing;
                    continue;
                }
                check_shape(key, found->second, parameter.sizes());
                sources[i].push_back(std::move(found->second));
                given.erase(found);
            }
        });
    if (!given.empty()) {
        throw ArgumentError("Optimizer",
                            fmt::format("unknown state '{}' (or of a parameter with 0 steps)",
                                        given.begin()->first));
    }
    if (!missing.empty()) {
        throw ArgumentError("Optimizer", fmt::format("missing state '{}'", missing));
    }
    std::vector<Slot> loaded(slots_.size());
    no_grad([&] {
        for_each_parameter(
            groups_,
            [&](std::size_t i, const Tensor& parameter, const OptimizerParamGroup& /*group*/) {
                loaded[i].progress->step_count = counts[i];
                loaded[i].progress->is_state_new = sources[i].empty();
                loaded[i].state = sources[i].empty() ? std::vector<Tensor>() : new_state(parameter);
                for (std::size_t j = 0; j < sources[i].size(); ++j) {
                    copy_(loaded[i].state[j], sources[i][j]);
                }
            });
    });
    slots_ = std::move(loaded);
    ++*slots_version_;
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
