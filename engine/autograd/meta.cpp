// SPDX-License-Identifier: Apache-2.0
// Where a tensor's own gradient goes: to its `grad`, to a node, or nowhere any more.
#include "autograd/meta.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "dispatch/state.h"
#include "tensor/debug_counters.h"

namespace pumice::autograd {

AutogradMeta::AutogradMeta(const TensorImpl& owner) noexcept : owner_(owner) {
    debug::count(debug::Counted::kAutogradMeta);
}

AutogradMeta::~AutogradMeta() {
    if (accumulator_) {
        accumulator_->forget_target();
    }
    if (retains_grad_ && grad_fn_) {
        grad_fn_->remove_retainer(this);
    }
}

Tensor AutogradMeta::grad() const {
    const std::lock_guard lock(mutex_);
    return grad_;
}

void AutogradMeta::set_grad(Tensor grad) {
    const std::lock_guard lock(mutex_);
    std::swap(grad_, grad);
}

void AutogradMeta::add_to_grad(const Tensor& gradient) {
    const Tensor before = grad();
    set_grad(before.defined() ? add(before, gradient) : clone(gradient));
}

HookList& AutogradMeta::hooks(const GraphEdge& edge) {
    if (!hooks_) {
        hooks_ = IntrusivePtr<HookList>::make();
        if (edge.node) {
            edge.node->add_hooks(edge.slot, hooks_);
        }
    }
    return *hooks_;
}

void AutogradMeta::set_history(IntrusivePtr<GraphNode> grad_fn, std::uint32_t output) noexcept {
    if (retains_grad_ && grad_fn_) {
        grad_fn_->remove_retainer(this);
    }
    grad_fn_ = std::move(grad_fn);
    output_ = output;
    hooks_.reset();  // they stay with the value that they were registered for
    if (retains_grad_ && grad_fn_) {
        grad_fn_->add_retainer(output_, this);
    }
}

LeafState AutogradMeta::leaf_state() const noexcept {
    if (grad_fn_) {
        return LeafState::kInterior;
    }
    return owner_.requires_grad ? LeafState::kTracked : LeafState::kFrozen;
}

void AutogradMeta::retain_grad() {
    if (!retains_grad_ && grad_fn_) {
        retains_grad_ = true;
        grad_fn_->add_retainer(output_, this);
    }
}

const IntrusivePtr<Accumulator>& AutogradMeta::accumulator() {
    const std::lock_guard lock(mutex_);
    if (!accumulator_) {
        accumulator_ = IntrusivePtr<Accumulator>::make(this);
    }
    return accumulator_;
}

Accumulator::Accumulator(AutogradMeta* target) : GraphNode(0), target_(target) {}

void Accumulator::forget_target() noexcept {
    const std::lock_guard lock(mutex_);
    last_state_ = target_->leaf_state();
    target_ = nullptr;
}

namespace {

// What a leaf keeps as its first gradient: one that somebody else holds, or that is expanded, must
// not be written later through `grad`; and `grad` is always normal (G45).
Tensor own(Tensor incoming) {
    const bool is_ours = incoming.use_count() == 1 && incoming.is_contiguous() &&
                         impl_of(incoming).storage->use_count() == 1;
    const bool takes = is_ours || is_grad_enabled();
    if (takes && !incoming.is_inference()) {
        return incoming;
    }
    return clone(incoming);
}

}  // namespace

bool Accumulator::accepts(const Tensor& gradient) {
    const std::lock_guard lock(mutex_);
    const LeafState state = target_ != nullptr ? target_->leaf_state() : last_state_;
    if (gradient.defined() && state == LeafState::kInterior) {
        throw GradModeError("backward",
                            "leaf variable has been moved into the graph interior: a tensor that "
                            "was a leaf of this graph has since been written by a recorded "
                            "operator");
    }
    return gradient.defined() && state == LeafState::kTracked;
}

void Accumulator::prepare(std::span<Tensor> gradients) {
    const std::lock_guard lock(mutex_);
    if (target_ != nullptr && gradients[0].defined() && !target_->grad().defined()) {
        gradients[0] = own(std::move(gradients[0]));
    }
}

void Accumulator::apply(std::span<Tensor> gradients,
                        const std::vector<bool>& /*wanted*/,
                        std::span<Tensor> /*input_gradients*/) {
    const std::lock_guard lock(mutex_);
    if (target_ == nullptr || !gradients[0].defined()) {
        return;
    }
    Tensor incoming = std::move(gradients[0]);
    Tensor existing = target_->grad();
    if (!existing.defined()) {
        target_->set_grad(own(std::move(incoming)));
        return;
    }
    if (is_grad_enabled() || existing.is_inference() || overlaps_itself(impl_of(existing))) {
        target_->set_grad(add(std::move(existing), std::move(incoming)));
    } else {
        add_(existing, std::move(incoming));
    }
}

void attach_history(const Tensor& tensor,
                    const IntrusivePtr<GraphNode>& node,
                    std::size_t output) noexcept {
    TensorImpl& impl = impl_of(tensor);
    meta_of(impl).set_history(node, static_cast<std::uint32_t>(output));
    impl.requires_grad = true;
    impl.has_grad_fn = true;
    if (impl.view) {
        impl.view->attr_version = impl.version->value();
    }
}

AutogradMeta& meta_of(TensorImpl& impl) {
    if (!impl.autograd) {
        impl.autograd = std::make_unique<AutogradMeta>(impl);
    }
    return static_cast<AutogradMeta&>(*impl.autograd);
}

AutogradMeta* find_meta(const TensorImpl& impl) noexcept {
    return static_cast<AutogradMeta*>(impl.autograd.get());
}

namespace {

[[noreturn]] void throw_indirect(CreationMeta creation) {
    std::string how;
    switch (creation) {
        case CreationMeta::kInferenceMode: how = "A view was created in inference mode"; break;
        case CreationMeta::kNoGradMode: how = "A view was created in no_grad mode"; break;
        case CreationMeta::kInCustomFunction:
            how = "A view was created inside a custom Function, or is an input that it returned,";
            break;
        default: how = "A view that is one of several outputs of its function";
    }
    throw GradModeError("grad_fn",
                        how +
                            " and its base or another view of its base has been modified "
                            "inplace with grad mode enabled.");
}

// The history of a view whose base was written and then detached: its gradient goes nowhere.
class DetachedBase final : public GraphNode {
public:
    DetachedBase() : GraphNode(0) { take_number(); }

    void apply(std::span<Tensor> /*gradients*/,
               const std::vector<bool>& /*wanted*/,
               std::span<Tensor> /*input_gradients*/) override {}

    std::string name() const override { return "DetachedBase"; }

    std::size_t output_count() const noexcept override { return 1; }
};

// G35: the base was written since the view's history was computed.
void rebuild_if_stale(const Tensor& tensor) {
    TensorImpl& impl = impl_of(tensor);
    if (!impl.view || impl.view->attr_version == impl.version->value()) {
        return;
    }
    if (!impl.has_grad_fn && !impl.view->base->requires_grad) {
        return;  // nothing to make, and a leaf if it is tracked
    }
    if (impl.view->creation != CreationMeta::kDefault) {
        throw_indirect(impl.view->creation);
    }
    const Tensor base(IntrusivePtr<RefCounted>(impl.view->base.get()));
    const dispatch::UncheckedState state({.grad = true, .inference = false, .fw_grad = true});
    const Tensor fresh = as_strided(base, impl.sizes, impl.strides, impl.offset);
    const AutogradMeta* history = find_meta(impl_of(fresh));
    if (history != nullptr && history->grad_fn()) {
        attach_history(tensor, history->grad_fn(), history->output());
    } else {
        attach_history(tensor, IntrusivePtr<GraphNode>(new DetachedBase), 0);
    }
}

}  // namespace

IntrusivePtr<GraphNode> grad_fn_of(const Tensor& tensor) {
    rebuild_if_stale(tensor);
    const AutogradMeta* meta = find_meta(impl_of(tensor));
    return meta != nullptr ? meta->grad_fn() : IntrusivePtr<GraphNode>();
}

GraphEdge gradient_edge(const Tensor& tensor) {
    if (!tensor.defined()) {
        return {};
    }
    TensorImpl& impl = impl_of(tensor);
    if (!impl.tracks_grad()) {
        return {};
    }
    rebuild_if_stale(tensor);
    if (impl.has_grad_fn) {
        const AutogradMeta& meta = meta_of(impl);
        return {meta.grad_fn(), meta.output()};
    }
    if (!impl.requires_grad) {
        return {};  // G38: R through its base only, made without history
    }
    return {IntrusivePtr<GraphNode>(meta_of(impl).accumulator().get()), 0};
}

}  // namespace pumice::autograd
