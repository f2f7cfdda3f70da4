// SPDX-License-Identifier: Apache-2.0
// Modules: names of parameters and buffers, conversion, loading and saving.
#include "pumice/nn/module.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace pumice::nn {

namespace {

void check_shapes(const StateDict& own, const StateDict& given) {
    for (const auto& [name, value] : own) {
        const Tensor* source = given.find(name);
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
        if (value.is_inference() && !is_inference_mode_enabled() && given.contains(name)) {
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

std::vector<Tensor> Module::parameters(bool recurse) const {
    return named_parameters(recurse).values();
}

StateDict Module::named_parameters(bool recurse) const {
    return collect(&Module::parameters_, recurse);
}

std::vector<Tensor> Module::buffers(bool recurse) const {
    return named_buffers(recurse).values();
}

StateDict Module::named_buffers(bool recurse) const {
    return collect(&Module::buffers_, recurse);
}

std::vector<std::shared_ptr<Module>> Module::children() const {
    return children_.values();
}

ModuleDict Module::named_children() const {
    return children_;
}

std::vector<std::shared_ptr<Module>> Module::modules(bool include_self) const {
    return named_modules("", include_self).values();
}

ModuleDict Module::named_modules(const std::string& name_prefix, bool include_self) const {
    ModuleDict modules;
    if (include_self) {
        const std::shared_ptr<const Module> self = weak_from_this().lock();
        if (self == nullptr) {
            throw ArgumentError("named_modules",
                                "wanted a module that a ModuleHolder or a shared_ptr owns; got "
                                "one that none does: leave it out with include_self = false");
        }
        modules.insert(name_prefix, std::const_pointer_cast<Module>(self));
    }
    collect_modules(name_prefix.empty() ? "" : name_prefix + ".", modules);
    return modules;
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
        if (!state.contains(name)) {
            report.missing.push_back(name);
        }
    }
    for (const auto& [name, value] : state) {
        if (!own.contains(name)) {
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
        for (const auto& item : own) {
            if (const Tensor* source = state.find(item.key())) {
                Tensor target = item.value();
                copy_(target, *source);
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
    const std::shared_ptr<Module>* child = children_.find(name);
    return child == nullptr ? nullptr : *child;
}

void Module::add_child(std::string name, std::shared_ptr<Module> child) {
    check_name(name);
    if (child == nullptr) {
        throw ArgumentError("register_module",
                            fmt::format("module '{}' is empty, wanted a module", name));
    }
    children_.insert(std::move(name), std::move(child));
}

void Module::check_name(const std::string& name) const {
    if (name.empty() || name.find('.') != std::string::npos) {
        throw ArgumentError("register",
                            fmt::format("names must not be empty or have a dot; got '{}'", name));
    }
    const auto has = [&name](const std::vector<Entry>& entries) {
        return std::any_of(entries.begin(), entries.end(), [&name](const Entry& entry) {
            return entry.name == name;
        });
    };
    if (has(parameters_) || has(buffers_) || children_.contains(name)) {
        throw ArgumentError("register", fmt::format("the name '{}' is taken already", name));
    }
}

StateDict Module::collect(std::vector<Entry> Module::*entries, bool recurse) const {
    StateDict dict;
    if (recurse) {
        collect("", entries, false, dict);
    } else {
        collect_own("", entries, false, dict);
    }
    return dict;
}

void Module::collect_modules(const std::string& prefix, ModuleDict& out) const {
    for (const auto& [name, child] : children_) {
        out.insert(prefix + name, child);
        child->collect_modules(prefix + name + ".", out);
    }
}

void Module::collect_own(const std::string& prefix,
                         std::vector<Entry> Module::*entries,
                         bool only_persistent,
                         StateDict& out) const {
    for (const Entry& entry : this->*entries) {
        if (entry.value.defined() && (entry.is_persistent || !only_persistent)) {
            out.insert(prefix + entry.name, entry.value);
        }
    }
}

void Module::collect(const std::string& prefix,
                     std::vector<Entry> Module::*entries,
                     bool only_persistent,
                     StateDict& out) const {
    collect_own(prefix, entries, only_persistent, out);
    for (const auto& [name, child] : children_) {
        child->collect(prefix + name + ".", entries, only_persistent, out);
    }
}

}  // namespace pumice::nn
