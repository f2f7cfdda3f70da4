// SPDX-License-Identifier: Apache-2.0
// How a captured backward leaves its gradients at leaves.
#include "graph/leaf_gradients.h"

#include "autograd/meta.h"

#include <utility>

namespace pumice::graph {

namespace {

Tensor grad_of(const TensorImpl& tensor) {
    const autograd::AutogradMeta* const meta = autograd::find_meta(tensor);
    return meta == nullptr ? Tensor() : meta->grad();
}

bool is_same(const Tensor& a, const Tensor& b) noexcept {
    return a.impl() == b.impl();
}

}  // namespace

void LeafGradients::remember(const IntrusivePtr<TensorImpl>& tensor) {
    before_.try_emplace(tensor.get(), Before{.tensor = tensor, .grad = grad_of(*tensor)});
}

void LeafGradients::see(const IntrusivePtr<TensorImpl>& tensor) {
    remember(tensor);
    if (seen_.insert(tensor.get()).second) {
        leaves_.push_back({.tensor = tensor, .found = grad_of(*tensor), .left = {}});
    }
}

void LeafGradients::note_set(const IntrusivePtr<TensorImpl>& tensor, const IsUsed& is_used) {
    remember(tensor);
    const Tensor grad = grad_of(*tensor);
    if (!grad.defined() || !is_used(grad)) {
        set_first_.insert(tensor.get());
    }
}

void LeafGradients::finish(const IsUsed& is_used) {
    std::vector<Leaf> kept;
    for (Leaf& leaf : leaves_) {
        leaf.left = grad_of(*leaf.tensor);
        leaf.is_set_first = set_first_.contains(leaf.tensor.get());
        const bool is_exchanged = !is_same(leaf.found, leaf.left);
        const bool uses_found = leaf.found.defined() && is_used(leaf.found);
        if (!leaf.is_set_first && !is_exchanged && !uses_found) {
            continue;  // none of the function's concern
        }
        if (leaf.is_set_first) {
            leaf.found = {};
        } else if (is_exchanged && leaf.found.defined()) {
            autograd::meta_of(*leaf.tensor).set_grad(leaf.found);
        }
        kept.push_back(std::move(leaf));
    }
    leaves_ = std::move(kept);
    before_.clear();
    seen_.clear();
    set_first_.clear();
}

void LeafGradients::undo() noexcept {
    for (const auto& [key, before] : before_) {
        // Where they differ there are data to hold a gradient, so nothing is allocated.
        if (!is_same(grad_of(*before.tensor), before.grad)) {
            autograd::meta_of(*before.tensor).set_grad(before.grad);
        }
    }
    before_.clear();
}

const TensorImpl* LeafGradients::exchanged() const {
    for (const Leaf& leaf : leaves_) {
        const Tensor now = grad_of(*leaf.tensor);
        // A first gradient stays the plan's: replays write it anew.
        const bool is_known = leaf.is_set_first || is_same(now, leaf.found) ||
                              (!leaf.found.defined() && is_same(now, leaf.left));
        if (!is_known) {
            return leaf.tensor.get();
        }
    }
    return nullptr;
}

void LeafGradients::hand_over() const {
    for (const Leaf& leaf : leaves_) {
        if (!is_same(grad_of(*leaf.tensor), leaf.left)) {
            autograd::meta_of(*leaf.tensor).set_grad(leaf.left);
        }
    }
}

}  // namespace pumice::graph
