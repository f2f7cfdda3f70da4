// SPDX-License-Identifier: Apache-2.0
// Who reads and who writes each value.
#include "graph/uses.h"

#include <algorithm>

namespace pumice::graph {

Uses::Uses(const Graph& graph)
    : graph_(graph), writers_(graph.values.size()), read_counts_(graph.values.size()) {
    const auto count = [this](const std::vector<TensorRef>& refs) {
        for (const TensorRef& ref : refs) {
            if (ref.is_defined()) {
                ++read_counts_[ref.value];
            }
        }
    };
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        count(graph.nodes[i].inputs);
        for (const TensorRef& output : graph.nodes[i].outputs) {
            writers_[output.value].push_back(i);
        }
    }
    count(graph.outputs);
}

std::optional<std::size_t> Uses::producer_of(const TensorRef& ref) const {
    if (!ref.is_defined() || graph_.values[ref.value].kind != ValueKind::kPlanned ||
        writers_[ref.value].size() != 1) {
        return std::nullopt;
    }
    return writers_[ref.value][0];
}

std::size_t Uses::next_writer(std::uint32_t value, std::size_t call) const noexcept {
    const std::vector<std::size_t>& writers = writers_[value];
    const auto next = std::upper_bound(writers.begin(), writers.end(), call);
    return next == writers.end() ? SIZE_MAX : *next;
}

}  // namespace pumice::graph
