// SPDX-License-Identifier: Apache-2.0
// What a plan says of itself in numbers.
#include "graph/plan_impl.h"

#include <algorithm>
#include <cstdint>

namespace pumice {

namespace {

std::uint64_t constant_bytes(const graph::Graph& graph) {
    std::uint64_t bytes = 0;
    for (const graph::Value& value : graph.values) {
        if (value.kind == graph::ValueKind::kConstant && value.storage) {
            bytes += value.storage->allocation().range.size_bytes;
        }
    }
    return bytes;
}

std::size_t operator_count(const graph::Graph& graph) noexcept {
    std::size_t count = 0;
    for (const graph::Node& node : graph.nodes) {
        count += std::max<std::size_t>(node.parts.size(), 1);
    }
    return count;
}

}  // namespace

PlanStats Plan::Impl::stats() const {
    const graph::Turn turn(turns_);
    return {.operator_count = operator_count(placed_.graph),
            .kernel_count = placed_.lowered.kernels.size(),
            .barrier_count = commands_.barrier_count(),
            .recording_count = commands_.recording_count(),
            .inputs_in_place = in_place_count_,
            .planned_bytes = placed_.memory.height_bytes,
            .lower_bound_bytes = placed_.memory.lower_bound_bytes,
            .constant_bytes = constant_bytes(placed_.graph)};
}

}  // namespace pumice
