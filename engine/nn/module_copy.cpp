// SPDX-License-Identifier: Apache-2.0
// Module::clone and materialize_normal_: modules on other tensors.
#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/nn/module.h"

#include <map>

namespace pumice::nn {

namespace {

// Of the thread's kind and in memory that stays; tracked, and with a gradient, as the original is.
Tensor deep_copy(const Tensor& value) {
    const bool is_tracked = value.is_leaf() && value.requires_grad();
    Tensor copy = no_grad([&value] { return value.clone(); });
    copy.persist();
    if (is_tracked) {
        copy.set_requires_grad(true);
    }
    if (const Tensor grad = value.grad(); grad.defined()) {
        copy.set_grad(no_grad([&grad] { return grad.clone(); }).persist());
    }
    return copy;
}

}  // namespace

// What was copied already: tied tensors and shared children stay so.
struct Module::CopyMemo {
    std::map<const RefCounted*, Tensor> tensors;
    std::map<const Module*, std::shared_ptr<Module>> modules;

    Tensor copy_of(const Tensor& value) {
        if (!value.defined()) {
            return {};
        }
        Tensor& copy = tensors[value.impl()];
        if (!copy.defined()) {
            copy = deep_copy(value);
        }
        return copy;
    }
};

std::shared_ptr<Module> Module::clone() const {
    CopyMemo memo;
    return copy_with(memo);
}

std::shared_ptr<Module> Module::shallow_copy() const {
    throw UnsupportedError("clone",
                           "the module, or a child of it, cannot be copied: derive it from "
                           "nn::Cloneable instead of nn::Module");
}

std::shared_ptr<Module> Module::copy_with(CopyMemo& memo) const {
    if (const auto known = memo.modules.find(this); known != memo.modules.end()) {
        return known->second;
    }
    std::shared_ptr<Module> copy = shallow_copy();
    for (std::vector<Entry>* entries : {&copy->parameters_, &copy->buffers_}) {
        for (Entry& entry : *entries) {
            entry.value = memo.copy_of(entry.value);
        }
    }
    for (auto& [name, module] : copy->children_) {
        module = module->copy_with(memo);
    }
    copy->rebind();
    memo.modules.emplace(this, copy);
    return copy;
}

// Notes the modules that have inference tensors of their own, and makes what replaces those.
void Module::collect_inference(std::vector<Module*>& owners, CopyMemo& memo) {
    bool is_owner = false;
    for (const std::vector<Entry>* entries : {&parameters_, &buffers_}) {
        for (const Entry& entry : *entries) {
            if (entry.value.defined() && entry.value.is_inference()) {
                static_cast<void>(memo.copy_of(entry.value));
                is_owner = true;
            }
        }
    }
    if (is_owner) {
        owners.push_back(this);
    }
    for (const auto& [name, module] : children_) {
        module->collect_inference(owners, memo);
    }
}

void Module::materialize_normal_() {
    std::vector<Module*> owners;
    CopyMemo memo;
    {
        const PersistentAllocGuard guard;
        collect_inference(owners, memo);
    }
    for (Module* owner : owners) {
        owner->rebind();  // changes nothing yet: throws where there is none
    }
    for (Module* owner : owners) {
        for (std::vector<Entry>* entries : {&owner->parameters_, &owner->buffers_}) {
            for (Entry& entry : *entries) {
                const auto copy = memo.tensors.find(entry.value.impl());
                entry.value = copy == memo.tensors.end() ? entry.value : copy->second;
            }
        }
        owner->rebind();
    }
}

}  // namespace pumice::nn
