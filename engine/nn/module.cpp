// SPDX-License-Identifier: Apache-2.0
#include "pumice/nn/module.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace pumice::nn {

namespace {

std::vector<Tensor> values_of(const StateDict& dict) {
    std::vector<Tensor> values;
    values.reserve(dict.size());
    for (const auto& [name, value] : dict) {
        values.push_back(value);
    }
    return values;
}

const Tensor* find(const StateDict& dict, const std::string& name) {
    const auto found = std::find_if(
        dict.begin(), dict.end(), [&name](const auto& entry) { return entry.first == name; });
    return found == dict.end() ? nullptr : &found->second;
}

void check_shapes(const StateDict& own, const StateDict& given) {
    for (const auto& [name, value] : own) {
        const Tensor* source = find(given, name);
        if (source != nullptr && source->sizes() != value.sizes()) {
            throw ShapeError("load_state_dict",
                             fmt::format("'{}' has shape {}, wanted {}",
                                         name,
                                         to_string(source->sizes()),
                                         to_string(value.sizes())));
        }
    }
}

struct Conversion {
    Tensor target;
    Tensor result;
};

// G55: in inference mode everything may be written.
void check_writable(const StateDict& own, const StateDict& given) {
    for (const auto& [name, value] : own) {
        if (value.is_inference() && !is_inference_mode_enabled() && find(given, name) != nullptr) {
            throw GradModeError("load_state_dict",
                                fmt::format("Inplace update to inference tensor outside "
                                            "InferenceMode is not allowed. '{}' is one: call "
                                            "materialize_normal_() first.",
                                            name));
        }
    }
}

// A tensor that is registered twice is converted once.
void convert(const Tensor& target, DType dtype, std::vector<Conversion>& conversions) {
    const bool is_done =
        std::any_of(conversions.begin(), conversions.end(), [&target](const Conversion& each) {
            return each.target.impl() == target.impl();
        });
    if (is_done || !target.is_floating_point() || target.dtype() == dtype) {
        return;
    }
    // The result must have the kind of what it replaces, in every mode.
    if (target.is_inference()) {
        inference_mode([&] {
            conversions.push_back({target, pumice::to(target, dtype).persist()});
        });
    } else {
        const PersistentAllocGuard guard;
        conversions.push_back({target, pumice::to(target, dtype)});
    }
}

}  // namespace

std::vector<Tensor> Module::parameters() const {
    return values_of(named_parameters());
}

StateDict Module::named_parameters() const {
    StateDict dict;
    collect("", &Module::parameters_, false, dict);
    return dict;
}

std::vector<Tensor> Module::buffers() const {
    return values_of(named_buffers());
}

StateDict Module::named_buffers() const {
    StateDict dict;
    collect("", &Module::buffers_, false, dict);
    return dict;
}

std::vector<std::pair<std::string, std::shared_ptr<Module>>> Module::named_children() const {
    return children_;
}

StateDict Module::state_dict() const {
    StateDict dict;
    collect("", &Module::parameters_, false, dict);
    collect("", &Module::buffers_, true, dict);
    return dict;
}

LoadReport Module::load_state_dict(const StateDict& state, bool strict) {
    const StateDict own = state_dict();
    LoadReport report;
    for (const auto& [name, value] : own) {
        if (find(state, name) == nullptr) {
            report.missing.push_back(name);
        }
    }
    for (const auto& [name, value] : state) {
        if (find(own, name) == nullptr) {
            report.unexpected.push_back(name);
        }
    }
    if (strict && !(report.missing.empty() && report.unexpected.empty())) {
        throw ArgumentError("load_state_dict",
                            fmt::format("missing keys: [{}]; unexpected keys: [{}]",
                                        fmt::join(report.missing, ", "),
                                        fmt::join(report.unexpected, ", ")));
    }
    check_shapes(own, state);
    check_writable(own, state);
    no_grad([&] {
        for (auto [name, value] : own) {
            if (const Tensor* source = find(state, name)) {
                copy_(value, *source);
            }
        }
    });
    return report;
}

std::vector<bool> Module::training_modes() const {
    std::vector<bool> modes{is_training_};
    for (const auto& [name, child] : children_) {
        const std::vector<bool> below = child->training_modes();
        modes.insert(modes.end(), below.begin(), below.end());
    }
    return modes;
}

void Module::train(bool on) {
    is_training_ = on;
    for (const auto& [name, child] : children_) {
        child->train(on);
    }
}

void Module::to(DType dtype) {
    if (!pumice::is_floating_point(dtype)) {
        throw DTypeError(
            "to", fmt::format("modules convert to floating dtypes only; got {}", to_string(dtype)));
    }
    // All conversions come before the first exchange, which cannot fail.
    std::vector<Conversion> conversions;
    for (const StateDict& dict : {named_parameters(), named_buffers()}) {
        for (const auto& [name, value] : dict) {
            convert(value, dtype, conversions);
            if (const Tensor grad = value.grad(); grad.defined()) {
                convert(grad, dtype, conversions);
            }
        }
    }
    for (Conversion& each : conversions) {
        if (each.target.is_inference()) {
            inference_mode([&each] { each.target.set_data(each.result); });
        } else {
            each.target.set_data(each.result);
        }
    }
}

void Module::zero_grad(bool set_to_none) {
    for (Tensor& parameter : parameters()) {
        if (set_to_none) {
            parameter.set_grad({});
        } else if (Tensor grad = parameter.grad(); grad.defined()) {
            no_grad([&grad] { zero_(grad); });
        }
    }
}

Tensor Module::register_parameter(std::string name, Tensor value, bool requires_grad) {
    check_name(name);
    if (value.defined() && requires_grad) {
        value.set_requires_grad(true);
    }
    if (value.defined()) {
        value.persist();
    }
    parameters_.push_back({std::move(name), value, true});
    return value;
}

Tensor Module::register_buffer(std::string name, Tensor value, bool is_persistent) {
    check_name(name);
    if (value.defined()) {
        value.persist();
    }
    buffers_.push_back({std::move(name), value, is_persistent});
    return value;
}

void Module::rebind() {
    throw UnsupportedError(
        "rebind",
        "a module whose tensors are replaced must override rebind(), which fills "
        "its members from registered()");
}

Tensor Module::registered(const std::string& name) const {
    for (const std::vector<Entry>* entries : {&parameters_, &buffers_}) {
        for (const Entry& entry : *entries) {
            if (entry.name == name) {
                return entry.value;
            }
        }
    }
    return {};
}

std::shared_ptr<Module> Module::registered_child(const std::string& name) const {
    for (const auto& [child_name, module] : children_) {
        if (child_name == name) {
            return module;
        }
    }
    return nullptr;
}

void Module::add_child(std::string name, std::shared_ptr<Module> child) {
    check_name(name);
    if (child == nullptr) {
        throw ArgumentError("register_module",
                            fmt::format("module '{}' is empty, wanted a module", name));
    }
    children_.emplace_back(std::move(name), std::move(child));
}

void Module::check_name(const std::string& name) const {
    if (name.empty() || name.find('.') != std::string::npos) {
        throw ArgumentError("register",
                            fmt::format("names must not be empty or have a dot; got '{}'", name));
    }
    const auto has = [&name](const auto& list, auto&& name_of) {
        return std::any_of(
            list.begin(), list.end(), [&](const auto& entry) { return name_of(entry) == name; });
    };
    const auto entry_name = [](const Entry& entry) { return entry.name; };
    const auto child_name = [](const auto& child) { return child.first; };
    if (has(parameters_, entry_name) || has(buffers_, entry_name) || has(children_, child_name)) {
        throw ArgumentError("register", fmt::format("the name '{}' is taken already", name));
    }
}

void Module::collect(const std::string& prefix,
                     std::vector<Entry> Module::*entries,
                     bool only_persistent,
                     StateDict& out) const {
    for (const Entry& entry : this->*entries) {
        if (entry.value.defined() && (entry.is_persistent || !only_persistent)) {
            out.emplace_back(prefix + entry.name, entry.value);
        }
    }
    for (const auto& [name, child] : children_) {
        child->collect(prefix + name + ".", entries, only_persistent, out);
    }
}

}  // namespace pumice::nn
