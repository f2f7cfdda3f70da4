// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/ordered_dict.h"
#include "pumice/tensor.h"

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

/// Modules: layers that own their parameters, as in torch::nn.
namespace PUMICE_API pumice {
namespace nn {

class Module;

/// Modules by dotted name, in order of registration.
using ModuleDict = OrderedDict<std::string, std::shared_ptr<Module>>;

/// Tensors by dotted name, in order of registration.
using StateDict = OrderedDict<std::string, Tensor>;

/// The module's type, of a ModuleHolder or of a module.
template <class M>
struct ModuleOf {
    using Type = M;  ///< itself
};

/// Of a ModuleHolder.
template <class M>
requires requires {
    typename M::ContainedType;
}

struct ModuleOf<M> {
    using Type = typename M::ContainedType;  ///< what it holds
};

/// What load_state_dict found besides the values it took.
struct LoadReport {
    std::vector<std::string> missing;     ///< in the module, not in the dict
    std::vector<std::string> unexpected;  ///< in the dict, not in the module
};

/// Base of everything with parameters. A subclass registers parameters, buffers and children in its
/// constructor, by LibTorch's names and rules. Training and grad mode are independent (G5).
class Module : public std::enable_shared_from_this<Module> {
public:
    Module() = default;
    Module& operator=(const Module&) = delete;
    Module(Module&&) = delete;
    Module& operator=(Module&&) = delete;
    virtual ~Module() = default;

    /// The module's own parameters, then those of its children unless `recurse` is false, each in
    /// order of registration. Undefined ones are left out. A child's parameter is called
    /// "child.name".
    /// @{
    [[nodiscard]] std::vector<Tensor> parameters(bool recurse = true) const;
    [[nodiscard]] StateDict named_parameters(bool recurse = true) const;
    /// @}

    /// The module's own buffers, then its children's likewise, persistent or not.
    /// @{
    [[nodiscard]] std::vector<Tensor> buffers(bool recurse = true) const;
    [[nodiscard]] StateDict named_buffers(bool recurse = true) const;
    /// @}

    /// Own children, not theirs.
    /// @{
    [[nodiscard]] std::vector<std::shared_ptr<Module>> children() const;
    [[nodiscard]] ModuleDict named_children() const;
    /// @}

    /// The module itself, unless include_self is false, then each child followed by its own
    /// children. The module is called `name_prefix`, a child `name_prefix.child`.
    /// @throws ArgumentError for the module itself unless a ModuleHolder or a shared_ptr owns it
    /// @{
    [[nodiscard]] std::vector<std::shared_ptr<Module>> modules(bool include_self = true) const;
    [[nodiscard]] ModuleDict named_modules(const std::string& name_prefix = "",
                                           bool include_self = true) const;

    /// @}

    /// The module as another type, `as<Linear>()` or `as<LinearImpl>()`; null unless it is one.
    /// @{
    template <class M>
    [[nodiscard]] auto* as() noexcept {
        return dynamic_cast<typename ModuleOf<M>::Type*>(this);
    }

    template <class M>
    [[nodiscard]] const auto* as() const noexcept {
        return dynamic_cast<const typename ModuleOf<M>::Type*>(this);
    }

    /// @}

    /// Parameters and persistent buffers; the tensors share memory with the module.
    [[nodiscard]] StateDict state_dict() const;
    /// Copies values (converted to each parameter's dtype) under no_grad, in every mode (G55).
    /// @throws ArgumentError naming missing or unexpected keys when `strict`, or for an undefined
    ///         value; ShapeError for a value of another shape; GradModeError (E2) for an inference
    ///         tensor outside of inference mode; nothing is copied then
    LoadReport load_state_dict(const StateDict& state, bool strict = true);

    /// Sets training (dropout acts) or evaluation here and in all children. The grad mode stays.
    virtual void train(bool on = true);

    /// train(false).
    void eval() { train(false); }

    /// True at first.
    [[nodiscard]] bool is_training() const noexcept { return is_training_; }

    /// is_training of this module and of all below it, each before its children.
    [[nodiscard]] std::vector<bool> training_modes() const;

    /// Converts floating parameters, buffers and their gradients in place; their kind stays (G53).
    /// @throws DTypeError unless the dtype is floating; OutOfMemoryError, and nothing is converted
    void to(DType dtype);

    /// To the only device, where everything is already.
    void to(DeviceType /*device*/) noexcept {}

    /// Drops the parameters' gradients or, with false, writes zeros into them.
    void zero_grad(bool set_to_none = true);

    /// A deep copy: a module of the same type with copies of all parameters, buffers and children.
    /// They are made as Tensor::clone() makes them in the thread's mode. Leaves are tracked as
    /// before, with copies of their gradients, and what is shared within the module is shared
    /// within the copy (G54). A copy that is made outside of inference mode can be trained.
    /// @throws UnsupportedError unless it and all children are Cloneable; OutOfMemoryError
    [[nodiscard]] std::shared_ptr<Module> clone() const;

    /// Replaces each inference parameter and buffer, here and in all children, by a normal clone
    /// that is tracked as before (G56), so that a module which was built or loaded in inference
    /// mode can be trained. Works in every mode. Handles taken from the module before keep the
    /// inference tensor.
    /// @throws UnsupportedError for a module that has such tensors and no rebind();
    ///         OutOfMemoryError; nothing is replaced then
    void materialize_normal_();

protected:
    /// A copy that shares all tensors and children; the first step of clone().
    Module(const Module&) = default;

    /// A copy that shares everything; Cloneable has it. @throws UnsupportedError otherwise
    [[nodiscard]] virtual std::shared_ptr<Module> shallow_copy() const;
    /// Fills the members that hold parameters, buffers or children from what is registered now:
    /// `weight = registered("weight"); fc = registered_module<Linear>("fc");`. It is called when
    /// those were replaced, possibly several times, and must do nothing else.
    /// @throws UnsupportedError unless overridden
    virtual void rebind();

    /// A parameter or buffer by its own name; undefined where there is none.
    [[nodiscard]] Tensor registered(const std::string& name) const;

    /// A child by its own name; empty where there is none.
    [[nodiscard]] std::shared_ptr<Module> registered_child(const std::string& name) const;

    /// The same in its holder, of the type it was registered with.
    template <class Holder>
    [[nodiscard]] Holder registered_module(const std::string& name) const {
        return Holder(
            std::static_pointer_cast<typename Holder::ContainedType>(registered_child(name)));
    }

    /// Adds a parameter and returns it; for an undefined one only the name is reserved. An
    /// inference tensor moves to persistent memory (G65).
    /// @throws ArgumentError for a name that is empty, taken, or has a dot; DTypeError for
    ///         requires_grad and a dtype that is not floating; OutOfMemoryError
    Tensor register_parameter(std::string name, Tensor value, bool requires_grad = true);
    /// A buffer is state that is not trained; a non-persistent one is left out of state_dict.
    /// Memory as above. @throws ArgumentError for a name as above; OutOfMemoryError
    Tensor register_buffer(std::string name, Tensor value, bool is_persistent = true);

    /// Adds a child, a ModuleHolder or a shared_ptr, and returns it.
    /// @throws ArgumentError for a name as above, or an empty child
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

    struct PUMICE_HIDDEN CopyMemo;

    [[nodiscard]] std::shared_ptr<Module> copy_with(CopyMemo& memo) const;
    void collect_inference(std::vector<Module*>& owners, CopyMemo& memo);
    void add_child(std::string name, std::shared_ptr<Module> child);
    void check_name(const std::string& name) const;
    [[nodiscard]] StateDict collect(std::vector<Entry> Module::*entries, bool recurse) const;
    void collect_own(const std::string& prefix,
                     std::vector<Entry> Module::*entries,
                     bool only_persistent,
                     StateDict& out) const;
    void collect(const std::string& prefix,
                 std::vector<Entry> Module::*entries,
                 bool only_persistent,
                 StateDict& out) const;
    void collect_modules(const std::string& prefix, ModuleDict& out) const;

    std::vector<Entry> parameters_;
    std::vector<Entry> buffers_;
    ModuleDict children_;
    bool is_training_ = true;
};

/// Base of modules that clone() copies: `class NetImpl : public Cloneable<NetImpl>`, with a copy
/// constructor (the implicit one does) and rebind(). Departure from torch::nn::Cloneable: rebind()
/// takes over what is registered, where reset() makes it anew.
template <class Derived, class Base = Module>
class Cloneable : public Base {
public:
    using Base::Base;

    /// As Module::clone. @throws UnsupportedError, OutOfMemoryError as Module::clone
    [[nodiscard]] std::shared_ptr<Derived> clone() const {
        return std::static_pointer_cast<Derived>(Module::clone());
    }

protected:
    /// The derived class's copy. @throws what its copy constructor throws
    [[nodiscard]] std::shared_ptr<Module> shallow_copy() const override {
        return std::make_shared<Derived>(static_cast<const Derived&>(*this));
    }
};

/// Shared owner of a module that reads like the module: `Linear fc(4, 2); fc->weight; fc(x)`.
template <class Impl>
class ModuleHolder {
public:
    /// The module's type.
    using ContainedType = Impl;

    /// Holds nothing.
    explicit(false) ModuleHolder(std::nullptr_t) {}

    /// Makes the module from its constructor's arguments.
    template <class... Args>

    requires(!(std::same_as<std::remove_cvref_t<Args>, ModuleHolder> || ...) &&
             std::constructible_from<Impl, Args...>)

        explicit(sizeof...(Args) == 1) ModuleHolder(Args&&... args)
        : impl_(std::make_shared<Impl>(std::forward<Args>(args)...)) {}

    /// Shares a module.
    explicit ModuleHolder(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

    /// The module; there must be one.
    Impl* operator->() const noexcept { return impl_.get(); }

    /// The module; there must be one.
    Impl& operator*() const noexcept { return *impl_; }

    /// The shared owner, null if empty.
    [[nodiscard]] const std::shared_ptr<Impl>& ptr() const noexcept { return impl_; }

    /// Whether it holds nothing.
    [[nodiscard]] bool is_empty() const noexcept { return impl_ == nullptr; }

    /// The module's forward; there must be a module.
    template <class... Args>
    auto operator()(Args&&... args) const {
        return impl_->forward(std::forward<Args>(args)...);
    }

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace nn
}  // namespace pumice
