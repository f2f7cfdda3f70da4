// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/autograd.h"
#include "pumice/export.h"
#include "pumice/grad_mode.h"
#include "pumice/ivalue.h"
#include "pumice/tensor.h"

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <unordered_map>
#include <utility>
#include <vector>

namespace PUMICE_API pumice {
namespace autograd {

/// LibTorch's name of a tensor.
using Variable = Tensor;
/// Tensors in order.
using variable_list = std::vector<Tensor>;
/// Edges [first, second).
using IndexRange = std::pair<std::size_t, std::size_t>;

class GraphNode;

namespace detail {

class PUMICE_HIDDEN FunctionNode;
class FunctionCall;

}  // namespace detail

/// What a custom Function's forward leaves for its backward.
class AutogradContext {
public:
    AutogradContext() = default;
    AutogradContext(const AutogradContext&) = delete;
    AutogradContext& operator=(const AutogradContext&) = delete;
    AutogradContext(AutogradContext&&) = delete;
    AutogradContext& operator=(AutogradContext&&) = delete;
    ~AutogradContext() = default;

    /// Whatever backward needs besides tensors of the call, which go to save_for_backward.
    std::unordered_map<std::string, IValue> saved_data;

    /// Keeps inputs and outputs of the call, undefined ones too, from the end of forward on. Where
    /// nothing is recorded, keeps nothing (grad-mode rule G47). Function::apply throws
    /// GradModeError (E3) for an inference tensor that would be kept.
    void save_for_backward(variable_list to_save);
    /// What was kept, for backward.
    /// @throws GradModeError if one was written since (E9), or an earlier walk freed them
    [[nodiscard]] variable_list get_saved_variables() const;
    /// Inputs that forward has written in place; they must be among the outputs.
    void mark_dirty(const variable_list& inputs);
    /// Outputs that get no gradient.
    void mark_non_differentiable(const variable_list& outputs);

    /// Whether backward gets zeros instead of undefined gradients; true at first.
    void set_materialize_grads(bool value) noexcept { materializes_ = value; }

    /// Whether the tensor operand at this position is to have a gradient: in forward, whether it
    /// requires one; in backward, whether this walk asks for it. Operands that are no tensors do
    /// not count for positions.
    [[nodiscard]] bool needs_input_grad(std::size_t index) const;
    /// Whether one of the operands in these ranges is to have a gradient.
    [[nodiscard]] bool needs_input_grad(std::initializer_list<IndexRange> ranges) const;

private:
    /// @cond
    friend detail::FunctionNode;
    friend detail::FunctionCall;
    /// @endcond

    bool is_recorded_ = false;
    bool materializes_ = true;
    std::vector<bool> needs_;
    variable_list to_save_;
    variable_list dirty_;
    variable_list non_differentiable_;
    detail::FunctionNode* node_ = nullptr;  ///< set when forward has returned
};

namespace detail {

using BackwardFunction = variable_list (*)(AutogradContext*, variable_list);

/// The operands of a call, flat.
struct FunctionOperands {
    variable_list tensors;
    std::vector<bool> is_tensor;  ///< of each operand; a list counts as its tensors

    void add(const Tensor& tensor) {
        tensors.push_back(tensor);
        is_tensor.push_back(true);
    }

    void add(const variable_list& list) {
        for (const Tensor& tensor : list) {
            add(tensor);
        }
    }

    void add(const std::optional<Tensor>& tensor) { add(tensor.value_or(Tensor())); }

    template <class Plain>
    void add(const Plain& /*value*/) {
        is_tensor.push_back(false);
    }
};

/// One call of a custom Function, around its forward.
class FunctionCall {
public:
    FunctionCall(std::string name, FunctionOperands operands, BackwardFunction backward);
    FunctionCall(const FunctionCall&) = delete;
    FunctionCall& operator=(const FunctionCall&) = delete;
    FunctionCall(FunctionCall&&) = delete;
    FunctionCall& operator=(FunctionCall&&) = delete;
    ~FunctionCall();

    AutogradContext* context() noexcept { return context_.get(); }

    /// Ends the part that runs without recording, and gives the outputs their history.
    variable_list finish(variable_list outputs);

private:
    [[nodiscard]] bool is_differentiable(const Tensor& output) const;
    void check(const variable_list& outputs) const;
    Tensor wrap(Tensor output, std::size_t index, GraphNode* node) const;

    std::string name_;
    FunctionOperands operands_;
    BackwardFunction backward_;
    std::unique_ptr<AutogradContext> context_;  ///< the node's after finish
    AutogradContext& call_;
    std::vector<Edge> edges_;
    AutogradState before_;
};

/// "MyFunction", from what the compiler calls it.
std::string type_name(const std::type_info& type);

inline variable_list to_list(Tensor&& output) {
    return {std::move(output)};
}

inline variable_list to_list(variable_list&& outputs) {
    return std::move(outputs);
}

}  // namespace detail

/// Base of custom differentiable functions, by their own type:
///
///     struct Cube : autograd::Function<Cube> {
///         static Tensor forward(autograd::AutogradContext* ctx, Tensor x);
///         static autograd::variable_list backward(autograd::AutogradContext* ctx,
///                                                 autograd::variable_list grad_outputs);
///     };
///     Tensor y = Cube::apply(x);
///
/// forward takes the context and the operands, tensors and others in any order, and returns a
/// tensor or a list of them. It runs with recording off. backward gets one gradient for each output
/// and returns one for each operand, undefined for operands that are no tensors. A call is recorded
/// if grad mode is on and an operand requires grad (G47). Source: torch::autograd::Function.
template <class T>
struct Function {
    /// Calls T::forward. The result is its result, with history.
    /// @throws GradModeError while recording, for an inference tensor that is an output (E17) or
    ///         would be kept (E3), and for a leaf that requires grad and is marked dirty (E10)
    template <class... Args>
    static auto apply(Args&&... args) {
        using Result =
            decltype(T::forward(std::declval<AutogradContext*>(), std::forward<Args>(args)...));
        detail::FunctionOperands operands;
        (operands.add(args), ...);
        detail::FunctionCall call(
            detail::type_name(typeid(T)),
            std::move(operands),
            [](AutogradContext* context, variable_list gradients) -> variable_list {
                return T::backward(context, std::move(gradients));
            });
        variable_list outputs =
            call.finish(detail::to_list(T::forward(call.context(), std::forward<Args>(args)...)));
        if constexpr (std::is_same_v<std::remove_cvref_t<Result>, Tensor>) {
            return std::move(outputs[0]);
        } else {
            return outputs;
        }
    }
};

/// Identity forward; backward stops with undefined gradients.
struct UndefinedGrad {
    /// Views of the inputs whose gradients go nowhere.
    [[nodiscard]] static variable_list apply(const variable_list& inputs);
};

}  // namespace autograd
}  // namespace pumice
