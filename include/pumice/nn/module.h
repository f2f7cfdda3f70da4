// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace pumice::nn {

/// Tensors by dotted name, in order of registration.
using StateDict = std::vector<std::pair<std::string, Tensor>>;

/// What load_state_dict found besides the values it took.
struct LoadReport {
    std::vector<std::string> missing;     ///< in the module, not in the dict
    std::vector<std::string> unexpected;  ///< in the dict, not in the module
};

/// Base of everything with parameters. Subclasses register parameters, buffers and children in
/// their constructor, by LibTorch's names and rules. Training and grad mode are independent (G5).
class Module {
public:
    Module() = default;
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;
    Module(Module&&) = delete;
    Module& operator=(Module&&) = delete;
    virtual ~Module() = default;

    /// Own and children's parameters.
    [[nodiscard]] std::vector<Tensor> parameters() const;
    [[nodiscard]] StateDict named_parameters() const;
    [[nodiscard]] std::vector<Tensor> buffers() const;
    [[nodiscard]] StateDict named_buffers() const;
    [[nodiscard]] std::vector<std::pair<std::string, std::shared_ptr<Module>>> named_children()
        const;

    /// Parameters and persistent buffers; the tensors share memory with the module.
    [[nodiscard]] StateDict state_dict() const;
    /// Copies values (converted to each parameter's dtype) under no_grad.
    /// @throws ArgumentError naming missing or unexpected keys when `strict`; ShapeError for a value
    ///         of another shape; nothing is copied then
    LoadReport load_state_dict(const StateDict& state, bool strict = true);

    virtual void train(bool on = true);

    void eval() { train(false); }

    [[nodiscard]] bool is_training() const noexcept { return is_training_; }

    /// Converts floating parameters and buffers in place; their kind stays (G53).
    void to(DType dtype);
    void zero_grad(bool set_to_none = true);

protected:
    /// @throws ArgumentError for a name that is empty, taken, or has a dot
    Tensor register_parameter(std::string name, Tensor value, bool requires_grad = true);
    /// A buffer is state that is not trained; a non-persistent one is left out of state_dict.
    Tensor register_buffer(std::string name, Tensor value, bool is_persistent = true);

    template <class M>
    M register_module(const std::string& name, M child) {
        if constexpr (requires { child.ptr(); }) {
            add_child(name, child.ptr());
        } else {
            add_child(name, child);
        }
        return child;
    }

private:
    struct Entry {
        std::string name;
        Tensor value;
        bool is_persistent = true;
    };

    void add_child(std::string name, std::shared_ptr<Module> child);
    void check_name(const std::string& name) const;
    void collect(const std::string& prefix,
                 std::vector<Entry> Module::*entries,
                 bool only_persistent,
                 StateDict& out) const;

    std::vector<Entry> parameters_;
    std::vector<Entry> buffers_;
    std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
    bool is_training_ = true;
};

/// Shared owner of a module that reads like the module: `Linear fc(4, 2); fc->weight; fc(x)`.
template <class Impl>
class ModuleHolder {
public:
    /// Holds nothing.
    ModuleHolder(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): LibTorch's spelling

    template <class... Args>
    requires std::constructible_from<Impl, Args...>

    explicit(sizeof...(Args) == 1) ModuleHolder(Args&&... args)
        : impl_(std::make_shared<Impl>(std::forward<Args>(args)...)) {}

    explicit ModuleHolder(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

    Impl* operator->() const noexcept { return impl_.get(); }

    Impl& operator*() const noexcept { return *impl_; }

    [[nodiscard]] const std::shared_ptr<Impl>& ptr() const noexcept { return impl_; }

    [[nodiscard]] bool is_empty() const noexcept { return impl_ == nullptr; }

    template <class... Args>
    auto operator()(Args&&... args) const {
        return impl_->forward(std::forward<Args>(args)...);
    }

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace pumice::nn
