// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"
#include "graph/lowering.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace pumice::graph {

/// A graph as kernels, with the place of each value: what a plan replays.
struct PlacedGraph {
    Graph graph;
    Lowered lowered;
    MemoryPlan memory;
    IntrusivePtr<Storage> slab;            ///< the block of all planned values
    std::vector<std::uint64_t> offset_of;  ///< of planned values and scratch memory, in the slab
    std::vector<std::shared_ptr<const vk::RuntimeKernel>> runtime_kernels;  ///< by kernel call

    /// Whether the value's place is in the slab, so that each replay writes it anew.
    [[nodiscard]] bool is_planned(const TensorRef& ref) const noexcept;

    /// A tensor where the value is.
    [[nodiscard]] Tensor tensor_of(const TensorRef& ref) const;
};

/// Computes the layout of the planned values and takes their block.
/// @throws OutOfMemoryError, DeviceError
PlacedGraph place_values(Graph graph, Lowered lowered, double time_limit_s);

}  // namespace pumice::graph
