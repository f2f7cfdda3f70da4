// SPDX-License-Identifier: Apache-2.0
// The node of a recorded operator: what is saved, whom it serves, and what a second walk is told.
#include "autograd/op_node.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include "autograd/anomaly.h"
#include "autograd/meta.h"
#include "dispatch/corridor.h"

#include <fmt/format.h>

#include <cctype>
#include <cstring>

namespace pumice::autograd {

/// The formula's view of one node while it is applied.
class OpBackwardCall final : public dispatch::BackwardCall {
public:
    OpBackwardCall(OpNode& node,
                   std::span<Tensor> gradients,
                   const std::vector<bool>& wanted,
                   std::span<Tensor> input_gradients)
        : node_(node), gradients_(gradients), wanted_(wanted), results_(input_gradients) {}

    [[nodiscard]] Tensor input(std::size_t index) const override {
        return node_.inputs_[index].saved.unpack(node_.def_.name);
    }

    [[nodiscard]] Tensor output(std::size_t index) const override {
        Tensor saved = node_.saved_outputs_[index].unpack(node_.def_.name);
        if (!is_grad_enabled()) {
            return saved;
        }
        // Under create_graph the saved alias gets the history that keeping the output itself would
        // have given, without the cycle.
        Tensor with_history = dispatch::alias(saved, true);
        TensorImpl& impl = impl_of(with_history);
        meta_of(impl).set_history(IntrusivePtr<GraphNode>(&node_),
                                  static_cast<std::uint32_t>(index));
        impl.requires_grad = true;
        impl.has_grad_fn = true;
        return with_history;
    }

    [[nodiscard]] Tensor mask() const override { return node_.mask_.unpack(node_.def_.name); }

    [[nodiscard]] const Dims& input_sizes(std::size_t index) const override {
        return node_.inputs_[index].sizes;
    }

    [[nodiscard]] DType input_dtype(std::size_t index) const override {
        return node_.inputs_[index].dtype;
    }

    [[nodiscard]] std::size_t input_count() const override { return node_.inputs_.size(); }

    [[nodiscard]] const Tensor& grad(std::size_t index) const override { return gradients_[index]; }

    [[nodiscard]] bool needs(std::size_t index) const override { return wanted_[index]; }

    [[nodiscard]] const void* attrs() const override { return node_.attrs_.data(); }

    void set(std::size_t index, Tensor gradient) override {
        const OpNode::InputRecord& record = node_.inputs_[index];
        if (gradient.sizes() != record.sizes) {
            throw InternalError(node_.def_.name,
                                fmt::format("the backward formula gave input {} a gradient of "
                                            "shape {}, wanted {}",
                                            index,
                                            to_string(gradient.sizes()),
                                            to_string(record.sizes)));
        }
        results_[index] =
            gradient.dtype() == record.dtype ? std::move(gradient) : to(gradient, record.dtype);
    }

private:
    OpNode& node_;
    std::span<Tensor> gradients_;
    const std::vector<bool>& wanted_;
    std::span<Tensor> results_;
};

OpNode::OpNode(const dispatch::OpCall& call, bool is_in_place)
    : GraphNode(call.inputs.size()), def_(call.def), inputs_(call.inputs.size()) {
    if (call.attrs.size_bytes > 0) {
        std::memcpy(attrs_.data(), call.attrs.data, call.attrs.size_bytes);
    }
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        const Tensor& input = call.inputs[i];
        if (!input.defined()) {
            continue;
        }
        inputs_[i].sizes = impl_of(input).sizes;
        inputs_[i].dtype = impl_of(input).dtype;
        if (def_.grad_of(i) == dispatch::Grad::kFormula) {
            set_edge(i, gradient_edge(input));
        }
    }
    take_number();
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
        const Tensor& input = call.inputs[i];
        if (!input.defined() || !formula_reads(i)) {
            continue;
        }
        // The call is about to overwrite its own first operand.
        const bool is_overwritten = is_in_place && i == 0 && !impl_of(input).is_inference;
        inputs_[i].saved = SavedTensor::of(def_.name, is_overwritten ? clone(input) : input);
    }
    if (def_.mask != nullptr) {
        mask_ = SavedTensor::of(def_.name, def_.mask(call));
    }
    note_forward(*this, def_.name, call.inputs);
}

// Whether the formula reads the saved input for one of the gradients that are wanted.
template <class IsWanted>
bool OpNode::is_read_for(std::size_t input, IsWanted&& is_wanted) const noexcept {
    const std::size_t row = def_.is_variadic ? 0 : input;
    if ((def_.saved.inputs >> row & 1U) == 0) {
        return false;
    }
    const std::uint8_t readers = def_.saved.input_is_for[row];
    if (readers == 0) {
        return true;
    }
    for (std::size_t i = 0; i < edges().size(); ++i) {
        if ((readers >> i & 1U) != 0 && is_wanted(i)) {
            return true;
        }
    }
    return false;
}

bool OpNode::formula_reads(std::size_t input) const noexcept {
    return is_read_for(input, [this](std::size_t i) { return bool(edges()[i].node); });
}

void throw_second_walk(std::string_view op) {
    throw GradModeError(op,
                        "Trying to backward through the graph a second time: its saved tensors "
                        "were freed. Pass retain_graph=true to the first call.");
}

void OpNode::check_not_released() const {
    if (is_released_) {
        throw_second_walk(def_.name);
    }
}

void OpNode::check_saved(const std::vector<bool>& wanted) const {
    check_not_released();
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
        if (is_read_for(i, [&wanted](std::size_t edge) { return wanted[edge]; })) {
            inputs_[i].saved.check(def_.name);
        }
    }
    mask_.check(def_.name);
    for (const SavedTensor& saved : saved_outputs_) {
        saved.check(def_.name);
    }
}

void OpNode::save_outputs(std::span<const Tensor> outputs) noexcept {
    output_count_ = outputs.size();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        if ((def_.saved.outputs >> i & 1U) != 0) {
            saved_outputs_[i] = SavedTensor::of_output(outputs[i]);
        }
    }
}

void OpNode::pack_outputs() {
    for (SavedTensor& saved : saved_outputs_) {
        saved.pack();
    }
}

void OpNode::apply(std::span<Tensor> gradients,
                   const std::vector<bool>& wanted,
                   std::span<Tensor> input_gradients) {
    check_not_released();
    OpBackwardCall call(*this, gradients, wanted, input_gradients);
    def_.backward(call);
}

void OpNode::release_saved() noexcept {
    const bool saves = def_.saved.inputs != 0 || def_.saved.outputs != 0 || def_.mask != nullptr;
    is_released_ = is_released_ || saves;
    for (InputRecord& record : inputs_) {
        record.saved.reset();
    }
    mask_.reset();
    for (SavedTensor& saved : saved_outputs_) {
        saved.reset();
    }
}

std::string OpNode::name() const {
    // add_relu -> AddReluBackward
    std::string name;
    bool starts_word = true;
    for (const char letter : def_.name) {
        if (letter == '_') {
            starts_word = true;
            continue;
        }
        name += starts_word ? static_cast<char>(std::toupper(static_cast<unsigned char>(letter)))
                            : letter;
        starts_word = false;
    }
    return name + "Backward";
}

}  // namespace pumice::autograd
