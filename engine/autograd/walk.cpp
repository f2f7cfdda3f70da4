// SPDX-License-Identifier: Apache-2.0
// The backward walk: in which order nodes run, and when their gradients are complete.
#include "autograd/walk.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "autograd/anomaly.h"
#include "dispatch/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace pumice::autograd {

namespace {

// All nodes reachable from the roots, in descending sequence: a topological order (Note
// [Sequence]).
std::vector<GraphNode*> reachable(const std::vector<GraphEdge>& roots) {
    std::vector<GraphNode*> found;
    std::unordered_set<GraphNode*> seen;
    const auto visit = [&](GraphNode* node) {
        if (node != nullptr && seen.insert(node).second) {
            found.push_back(node);
        }
    };
    for (const GraphEdge& root : roots) {
        visit(root.node.get());
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
        for (const GraphEdge& edge : found[i]->edges()) {
            visit(edge.node.get());
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const GraphNode* a, const GraphNode* b) {
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
        const auto leaves = std::find_if(order_.begin(), order_.end(), [](const GraphNode* node) {
            return node->sequence() == 0;
        });
        std::for_each(order_.begin(), leaves, [this](GraphNode* node) { visit_if_reached(*node); });
        // Any leaf may refuse, so all are asked before a hook runs.
        std::for_each(leaves, order_.end(), [this](GraphNode* node) { drop_unwanted(*node); });
        std::for_each(leaves, order_.end(), [this](GraphNode* node) { prepare(*node); });
        check_captured();
        std::for_each(leaves, order_.end(), [this](GraphNode* node) { visit_if_reached(*node); });
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
        for (const GraphNode* node : order_) {
            if (is_needed(node) && find_wanted(*node, wanted)) {
                check_saved(*node, wanted);
            }
        }
    }

    bool is_on_a_path(const GraphEdge& wanted) const {
        if (!wanted.node) {
            return false;
        }
        const auto leads_there = [&wanted](const GraphEdge& edge) {
            return edge.node.get() == wanted.node.get() && edge.slot == wanted.slot;
        };
        return std::any_of(request_.roots.begin(), request_.roots.end(), leads_there) ||
               std::any_of(order_.begin(), order_.end(), [&leads_there](const GraphNode* node) {
                   const auto edges = node->edges();
                   return std::any_of(edges.begin(), edges.end(), leads_there);
               });
    }

    [[noreturn]] static void throw_unused(std::size_t capture) {
        throw GradModeError(
            "grad",
            fmt::format("One of the differentiated Tensors (input {}) appears to not "
                        "have been used in the graph. Set allow_unused=True if this "
                        "is the desired behavior.",
                        capture));
    }

    // A path may be there with nothing flowing along it, which only the walk can tell.
    void check_captured() const {
        for (std::size_t i = 0; i < request_.captures.size() && !request_.allow_unused; ++i) {
            // Captured leaves have not been visited yet.
            const GraphEdge& capture = request_.captures[i];
            const auto found = inbox_.find(capture.node.get());
            const bool is_waiting = found != inbox_.end() && found->second[capture.slot].defined();
            if (!captured_[i].defined() && !is_waiting) {
                throw_unused(i);
            }
        }
    }

    // Which of a node's edges are to have gradients; false if none.
    bool find_wanted(const GraphNode& node, std::vector<bool>& wanted) const {
        const auto edges = node.edges();
        wanted.assign(edges.size(), false);
        bool is_any = false;
        for (std::size_t i = 0; i < edges.size(); ++i) {
            wanted[i] = is_needed(edges[i].node.get());
            is_any = is_any || wanted[i];
        }
        return is_any;
    }

    void visit_if_reached(GraphNode& node) {
        const auto found = inbox_.find(&node);
        if (found != inbox_.end()) {
            std::vector<Tensor> gradients = std::move(found->second);
            inbox_.erase(found);
            visit(node, gradients);
        }
    }

    void drop_unwanted(GraphNode& leaf) {
        const auto found = inbox_.find(&leaf);
        if (found != inbox_.end() && !leaf.accepts(found->second[0])) {
            inbox_.erase(found);
        }
    }

    void prepare(GraphNode& leaf) {
        const auto found = inbox_.find(&leaf);
        if (found == inbox_.end()) {
            return;
        }
        leaf.run_hooks(found->second);
        if (request_.captures.empty()) {
            leaf.prepare(found->second);
        }
    }

    // Which nodes lead to a capture; without captures, all do.
    void find_needed() {
        if (request_.captures.empty()) {
            return;
        }
        for (const GraphEdge& capture : request_.captures) {
            if (capture.node) {
                needed_.insert(capture.node.get());
            }
        }
        for (auto node = order_.rbegin(); node != order_.rend(); ++node) {
            const auto edges = (*node)->edges();
            if (std::any_of(edges.begin(), edges.end(), [this](const GraphEdge& edge) {
                    return needed_.contains(edge.node.get());
                })) {
                needed_.insert(*node);
            }
        }
    }

    bool is_needed(const GraphNode* node) const {
        return node != nullptr && (request_.captures.empty() || needed_.contains(node));
    }

    void receive(const GraphEdge& edge, Tensor gradient) {
        if (!is_needed(edge.node.get())) {
            return;
        }
        std::vector<Tensor>& slots = inbox_[edge.node.get()];
        slots.resize(edge.node->output_count());
        Tensor& slot = slots[edge.slot];
        if (!gradient.defined()) {
            return;
        }
        slot = slot.defined() ? add(std::move(slot), std::move(gradient)) : std::move(gradient);
    }

    // Hands captured gradients back; true if the node goes on from here.
    bool capture(const GraphNode& node, std::span<const Tensor> gradients) {
        bool is_end = false;
        for (std::size_t i = 0; i < request_.captures.size(); ++i) {
            const GraphEdge& wanted = request_.captures[i];
            if (wanted.node.get() == &node) {
                captured_[i] = gradients[wanted.slot];
                is_end = true;
            }
        }
        if (!is_end) {
            return true;
        }
        const auto edges = node.edges();
        return std::any_of(edges.begin(), edges.end(), [this](const GraphEdge& edge) {
            return is_needed(edge.node.get());
        });
    }

    static void check_saved(const GraphNode& node, const std::vector<bool>& wanted) {
        try {
            node.check_saved(wanted);
        } catch (const Error&) {
            warn_of_forward(node);
            throw;
        }
    }

    static void apply(GraphNode& node,
                      std::span<Tensor> gradients,
                      const std::vector<bool>& wanted,
                      std::span<Tensor> input_gradients) {
        const EvaluatingNode evaluating(node);
        try {
            node.apply(gradients, wanted, input_gradients);
        } catch (const Error&) {
            warn_of_forward(node);
            throw;
        }
        check_nan(node, input_gradients);
    }

    void visit(GraphNode& node, std::vector<Tensor>& gradients) {
        if (node.sequence() != 0) {
            node.run_hooks(gradients);
        }
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
        const bool is_reached =
            node.takes_undefined() ||
            std::any_of(gradients.begin(), gradients.end(), [](const Tensor& gradient) {
                return gradient.defined();
            });
        if (is_reached) {
            apply(node, gradients, wanted, input_gradients);
        }
        gradients.clear();
        if (!request_.retain_graph) {
            node.release_saved();
        }
        for (std::size_t i = 0; i < edges.size(); ++i) {
            receive(edges[i], std::move(input_gradients[i]));
        }
    }

    const WalkRequest& request_;
    std::vector<GraphNode*> order_;
    std::unordered_set<const GraphNode*> needed_;
    std::unordered_map<const GraphNode*, std::vector<Tensor>> inbox_;
    std::vector<Tensor> captured_;
    /// For tensors that keep their gradient: handed over when nothing can fail any more.
    std::vector<std::pair<GraphNode*, std::vector<Tensor>>> retained_;
};

}  // namespace

namespace {

// Walks that this thread is in: a formula or a hook may start another.
thread_local int walk_depth = 0;

struct DeeperWalk {
    DeeperWalk() noexcept { ++walk_depth; }

    DeeperWalk(const DeeperWalk&) = delete;
    DeeperWalk& operator=(const DeeperWalk&) = delete;
    DeeperWalk(DeeperWalk&&) = delete;
    DeeperWalk& operator=(DeeperWalk&&) = delete;

    ~DeeperWalk() { --walk_depth; }
};

std::vector<Tensor> walk_here(const WalkRequest& request) {
    // G43: nodes are evaluated outside of inference mode, whatever the caller's mode.
    const dispatch::UncheckedState state(
        {.grad = request.create_graph, .inference = false, .fw_grad = false});

    const DeeperWalk deeper;
    return Walk(request).run();
}

// Note [Nested walks]: each nested walk stays on the stack of the formula that started it, so deep
// ones go on with a fresh stack, on a thread of their own in this one's modes.
std::vector<Tensor> walk_on_fresh_stack(const WalkRequest& request) {
    std::vector<Tensor> gradients;
    std::exception_ptr error;
    std::thread(bind_mode([&] {
        try {
            gradients = walk_here(request);
        } catch (...) {
            error = std::current_exception();
        }
    })).join();
    if (error) {
        std::rethrow_exception(error);
    }
    return gradients;
}

}  // namespace

std::vector<Tensor> walk(const WalkRequest& request) {
    constexpr int kMostOnOneStack = 50;
    return walk_depth < kMostOnOneStack ? walk_here(request) : walk_on_fresh_stack(request);
}

}  // namespace pumice::autograd
