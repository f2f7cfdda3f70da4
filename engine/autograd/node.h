// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "base/fixed_array.h"

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace pumice::autograd {

class Node;
class AutogradMeta;

/// Where a gradient goes: the `output`-th gradient slot of a node, or nowhere.
struct Edge {
    IntrusivePtr<Node> node;
    std::uint32_t slot = 0;
};

/// One step of the backward walk: takes the gradients of a forward call's outputs, gives those of
/// its inputs.
///
/// Note [Sequence]: every node gets a number from one counter when it is made, and its edges lead
/// to nodes made before it. So the walk needs no dependency counts: taking the highest number among
/// the discovered nodes is a topological order. Accumulators have the number 0: they run last.
class Node : public RefCounted {
public:
    explicit Node(std::uint64_t sequence, std::size_t edge_count);
    ~Node() override;
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    Node(Node&&) = delete;
    Node& operator=(Node&&) = delete;

    /// `gradients` has one (possibly undefined) entry an output; fills one an edge. Entries of
    /// edges that `wanted` leaves out stay undefined.
    virtual void apply(std::span<Tensor> gradients,
                       const std::vector<bool>& wanted,
                       std::span<Tensor> input_gradients) = 0;

    /// Throws what apply would throw over what was saved, before anything is done.
    virtual void check_saved(const std::vector<bool>& /*wanted*/) const {}

    /// For leaves: makes what apply will keep of the gradients, which may fail.
    virtual void prepare(std::span<Tensor> /*gradients*/) {}

    /// Drops what was saved; a later apply throws.
    virtual void release_saved() noexcept {}

    virtual std::string name() const = 0;
    virtual std::size_t output_count() const noexcept = 0;

    std::uint64_t sequence() const noexcept { return sequence_; }

    std::span<const Edge> edges() const noexcept { return {edges_.begin(), edges_.size()}; }

    void set_edge(std::size_t index, Edge edge) noexcept { edges_[index] = std::move(edge); }

    /// Non-leaf tensors that keep their gradient (retain_grad), by output.
    void add_retainer(std::uint32_t output, AutogradMeta* meta);
    void remove_retainer(const AutogradMeta* meta) noexcept;
    bool has_retainers() const;
    /// Hands the gradients to the retaining tensors.
    void deliver_retained(std::span<const Tensor> gradients);

private:
    struct Retainer {
        std::uint32_t output;
        AutogradMeta* meta;
    };

    std::uint64_t sequence_;
    FixedArray<Edge, 3> edges_;
    mutable std::mutex retainers_mutex_;
    std::vector<Retainer> retainers_;
};

/// The next number of Note [Sequence].
std::uint64_t next_sequence() noexcept;

}  // namespace pumice::autograd
