// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/nn/module.h"

#include <functional>
#include <utility>
#include <vector>

namespace pumice::nn {

/// Modules applied one after another; children are named "0", "1", ...
class SequentialImpl : public Module {
public:
    template <class... Holders>
    explicit SequentialImpl(Holders... children) {
        (push_back(std::move(children)), ...);
    }

    template <class Impl>
    void push_back(ModuleHolder<Impl> child) {
        register_module(std::to_string(steps_.size()), child);
        steps_.emplace_back([child](Tensor x) { return child->forward(std::move(x)); });
    }

    /// A function without parameters, such as an activation.
    void push_back(Tensor (*function)(Tensor)) { steps_.emplace_back(function); }

    /// @throws ArgumentError without children
    [[nodiscard]] Tensor forward(Tensor x) const;

    [[nodiscard]] std::size_t count() const noexcept { return steps_.size(); }

private:
    std::vector<std::function<Tensor(Tensor)>> steps_;
};

using Sequential = ModuleHolder<SequentialImpl>;

/// A list of modules of one type; children are named "0", "1", ...
template <class Holder>
class ModuleListImpl : public Module {
public:
    void push_back(Holder child) {
        items_.push_back(register_module(std::to_string(items_.size()), std::move(child)));
    }

    [[nodiscard]] std::size_t count() const noexcept { return items_.size(); }

    const Holder& operator[](std::size_t index) const { return items_.at(index); }

    auto begin() const noexcept { return items_.begin(); }

    auto end() const noexcept { return items_.end(); }

private:
    std::vector<Holder> items_;
};
template <class Holder>
using ModuleList = ModuleHolder<ModuleListImpl<Holder>>;

}  // namespace pumice::nn
