// SPDX-License-Identifier: Apache-2.0
// Custom functions: the call around forward, and its node.
#include "pumice/function.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "autograd/anomaly.h"
#include "autograd/copy_slices.h"
#include "autograd/function_node.h"
#include "autograd/meta.h"
#include "dispatch/corridor.h"
#include "dispatch/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <utility>

namespace pumice::autograd {

namespace {

// Which gradients the walk that this thread is in wants of the node that it is at.
struct Asked {
    const AutogradContext* context = nullptr;
    const std::vector<bool>* wanted = nullptr;
};

thread_local Asked asked;

class AskedScope {
public:
    AskedScope(const AutogradContext* context, const std::vector<bool>* wanted)
        : before_(std::exchange(asked, {context, wanted})) {}

    AskedScope(const AskedScope&) = delete;
    AskedScope& operator=(const AskedScope&) = delete;
    AskedScope(AskedScope&&) = delete;
    AskedScope& operator=(AskedScope&&) = delete;

    ~AskedScope() { asked = before_; }

private:
    Asked before_;
};

bool contains(const variable_list& list, const Tensor& tensor) {
    return std::any_of(
        list.begin(), list.end(), [&](const Tensor& other) { return other.is_same(tensor); });
}

}  // namespace

void AutogradContext::save_for_backward(variable_list to_save) {
    if (is_recorded_) {
        to_save_ = std::move(to_save);
    }
}

variable_list AutogradContext::get_saved_variables() const {
    return node_ != nullptr ? node_->unpack() : variable_list();
}

void AutogradContext::mark_dirty(const variable_list& inputs) {
    dirty_ = inputs;
}

void AutogradContext::mark_non_differentiable(const variable_list& outputs) {
    non_differentiable_ = outputs;
}

bool AutogradContext::needs_input_grad(std::size_t index) const {
    const std::vector<bool>& needs = asked.context == this ? *asked.wanted : needs_;
    if (index >= needs.size()) {
        throw ArgumentError(
            "needs_input_grad",
            fmt::format("the call has {} tensor operands; got index {}", needs.size(), index));
    }
    return needs[index];
}

bool AutogradContext::needs_input_grad(std::initializer_list<IndexRange> ranges) const {
    return std::any_of(ranges.begin(), ranges.end(), [this](const IndexRange& range) {
        for (std::size_t i = range.first; i < range.second; ++i) {
            if (needs_input_grad(i)) {
                return true;
            }
        }
        return false;
    });
}

namespace detail {

FunctionNode::FunctionNode(std::string name,
                           BackwardFunction backward,
                           FunctionOperands operands,
                           const std::vector<Edge>& edges,
                           std::unique_ptr<AutogradContext> context)
    : GraphNode(edges.size()),
      name_(std::move(name)),
      backward_(backward),
      is_tensor_(std::move(operands.is_tensor)),
      context_(std::move(context)) {
    for (std::size_t i = 0; i < edges.size(); ++i) {
        set_edge(i, {graph_node(edges[i].function), edges[i].input_nr});
    }
    take_number();
    for (const Tensor& tensor : operands.tensors) {
        inputs_.push_back(tensor.defined() ? Meta{tensor.sizes(), tensor.dtype(), true} : Meta{});
    }
    note_forward(*this, name_, operands.tensors);
}

void FunctionNode::save(const variable_list& outputs) {
    for (const Tensor& output : outputs) {
        outputs_.push_back({output.sizes(), output.dtype(), true});
    }
    for (const Tensor& tensor : std::exchange(context_->to_save_, {})) {
        Saved& saved = saved_.emplace_back();
        if (!tensor.defined()) {
            continue;
        }
        const auto output = std::find_if(outputs.begin(), outputs.end(), [&](const Tensor& other) {
            return other.is_same(tensor);
        });
        if (output == outputs.end()) {
            saved.tensor = SavedTensor::of(name_, tensor);
        } else {
            // An output holds this node; saved as an alias it makes no cycle.
            saved.output = output - outputs.begin();
            saved.tensor = SavedTensor::of_output(tensor);
            saved.tensor.pack();
        }
    }
    context_->node_ = this;
}

variable_list FunctionNode::unpack() {
    check_not_released();
    variable_list tensors;
    for (const Saved& saved : saved_) {
        Tensor tensor = saved.tensor.unpack(name_);
        if (saved.output >= 0 && tensor.is_floating_point()) {
            tensor = dispatch::alias(tensor, true);
            attach_history(
                tensor, IntrusivePtr<GraphNode>(this), static_cast<std::size_t>(saved.output));
        }
        tensors.push_back(std::move(tensor));
    }
    return tensors;
}

void FunctionNode::check_not_released() const {
    if (is_released_) {
        throw_second_walk(name_);
    }
}

void FunctionNode::check_saved(const std::vector<bool>& /*wanted*/) const {
    check_not_released();
    for (const Saved& saved : saved_) {
        saved.tensor.check(name_);
    }
}

void FunctionNode::release_saved() noexcept {
    is_released_ = is_released_ || !saved_.empty();
    saved_.clear();
}

variable_list FunctionNode::to_tensors(variable_list gradients) const {
    const auto is_undefined = [](const Tensor& gradient) { return !gradient.defined(); };
    if (gradients.size() > is_tensor_.size() &&
        std::all_of(gradients.begin() + static_cast<std::ptrdiff_t>(is_tensor_.size()),
                    gradients.end(),
                    is_undefined)) {
        gradients.resize(is_tensor_.size());
    }
    if (gradients.size() != is_tensor_.size()) {
        throw ArgumentError(
            name_,
            fmt::format("backward returned an incorrect number of gradients (expected {}, got {})",
                        is_tensor_.size(),
                        gradients.size()));
    }
    variable_list tensors;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
        if (is_tensor_[i]) {
            tensors.push_back(std::move(gradients[i]));
        } else if (gradients[i].defined()) {
            throw ArgumentError(
                name_,
                fmt::format("backward returned a gradient that is defined at position {}, but that "
                            "operand is no tensor",
                            i));
        }
    }
    return tensors;
}

Tensor FunctionNode::checked_gradient(Tensor gradient, std::size_t operand) const {
    const Meta& meta = inputs_[operand];
    if (gradient.sizes() != meta.sizes) {
        throw ShapeError(name_,
                         fmt::format("backward returned an invalid gradient at index {} - got {} "
                                     "but expected shape compatible with {}",
                                     operand,
                                     to_string(gradient.sizes()),
                                     to_string(meta.sizes)));
    }
    return to(std::move(gradient), meta.dtype);
}

void FunctionNode::apply(std::span<Tensor> gradients,
                         const std::vector<bool>& wanted,
                         std::span<Tensor> input_gradients) {
    const std::lock_guard lock(mutex_);
    variable_list arrived(gradients.begin(), gradients.end());
    for (std::size_t i = 0; i < arrived.size() && context_->materializes_; ++i) {
        if (!arrived[i].defined()) {
            arrived[i] = zeros(outputs_[i].sizes, outputs_[i].dtype);
        }
    }
    variable_list results;
    {
        const AskedScope scope(context_.get(), &wanted);
        results = to_tensors(backward_(context_.get(), std::move(arrived)));
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (results[i].defined() && wanted[i]) {
            input_gradients[i] = checked_gradient(std::move(results[i]), i);
        }
    }
}

FunctionCall::FunctionCall(std::string name, FunctionOperands operands, BackwardFunction backward)
    : name_(std::move(name)),
      operands_(std::move(operands)),
      backward_(backward),
      context_(std::make_unique<AutogradContext>()),
      call_(*context_),
      before_(dispatch::thread_state.autograd) {
    for (const Tensor& tensor : operands_.tensors) {
        const bool needs = tensor.defined() && tensor.requires_grad();
        call_.needs_.push_back(needs);
        call_.is_recorded_ = call_.is_recorded_ || (before_.grad && needs);
    }
    if (call_.is_recorded_) {
        // Before forward: it may write an operand and so change where its gradient goes.
        for (const Tensor& tensor : operands_.tensors) {
            const GraphEdge edge = gradient_edge(tensor);
            edges_.push_back({public_node(edge.node), edge.slot});
        }
    }
    dispatch::thread_state.autograd.grad = false;
}

FunctionCall::~FunctionCall() {
    dispatch::thread_state.autograd = before_;
}

// What becomes of one output, as in LibTorch: an operand that forward has written gets the node as
// its history, an operand that it hands on comes out as a view, the rest is new.
Tensor FunctionCall::wrap(Tensor output, std::size_t index, GraphNode* node) const {
    const bool is_input = contains(operands_.tensors, output);
    const bool is_dirty = contains(call_.dirty_, output);
    if (is_dirty && impl_of(output).version) {
        impl_of(output).version->bump();
    }
    if (node == nullptr || !is_differentiable(output)) {
        // A view of a tracked tensor stays one, as where no_grad code returns it.
        if (!is_dirty && output.requires_grad() && (is_input || !impl_of(output).view)) {
            return output.detach();
        }
        return is_input && !is_dirty ? output.view(output.sizes()) : output;
    }
    const IntrusivePtr<GraphNode> history(node);
    if (is_dirty && impl_of(output).view) {
        const auto operand = std::find_if(
            operands_.tensors.begin(), operands_.tensors.end(), [&](const Tensor& other) {
                return other.is_same(output);
            });
        rebase_through_view(
            output, history, static_cast<std::size_t>(operand - operands_.tensors.begin()));
        return output;
    }
    if (is_input && !is_dirty) {
        output = output.view(output.sizes());
    }
    if (!is_dirty && impl_of(output).view) {
        impl_of(output).view->creation = CreationMeta::kInCustomFunction;
    }
    attach_history(output, history, index);
    return output;
}

bool FunctionCall::is_differentiable(const Tensor& output) const {
    return output.is_floating_point() && !contains(call_.non_differentiable_, output);
}

// All that can be refused, before an output is touched.
void FunctionCall::check(const variable_list& outputs) const {
    for (const Tensor& output : outputs) {
        checked_impl(output, name_.c_str());
        if (is_differentiable(output) && output.is_inference()) {
            throw GradModeError(name_, "Cannot attach autograd history to an inference tensor");
        }
    }
    for (const Tensor& tensor : call_.dirty_) {
        if (!contains(operands_.tensors, tensor) || !contains(outputs, tensor)) {
            throw ArgumentError(name_,
                                fmt::format("{} was marked dirty, so it must be an operand and one "
                                            "of the outputs",
                                            describe(tensor)));
        }
        if (overlaps_itself(impl_of(tensor))) {
            throw ArgumentError(name_,
                                fmt::format("{} was marked dirty, but has several elements in one "
                                            "place; clone() it first",
                                            describe(tensor)));
        }
        dispatch::check_in_place(name_, tensor);
        if (tensor.is_view() && outputs.size() != 1) {
            throw GradModeError(name_,
                                fmt::format("a Function that writes a view in place must have only "
                                            "one output; got {}",
                                            outputs.size()));
        }
    }
}

variable_list FunctionCall::finish(variable_list outputs) {
    IntrusivePtr<FunctionNode> node;
    if (call_.is_recorded_) {
        check(outputs);
        node = IntrusivePtr<FunctionNode>::make(
            name_, backward_, operands_, edges_, std::move(context_));
        node->save(outputs);
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        outputs[i] = wrap(std::move(outputs[i]), i, node.get());
    }
    // The node keeps the context and is kept by these tensors: nobody would end either.
    call_.dirty_.clear();
    call_.non_differentiable_.clear();
    return outputs;
}

std::string type_name(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> readable(
        abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
    const std::string name = status == 0 ? readable.get() : type.name();
    const std::size_t scope = name.rfind("::");
    return scope == std::string::npos ? name : name.substr(scope + 2);
}

}  // namespace detail

namespace {

struct Undefined : Function<Undefined> {
    static variable_list forward(AutogradContext* /*context*/, const variable_list& inputs) {
        return inputs;
    }

    static variable_list backward(AutogradContext* /*context*/, const variable_list& gradients) {
        return variable_list(gradients.size());
    }
};

}  // namespace

variable_list UndefinedGrad::apply(const variable_list& inputs) {
    return Undefined::apply(inputs);
}

}  // namespace pumice::autograd
