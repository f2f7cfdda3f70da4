// SPDX-License-Identifier: Apache-2.0
// Nodes of the backward graph: edges, hooks, and a destructor that never recurses.
#include "autograd/node.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "autograd/meta.h"
#include "tensor/debug_counters.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace pumice::autograd {

namespace {

std::atomic<std::uint64_t> last_sequence{0};

// Nodes whose owners are gone, linked by `next_dead_`, waiting for their edges to be dropped. A
// chain of a hundred thousand nodes would overflow the stack if each destructor released the next.
// Nothing that the thread's end would destroy: a tensor may outlive it.
thread_local constinit GraphNode* graveyard = nullptr;
thread_local constinit bool is_draining = false;

}  // namespace

GraphNode::GraphNode(std::size_t edge_count) : edges_(edge_count) {
    debug::count(debug::Counted::kNode);
}

void GraphNode::take_number() noexcept {
    sequence_ = last_sequence.fetch_add(1, std::memory_order_relaxed) + 1;
}

GraphNode::~GraphNode() {
    for (GraphEdge& edge : edges_) {
        if (edge.node && edge.node->use_count() == 1) {
            GraphNode* const dead = edge.node.give_up();
            dead->next_dead_ = std::exchange(graveyard, dead);
        }
    }
    if (is_draining) {
        return;
    }
    is_draining = true;
    while (graveyard != nullptr) {
        GraphNode* const next = graveyard;
        graveyard = next->next_dead_;
        next->release();
    }
    is_draining = false;
}

void GraphNode::add_retainer(std::uint32_t output, AutogradMeta* meta) {
    const std::lock_guard lock(mutex_);
    retainers_.push_back({output, meta});
}

void GraphNode::remove_retainer(const AutogradMeta* meta) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(retainers_, [meta](const Retainer& r) { return r.meta == meta; });
}

bool GraphNode::has_retainers() const {
    const std::lock_guard lock(mutex_);
    return !retainers_.empty();
}

void GraphNode::deliver_retained(std::span<const Tensor> gradients) {
    const std::lock_guard lock(mutex_);
    for (const Retainer& retainer : retainers_) {
        if (gradients[retainer.output].defined()) {
            retainer.meta->add_to_grad(gradients[retainer.output]);
        }
    }
}

void GraphNode::add_hooks(std::uint32_t output, IntrusivePtr<HookList> hooks) {
    const std::lock_guard lock(mutex_);
    hooks_.push_back({output, std::move(hooks)});
}

void GraphNode::run_hooks(std::span<Tensor> gradients) const {
    std::vector<OutputHooks> hooks;
    {
        const std::lock_guard lock(mutex_);
        hooks = hooks_;
    }
    for (const OutputHooks& of_output : hooks) {
        Tensor& gradient = gradients[of_output.output];
        if (gradient.defined()) {
            gradient = of_output.list->run(std::move(gradient));
        }
    }
}

std::vector<Edge> GraphNode::next_edges() const {
    std::vector<Edge> found;
    for (const GraphEdge& edge : edges()) {
        found.push_back({public_node(edge.node), edge.slot});
    }
    return found;
}

unsigned HookList::add(Hook hook) {
    const std::lock_guard lock(mutex_);
    hooks_.push_back(std::move(hook));
    return static_cast<unsigned>(hooks_.size() - 1);
}

void HookList::remove(unsigned position) {
    const std::lock_guard lock(mutex_);
    if (position >= hooks_.size() || !hooks_[position]) {
        throw ArgumentError("remove_hook",
                            fmt::format("Invalid index, the hook at position {} of {} does not "
                                        "exist",
                                        position,
                                        hooks_.size()));
    }
    hooks_[position] = nullptr;
}

Tensor HookList::run(Tensor gradient) const {
    std::vector<Hook> hooks;
    {
        const std::lock_guard lock(mutex_);
        hooks = hooks_;
    }
    for (const Hook& hook : hooks) {
        if (!hook) {
            continue;
        }
        Tensor changed = hook(gradient);
        if (!changed.defined()) {
            continue;
        }
        if (changed.sizes() != gradient.sizes()) {
            throw ShapeError("register_hook",
                             fmt::format("a hook must keep the gradient's shape; got {} for {}",
                                         describe(changed),
                                         describe(gradient)));
        }
        gradient = to(std::move(changed), gradient.dtype());
    }
    return gradient;
}

IntrusivePtr<GraphNode> graph_node(const std::shared_ptr<Node>& node) noexcept {
    return IntrusivePtr<GraphNode>(static_cast<GraphNode*>(node.get()));
}

std::shared_ptr<Node> public_node(const IntrusivePtr<GraphNode>& node) {
    if (!node) {
        return nullptr;
    }
    return {std::make_shared<IntrusivePtr<GraphNode>>(node), node.get()};
}

}  // namespace pumice::autograd
