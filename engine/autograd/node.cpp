// SPDX-License-Identifier: Apache-2.0
#include "autograd/node.h"

#include "autograd/meta.h"
#include "tensor/debug_counters.h"

#include <algorithm>
#include <atomic>

namespace pumice::autograd {

namespace {

std::atomic<std::uint64_t> last_sequence{0};

// Nodes whose owners are gone, waiting for their edges to be dropped. A chain of a hundred thousand
// nodes would overflow the stack if each destructor released the next.
struct Graveyard {
    std::vector<IntrusivePtr<Node>> nodes;
    bool is_draining = false;
};

thread_local Graveyard graveyard;

}  // namespace

std::uint64_t next_sequence() noexcept {
    return last_sequence.fetch_add(1, std::memory_order_relaxed) + 1;
}

Node::Node(std::uint64_t sequence, std::size_t edge_count)
    : sequence_(sequence), edges_(edge_count) {
    debug::count(debug::Counted::kNode);
}

Node::~Node() {
    Graveyard& grave = graveyard;
    for (Edge& edge : edges_) {
        if (edge.node && edge.node->use_count() == 1) {
            grave.nodes.push_back(std::move(edge.node));
        }
    }
    if (grave.is_draining) {
        return;
    }
    grave.is_draining = true;
    while (!grave.nodes.empty()) {
        const IntrusivePtr<Node> next = std::move(grave.nodes.back());
        grave.nodes.pop_back();
    }
    grave.is_draining = false;
}

void Node::add_retainer(std::uint32_t output, AutogradMeta* meta) {
    const std::lock_guard lock(retainers_mutex_);
    retainers_.push_back({output, meta});
}

void Node::remove_retainer(const AutogradMeta* meta) noexcept {
    const std::lock_guard lock(retainers_mutex_);
    std::erase_if(retainers_, [meta](const Retainer& r) { return r.meta == meta; });
}

bool Node::has_retainers() const {
    const std::lock_guard lock(retainers_mutex_);
    return !retainers_.empty();
}

void Node::deliver_retained(std::span<const Tensor> gradients) {
    const std::lock_guard lock(retainers_mutex_);
    for (const Retainer& retainer : retainers_) {
        if (gradients[retainer.output].defined()) {
            retainer.meta->set_grad(gradients[retainer.output]);
        }
    }
}

}  // namespace pumice::autograd
