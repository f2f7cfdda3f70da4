// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/nn/module.h"

#include <concepts>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace PUMICE_API pumice {
namespace nn {

/// Modules applied one after another; children are named "0", "1", ...
class SequentialImpl : public Cloneable<SequentialImpl> {
public:
    /// Takes the children in order. @throws ArgumentError for an empty one
    template <class... Holders>
    explicit SequentialImpl(Holders... children) {
        (push_back(std::move(children)), ...);
    }

    /// Appends a child, whose forward takes and gives one tensor.
    /// @throws ArgumentError for an empty one
    template <class Impl>
    void push_back(const ModuleHolder<Impl>& child) {
        push_back(child.ptr());
    }

    /// The same for a module that is owned by a pointer.
    template <std::derived_from<Module> M>
    void push_back(std::shared_ptr<M> child) {
        push_back(std::to_string(steps_.size()), std::move(child));
    }

    /// The same under a name. @throws ArgumentError for a name as register_module
    /// @{
    template <class Impl>
    void push_back(const std::string& name, const ModuleHolder<Impl>& child) {
        push_back(name, child.ptr());
    }

    template <std::derived_from<Module> M>
    void push_back(const std::string& name, std::shared_ptr<M> child) {
        register_module(name, child);
        steps_.push_back(
            {.name = name, .module = std::move(child), .run = [](Module* module, Tensor x) {
                 return static_cast<M*>(module)->forward(std::move(x));
             }});
    }

    /// @}

    /// Appends a function without parameters, such as an activation. It counts as a position, so
    /// that a module after it is called by the next number, but has no entry in state_dict.
    void push_back(Tensor (*function)(Tensor)) { steps_.push_back({.function = function}); }

    /// The last child's result. @throws ArgumentError without children; what the children throw
    [[nodiscard]] Tensor forward(Tensor x) const;

    /// Children and functions.
    [[nodiscard]] std::size_t count() const noexcept { return steps_.size(); }

    /// count(), as LibTorch has it.
    [[nodiscard]] std::size_t size() const noexcept { return steps_.size(); }

protected:
    /// See Module::rebind.
    void rebind() override;

private:
    // A child and how to call it, or a function.
    struct Step {
        std::string name = {};
        std::shared_ptr<Module> module = nullptr;
        Tensor (*run)(Module* module, Tensor x) = nullptr;
        Tensor (*function)(Tensor) = nullptr;
    };

    std::vector<Step> steps_;
};

/// Owner of a SequentialImpl.
using Sequential = ModuleHolder<SequentialImpl>;

/// A list of modules of one type; children are named "0", "1", ...
template <class Holder>
class ModuleListImpl : public Cloneable<ModuleListImpl<Holder>> {
public:
    /// Appends a child. @throws ArgumentError for an empty one
    void push_back(Holder child) {
        items_.push_back(this->register_module(std::to_string(items_.size()), std::move(child)));
    }

    /// Children.
    [[nodiscard]] std::size_t count() const noexcept { return items_.size(); }

    /// One child. @throws std::out_of_range for an index from count() on
    const Holder& operator[](std::size_t index) const { return items_.at(index); }

    /// The first child.
    auto begin() const noexcept { return items_.begin(); }

    /// Past the last child.
    auto end() const noexcept { return items_.end(); }

protected:
    /// See Module::rebind.
    void rebind() override {
        for (std::size_t i = 0; i < items_.size(); ++i) {
            items_[i] = this->template registered_module<Holder>(std::to_string(i));
        }
    }

private:
    std::vector<Holder> items_;
};
/// Owner of a ModuleListImpl.
template <class Holder>
using ModuleList = ModuleHolder<ModuleListImpl<Holder>>;

}  // namespace nn
}  // namespace pumice
