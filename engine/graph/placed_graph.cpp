// SPDX-License-Identifier: Apache-2.0
// Decides where each value of a lowered graph is: one block, the slab, for all that a replay writes
// anew; parameters, states and constants stay where they are.
#include "graph/placed_graph.h"

#include <utility>

namespace pumice::graph {

PlacedGraph place_values(Graph graph, Lowered lowered, double time_limit_s) {
    PlacedGraph placed{.graph = std::move(graph),
                       .lowered = std::move(lowered),
                       .memory = {},
                       .slab = {},
                       .offset_of = {},
                       .runtime_kernels = {}};
    placed.memory = plan_memory(placed.lowered.buffers, {.time_limit_s = time_limit_s});
    placed.slab = make_storage(placed.memory.height_bytes, memory::StorageClass::kPlanned);
    std::vector<std::uint64_t>& offset_of = placed.offset_of;
    offset_of.resize(placed.lowered.value_bytes.size());
    for (std::size_t i = 0; i < placed.lowered.planned.size(); ++i) {
        offset_of[placed.lowered.planned[i]] = placed.memory.offsets[i];
    }
    for (std::size_t value = 0; value < offset_of.size(); ++value) {
        offset_of[value] = offset_of[placed.lowered.place_of[value]];
    }
    return placed;
}

bool PlacedGraph::is_planned(const TensorRef& ref) const noexcept {
    const ValueKind kind = graph.values[ref.value].kind;
    return kind == ValueKind::kPlanned || kind == ValueKind::kInput;
}

Tensor PlacedGraph::tensor_of(const TensorRef& ref) const {
    if (!is_planned(ref)) {
        return make_tensor(graph, ref);
    }
    TensorRef in_slab = ref;
    in_slab.offset += static_cast<std::int64_t>(offset_of[ref.value]) / itemsize(ref.dtype);
    return make_tensor(slab, in_slab);
}

}  // namespace pumice::graph
