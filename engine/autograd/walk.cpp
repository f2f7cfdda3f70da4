// SPDX-License-Identifier: Apache-2.0
#include "autograd/walk.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "dispatch/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace pumice::autograd {

namespace {

// All nodes reachable from the roots, in descending sequence: a topological order (Note
// [Sequence]).
std::vector<Node*> reachable(const std::vector<Edge>& roots) {
    std::vector<Node*> found;
    std::unordered_set<Node*> seen;
    const auto visit = [&](Node* node) {
        if (node != nullptr && seen.insert(node).second) {
            found.push_back(node);
        }
    };
    for (const Edge& root : roots) {
        visit(root.node.get());
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
        for (const Edge& edge : found[i]->edges()) {
            visit(edge.node.get());
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const Node* a, const Node* b) {
        return a->sequence() > b->sequence();
    });
    return found;
}

class Walk {
public:
    explicit Walk(const WalkRequest& request)
        : request_(request), order_(reachable(request.roots)), captured_(request.captures.size()) {
        find_needed();
    }

    std::vector<Tensor> run() {
        check();
        for (std::size_t i = 0; i < request_.roots.size(); ++i) {
            receive(request_.roots[i], request_.root_gradients[i]);
        }
        // Accumulators come last (Note [Sequence]): only they write what the caller sees.
        const auto leaves = std::find_if(
            order_.begin(), order_.end(), [](const Node* node) { return node->sequence() == 0; });
        std::for_each(order_.begin(), leaves, [this](Node* node) { visit_if_reached(*node); });
        std::for_each(leaves, order_.end(), [this](Node* node) { prepare(*node); });
        check_captured();
        std::for_each(leaves, order_.end(), [this](Node* node) { visit_if_reached(*node); });
        for (const auto& [node, gradients] : retained_) {
            node->deliver_retained(gradients);
        }
        return std::move(captured_);
    }

private:
    // What the walk would stumble over is found before it frees or writes anything.
    void check() {
        for (std::size_t i = 0; i < request_.captures.size() && !request_.allow_unused; ++i) {
            if (!is_on_a_path(request_.captures[i])) {
                throw_unused(i);
            }
        }
        std::vector<bool> wanted;
        for (const Node* node : order_) {
            if (is_needed(node) && find_wanted(*node, wanted)) {
                node->check_saved(wanted);
            }
        }
    }

    bool is_on_a_path(const Edge& wanted) const {
        const auto leads_there = [&wanted](const Edge& edge) {
            return edge.node.get() == wanted.node.get() && edge.slot == wanted.slot;
        };
        return std::any_of(request_.roots.begin(), request_.roots.end(), leads_there) ||
               std::any_of(order_.begin(), order_.end(), [&leads_there](const Node* node) {
                   const auto edges = node->edges();
                   return std::any_of(edges.begin(), edges.end(), leads_there);
               });
    }

    [[noreturn]] static void throw_unused(std::size_t capture) {
        throw GradModeError("grad",
                            fmt::format("input {} was not used in the graph; pass "
                                        "allow_unused=true if that is intended",
                                        capture));
    }

    // A path may be there with nothing flowing along it, which only the walk can tell.
    void check_captured() const {
        for (std::size_t i = 0; i < request_.captures.size() && !request_.allow_unused; ++i) {
            // Captured leaves have not been visited yet.
            if (!captured_[i].defined() && !inbox_.contains(request_.captures[i].node.get())) {
                throw_unused(i);
            }
        }
    }

    // Which of a node's edges are to have gradients; false if none.
    bool find_wanted(const Node& node, std::vector<bool>& wanted) const {
        const auto edges = node.edges();
        wanted.assign(edges.size(), false);
        bool is_any = false;
        for (std::size_t i = 0; i < edges.size(); ++i) {
            wanted[i] = is_needed(edges[i].node.get());
            is_any = is_any || wanted[i];
        }
        return is_any;
    }

    void visit_if_reached(Node& node) {
        const auto found = inbox_.find(&node);
        if (found != inbox_.end()) {
            std::vector<Tensor> gradients = std::move(found->second);
            inbox_.erase(found);
            visit(node, gradients);
        }
    }

    void prepare(Node& leaf) {
        const auto found = inbox_.find(&leaf);
        if (found != inbox_.end() && request_.captures.empty()) {
            leaf.prepare(found->second);
        }
    }

    // Which nodes lead to a capture; without captures, all do.
    void find_needed() {
        if (request_.captures.empty()) {
            return;
        }
        for (const Edge& capture : request_.captures) {
            needed_.insert(capture.node.get());
        }
        for (auto node = order_.rbegin(); node != order_.rend(); ++node) {
            const auto edges = (*node)->edges();
            if (std::any_of(edges.begin(), edges.end(), [this](const Edge& edge) {
                    return needed_.contains(edge.node.get());
                })) {
                needed_.insert(*node);
            }
        }
    }

    bool is_needed(const Node* node) const {
        return node != nullptr && (request_.captures.empty() || needed_.contains(node));
    }

    void receive(const Edge& edge, Tensor gradient) {
        if (!is_needed(edge.node.get()) || !gradient.defined()) {
            return;
        }
        std::vector<Tensor>& slots = inbox_[edge.node.get()];
        slots.resize(edge.node->output_count());
        Tensor& slot = slots[edge.slot];
        slot = slot.defined() ? add(std::move(slot), std::move(gradient)) : std::move(gradient);
    }

    // Hands captured gradients back; true if the node goes on from here.
    bool capture(const Node& node, std::span<const Tensor> gradients) {
        bool is_end = false;
        for (std::size_t i = 0; i < request_.captures.size(); ++i) {
            const Edge& wanted = request_.captures[i];
            if (wanted.node.get() == &node) {
                captured_[i] = gradients[wanted.slot];
                is_end = true;
            }
        }
        if (!is_end) {
            return true;
        }
        const auto edges = node.edges();
        return std::any_of(edges.begin(), edges.end(), [this](const Edge& edge) {
            return is_needed(edge.node.get());
        });
    }

    void visit(Node& node, std::vector<Tensor>& gradients) {
        if (node.has_retainers()) {
            retained_.emplace_back(&node, gradients);
        }
        if (!capture(node, gradients)) {
            return;
        }
        const auto edges = node.edges();
        std::vector<bool> wanted;
        find_wanted(node, wanted);
        std::vector<Tensor> input_gradients(edges.size());
        node.apply(gradients, wanted, input_gradients);
        gradients.clear();
        if (!request_.retain_graph) {
            node.release_saved();
        }
        for (std::size_t i = 0; i < edges.size(); ++i) {
            receive(edges[i], std::move(input_gradients[i]));
        }
    }

    const WalkRequest& request_;
    std::vector<Node*> order_;
    std::unordered_set<const Node*> needed_;
    std::unordered_map<const Node*, std::vector<Tensor>> inbox_;
    std::vector<Tensor> captured_;
    /// For tensors that keep their gradient: handed over when nothing can fail any more.
    std::vector<std::pair<Node*, std::vector<Tensor>>> retained_;
};

}  // namespace

std::vector<Tensor> walk(const WalkRequest& request) {
    // G43: nodes are evaluated outside of inference mode, whatever the caller's mode.
    const dispatch::UncheckedState state(
        {.grad = request.create_graph, .inference = false, .fw_grad = false});
    return Walk(request).run();
}

}  // namespace pumice::autograd
