// SPDX-License-Identifier: Apache-2.0
// Saved tensors: which are kept as they are, which by hooks, and when one is too new to be read.
#include "autograd/saved_tensor.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/saved_tensor_hooks.h"

#include "autograd/meta.h"
#include "dispatch/corridor.h"
#include "dispatch/state.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::autograd {

using dispatch::thread_state;

SavedTensorHooksGuard::SavedTensorHooksGuard(SavedTensorHooks hooks)
    : hooks_(std::make_shared<const SavedTensorHooks>(std::move(hooks))),
      outer_(thread_state.saved_hooks) {
    if (!hooks_->pack || !hooks_->unpack) {
        throw ArgumentError("SavedTensorHooksGuard", "pack and unpack are both needed");
    }
    thread_state.saved_hooks = this;
}

SavedTensorHooksGuard::~SavedTensorHooksGuard() {
    thread_state.saved_hooks = outer_;
}

struct SavedTensor::Packed {
    std::shared_ptr<const SavedTensorHooks> hooks;
    std::any value;
    GraphEdge edge;  ///< where an operand's gradient goes
    Dims sizes;
    DType dtype = kFloat32;

    [[nodiscard]] Tensor unpack(std::string_view op) const;
};

Tensor SavedTensor::Packed::unpack(std::string_view op) const {
    Tensor tensor = no_grad([this] { return hooks->unpack(value); });
    if (!tensor.defined() || tensor.sizes() != sizes || tensor.dtype() != dtype) {
        throw ArgumentError(
            op,
            fmt::format("the unpack hook gave {} for a saved tensor of shape {} and dtype {}",
                        tensor.defined() ? describe(tensor) : "an undefined tensor",
                        to_string(sizes),
                        to_string(dtype)));
    }
    if (!edge.node || !is_grad_enabled()) {
        return tensor;
    }
    Tensor with_history = dispatch::alias(tensor, true);
    attach_history(with_history, edge.node, edge.slot);
    return with_history;
}

SavedTensor::SavedTensor() noexcept = default;
SavedTensor::SavedTensor(SavedTensor&& other) noexcept = default;
SavedTensor& SavedTensor::operator=(SavedTensor&& other) noexcept = default;
SavedTensor::~SavedTensor() = default;

SavedTensor SavedTensor::of(std::string_view op, const Tensor& tensor) {
    const TensorImpl& impl = impl_of(tensor);
    if (impl.is_inference) {
        throw GradModeError(op,
                            "Inference tensors cannot be saved for backward. To work around you "
                            "can make a clone to get a normal tensor and use it in autograd.");
    }
    SavedTensor saved;
    saved.tensor_ = tensor;
    saved.version_ = impl.version ? impl.version->value() : 0;
    saved.pack();
    return saved;
}

SavedTensor SavedTensor::of_output(const Tensor& tensor) noexcept {
    SavedTensor saved;
    saved.tensor_ = dispatch::alias(tensor, true);
    const TensorImpl& impl = impl_of(tensor);
    saved.version_ = impl.version ? impl.version->value() : 0;
    return saved;
}

void SavedTensor::pack() {
    const SavedTensorHooksGuard* guard = thread_state.saved_hooks;
    if (guard == nullptr || !tensor_.defined()) [[likely]] {
        return;
    }
    auto packed = std::make_unique<Packed>();
    packed->hooks = guard->hooks_;
    packed->edge = gradient_edge(tensor_);
    packed->sizes = tensor_.sizes();
    packed->dtype = tensor_.dtype();
    packed->value = no_grad([&] { return packed->hooks->pack(dispatch::alias(tensor_, true)); });
    tensor_.reset();
    packed_ = std::move(packed);
}

void SavedTensor::check(std::string_view op) const {
    if (!tensor_.defined()) {
        return;  // packed, or an optional operand that was not given
    }
    const TensorImpl& impl = impl_of(tensor_);
    if (impl.version && impl.version->value() != version_) {
        throw GradModeError(
            op,
            fmt::format("one of the variables needed for gradient computation has been modified by "
                        "an inplace operation: {} is at version {}, expected version {}",
                        describe(tensor_),
                        impl.version->value(),
                        version_));
    }
}

Tensor SavedTensor::unpack(std::string_view op) const {
    check(op);
    return packed_ ? packed_->unpack(op) : tensor_;
}

void SavedTensor::reset() noexcept {
    tensor_.reset();
    packed_.reset();
}

}  // namespace pumice::autograd
