// SPDX-License-Identifier: Apache-2.0
// The autograd side of Tensor's methods.
#include "pumice/autograd.h"
#include "pumice/error.h"
#include "pumice/grad_mode.h"

#include "autograd/meta.h"
#include "autograd/tape.h"
#include "base/warn.h"
#include "dispatch/observer.h"
#include "dispatch/state.h"

#include <fmt/format.h>

namespace pumice {

using autograd::find_meta;
using autograd::meta_of;

Tensor& Tensor::set_requires_grad(bool requires_grad) {
    TensorImpl& impl = checked_impl(*this, "set_requires_grad");
    if (!requires_grad) {
        if (!impl.is_leaf()) {
            throw GradModeError("set_requires_grad",
                                "you can only change requires_grad flags of leaf variables; use "
                                "detach() for a result that should not require grad");
        }
        impl.requires_grad = false;
        return *this;
    }
    if (!pumice::is_floating_point(impl.dtype)) {
        throw DTypeError("set_requires_grad",
                         fmt::format("only Tensors of floating point dtype can require gradients; "
                                     "got {}",
                                     to_string(impl.dtype)));
    }
    if (impl.is_inference && !is_inference_mode_enabled()) {
        throw GradModeError("set_requires_grad",
                            "Setting requires_grad=True on inference tensor outside InferenceMode "
                            "is not allowed.");
    }
    autograd::start_tape();
    impl.requires_grad = true;
    meta_of(impl);
    return *this;
}

Tensor Tensor::grad() const {
    const TensorImpl& impl = checked_impl(*this, "grad");
    const autograd::AutogradMeta* meta = find_meta(impl);
    Tensor grad = meta != nullptr ? meta->grad() : Tensor();
    const bool is_retained = meta != nullptr && meta->retains_grad();
    if (!grad.defined() && impl.tracks_grad() && !impl.is_leaf() && !is_retained) {
        static constinit WarningOnce warning(
            "The .grad of a tensor that is not a leaf was read: backward() does not fill it unless "
            "retain_grad() was called");
        warning.give();
    }
    return grad;
}

void Tensor::set_grad(Tensor grad) {
    TensorImpl& impl = checked_impl(*this, "set_grad");
    if (grad.defined()) {
        if (grad.sizes() != impl.sizes) {
            throw ShapeError(
                "set_grad",
                fmt::format("got {}, wanted the shape of {}", describe(grad), describe(*this)));
        }
        if (grad.dtype() != impl.dtype) {
            throw DTypeError(
                "set_grad",
                fmt::format("got {}, wanted the dtype of {}", describe(grad), describe(*this)));
        }
    }
    if (dispatch::Capturer* const capture = dispatch::capturer()) {
        capture->note_grad_set(*this);
    }
    meta_of(impl).set_grad(std::move(grad));
}

std::shared_ptr<autograd::Node> Tensor::grad_fn() const {
    checked_impl(*this, "grad_fn");
    return autograd::public_node(autograd::grad_fn_of(*this));
}

unsigned Tensor::add_hook(std::function<Tensor(const Tensor&)> hook) {
    TensorImpl& impl = checked_impl(*this, "register_hook");
    if (!impl.tracks_grad()) {
        throw GradModeError("register_hook",
                            "cannot register a hook on a variable that doesn't require gradient");
    }
    const autograd::GraphEdge edge = autograd::gradient_edge(*this);
    return meta_of(impl).hooks(edge).add(std::move(hook));
}

void Tensor::remove_hook(unsigned position) {
    const autograd::AutogradMeta* meta = find_meta(checked_impl(*this, "remove_hook"));
    autograd::HookList* hooks = meta != nullptr ? meta->find_hooks() : nullptr;
    if (hooks == nullptr) {
        throw ArgumentError(
            "remove_hook",
            fmt::format("Invalid index, the hook at position {} of 0 does not exist", position));
    }
    hooks->remove(position);
}

bool Tensor::retains_grad() const {
    const autograd::AutogradMeta* meta = find_meta(checked_impl(*this, "retains_grad"));
    return meta != nullptr && meta->retains_grad();
}

void Tensor::retain_grad() {
    const TensorImpl& impl = checked_impl(*this, "retain_grad");
    if (!impl.tracks_grad()) {
        throw GradModeError("retain_grad",
                            "can't retain_grad on Tensor that has requires_grad=False");
    }
    if (autograd::grad_fn_of(*this)) {
        meta_of(impl_of(*this)).retain_grad();
    }
}

void Tensor::backward(const Tensor& gradient,
                      std::optional<bool> retain_graph,
                      bool create_graph,
                      const std::optional<std::vector<Tensor>>& inputs) const {
    autograd::backward({*this}, {gradient}, retain_graph, create_graph, inputs);
}

Tensor& Tensor::detach_() {
    TensorImpl& impl = checked_impl(*this, "detach_");
    if (impl.is_inference) {
        return *this;
    }
    if (impl.view) {
        throw GradModeError("detach_", "Can't detach views in-place. Use detach() instead.");
    }
    if (impl.autograd) {
        meta_of(impl).set_history({}, 0);
    }
    impl.has_grad_fn = false;
    impl.requires_grad = false;
    return *this;
}

void Tensor::set_data(const Tensor& other) {
    TensorImpl& impl = checked_impl(*this, "set_data");
    const TensorImpl& from = checked_impl(other, "set_data");
    if (impl.is_inference != from.is_inference) {
        throw GradModeError("set_data",
                            "Attempted to call `variable.set_data(tensor)`, but `variable` and "
                            "`tensor` have incompatible tensor type.");
    }
    if (impl.is_inference && !is_inference_mode_enabled()) {
        throw GradModeError(
            "set_data", "Inplace update to inference tensor outside InferenceMode is not allowed.");
    }
    impl.storage = from.storage;
    impl.sizes = from.sizes;
    impl.strides = from.strides;
    impl.offset = from.offset;
    impl.numel = from.numel;
    impl.dtype = from.dtype;
    impl.is_contiguous = from.is_contiguous;
}

}  // namespace pumice
