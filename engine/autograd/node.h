// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/autograd.h"
#include "pumice/tensor.h"

#include "base/fixed_array.h"
#include "base/invariant.h"
#include "base/warn.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace pumice::autograd {

class GraphNode;
class AutogradMeta;

/// Hooks on the gradient of one tensor, in order of registration.
class HookList final : public RefCounted {
public:
    using Hook = std::function<Tensor(const Tensor&)>;

    /// The position, for remove.
    unsigned add(Hook hook);
    /// @throws ArgumentError where there is none
    void remove(unsigned position);
    /// The gradient after all hooks. @throws ShapeError for a result of another shape
    Tensor run(Tensor gradient) const;

private:
    mutable std::mutex mutex_;
    std::vector<Hook> hooks_;  ///< null where removed
};

/// Where a gradient goes: the `output`-th gradient slot of a node, or nowhere.
struct GraphEdge {
    IntrusivePtr<GraphNode> node;
    std::uint32_t slot = 0;
};

/// The call behind a node, noted while anomalies are detected.
struct Origin {
    std::string call;
    IntrusivePtr<GraphNode> induced_by;  ///< the node whose evaluation made this one, or null
};

/// One step of the backward walk: takes the gradients of a forward call's outputs, gives those of
/// its inputs.
///
/// Note [Sequence]: every node takes a number from one counter once all its edges are set, so they
/// lead to lower numbers. Not before: to find an edge may take making a node, where the history of
/// a stale view is computed anew (G35). So the walk needs no dependency counts: taking the highest
/// number among the discovered nodes is a topological order. Accumulators have the number 0: they
/// run last.
class GraphNode : public RefCounted, public Node {
public:
    /// Without a number, as accumulators stay.
    explicit GraphNode(std::size_t edge_count);
    ~GraphNode() override;
    GraphNode(const GraphNode&) = delete;
    GraphNode& operator=(const GraphNode&) = delete;
    GraphNode(GraphNode&&) = delete;
    GraphNode& operator=(GraphNode&&) = delete;

    /// `gradients` has one (possibly undefined) entry an output; fills one an edge. Entries of
    /// edges that `wanted` leaves out stay undefined.
    virtual void apply(std::span<Tensor> gradients,
                       const std::vector<bool>& wanted,
                       std::span<Tensor> input_gradients) = 0;

    /// Throws what apply would throw over what was saved, before anything is done.
    virtual void check_saved(const std::vector<bool>& /*wanted*/) const {}

    /// For leaves: whether the gradient is wanted, or is dropped before any hook sees it.
    /// @throws GradModeError where the tensor is no leaf any more
    virtual bool accepts(const Tensor& /*gradient*/) { return true; }

    /// For leaves: makes what apply will keep of the gradients, which may fail.
    virtual void prepare(std::span<Tensor> /*gradients*/) {}

    /// Whether apply is called where no gradient arrived at all.
    virtual bool takes_undefined() const noexcept { return false; }

    /// Drops what was saved; a later apply throws.
    virtual void release_saved() noexcept {}

    virtual std::size_t output_count() const noexcept = 0;

    std::vector<Edge> next_edges() const override;

    std::uint64_t sequence() const noexcept { return sequence_; }

    std::span<const GraphEdge> edges() const noexcept { return {edges_.begin(), edges_.size()}; }

    void set_edge(std::size_t index, GraphEdge edge) {
        if constexpr (kIsChecked) {
            PUMICE_INVARIANT(sequence_ == 0);
        }
        edges_[index] = std::move(edge);
    }

    /// Ends the setting of edges (Note [Sequence]).
    void take_number() noexcept;

    /// Non-leaf tensors that keep their gradient (retain_grad), by output.
    void add_retainer(std::uint32_t output, AutogradMeta* meta);
    void remove_retainer(const AutogradMeta* meta) noexcept;
    bool has_retainers() const;
    /// Adds the gradients to those of the retaining tensors.
    void deliver_retained(std::span<const Tensor> gradients);

    void set_origin(std::unique_ptr<Origin> origin) noexcept { origin_ = std::move(origin); }

    const Origin* origin() const noexcept { return origin_.get(); }

    /// The hooks of a tensor that was this node's output when they were registered.
    void add_hooks(std::uint32_t output, IntrusivePtr<HookList> hooks);
    /// Has the hooks look at, or replace, the gradients that arrived.
    void run_hooks(std::span<Tensor> gradients) const;

private:
    struct Retainer {
        std::uint32_t output;
        AutogradMeta* meta;
    };

    struct OutputHooks {
        std::uint32_t output;
        IntrusivePtr<HookList> list;
    };

    std::uint64_t sequence_ = 0;
    FixedArray<GraphEdge, 3> edges_;
    GraphNode* next_dead_ = nullptr;  ///< while its last owner waits to drop it
    mutable std::mutex mutex_;        ///< guards the two below
    std::vector<Retainer> retainers_;
    std::vector<OutputHooks> hooks_;
    std::unique_ptr<Origin> origin_;
};

/// The node behind a public one, or null.
IntrusivePtr<GraphNode> graph_node(const std::shared_ptr<Node>& node) noexcept;
/// The public face of a node, or null.
std::shared_ptr<Node> public_node(const IntrusivePtr<GraphNode>& node);

}  // namespace pumice::autograd
