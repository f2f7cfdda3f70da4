// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace PUMICE_API pumice {

/// Bytes that are needed at the steps in [lower, upper), with an address that is a multiple of
/// `alignment_bytes` (any number from 1). A buffer without bytes overlaps no other.
struct PlanBuffer {
    std::int64_t lower = 0;             ///< the first step
    std::int64_t upper = 0;             ///< one past the last step
    std::uint64_t size_bytes = 0;       ///< 0 is allowed
    std::uint64_t alignment_bytes = 1;  ///< what the offset is a multiple of
};

/// How far `plan_memory` goes.
struct PlanOptions {
    /// Time for the solver after the heuristic; 0 takes the heuristic's plan.
    double time_limit_s = 0.0;
    /// Stop at the first plan of this height; without one, at a plan that is known to be optimal.
    std::optional<std::uint64_t> capacity_bytes = std::nullopt;
    /// Threads of the solver.
    int thread_count = 2;
};

/// Where each buffer goes.
struct MemoryPlan {
    std::vector<std::uint64_t> offsets;        ///< in bytes, of each buffer in the caller's order
    std::uint64_t height_bytes = 0;            ///< the largest offset + size
    std::uint64_t heuristic_height_bytes = 0;  ///< of the plan that the solver started from
    /// The most bytes that are needed at one step, with the padding that alignments force.
    std::uint64_t lower_bound_bytes = 0;
    /// No plan is lower: the lower bound, or more where the search has shown more.
    std::uint64_t proven_bound_bytes = 0;
    bool is_optimal = false;       ///< height_bytes == proven_bound_bytes
    std::uint64_t node_count = 0;  ///< choices that the solver tried
};

/// Gives buffers offsets in one block so that no two that live at a common step share a byte, and
/// the block is low: dynamic storage allocation with known lifetimes (NP-hard).
///
/// A heuristic answers first (under 5 ms for 500 buffers); within the time limit a solver with
/// backtracking improves on it. Equal buffers give equal heights whatever their order, and whatever
/// scale their sizes and steps have, unless the time limit cut the search.
/// @throws ArgumentError naming the buffer by its index: lower >= upper, an alignment of 0, sizes
///         whose sum (with padding for alignments) passes 2^62; or for a negative or NaN time
///         limit, or a thread count outside [1, 64]
/// @see Moffitt, MiniMalloc, ASPLOS 2023; Sekiyama, Imai, Negishi and Kawachiya, Profile-guided
///      memory optimization for deep neural networks, 2018
MemoryPlan plan_memory(std::span<const PlanBuffer> buffers, const PlanOptions& options = {});

}  // namespace pumice
