// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/graph.h"

#include "graph/argument.h"
#include "graph/commands.h"
#include "graph/placed_graph.h"
#include "graph/staleness.h"
#include "graph/turn.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace pumice {

/// A graph with its memory and its commands.
class Plan::Impl {
public:
    /// `arguments` are what the function was captured for, `mode` is the capture's mode. Records
    /// the commands.
    Impl(graph::PlacedGraph placed,
         std::vector<graph::Argument> arguments,
         GradModeKind mode,
         bool aliases_outputs);
    /// Takes back what is lent and waits for the last replay.
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    Impl(Impl&&) = delete;
    Impl& operator=(Impl&&) = delete;

    std::vector<Tensor> replay(std::span<const Tensor> arguments);

    [[nodiscard]] bool is_stale() const {
        return graph::has_lost_memory(placed_.graph) || !graph::staleness(placed_.graph).empty();
    }

    [[nodiscard]] PlanStats stats() const;
    [[nodiscard]] std::string dot() const;
    void dump_trace(const std::string& path) const;

private:
    void check_call() const;
    void check_arguments(std::span<const Tensor> arguments) const;
    [[nodiscard]] bool is_lent(const graph::TensorRef& ref) const noexcept;
    void take_back_lent() noexcept;
    Tensor lend(const graph::TensorRef& ref);
    void run(const graph::Commands::Recorded& commands,
             std::span<const Tensor> arguments,
             std::vector<Tensor>& results);

    const graph::PlacedGraph placed_;
    const std::vector<graph::Argument> arguments_;
    const GradModeKind mode_;
    const bool aliases_outputs_;

    mutable graph::Turns turns_;  ///< guards what follows
    graph::Commands commands_;
    std::size_t in_place_count_ = 0;           ///< inputs that the last replay read where they were
    std::vector<IntrusivePtr<Storage>> lent_;  ///< parts of the slab that callers have
};

}  // namespace pumice
