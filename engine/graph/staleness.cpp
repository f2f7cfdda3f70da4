// SPDX-License-Identifier: Apache-2.0
// Decides whether a graph still says what its function would do: whether the tensors that the
// function used are what and where they were, and have memory.
#include "graph/staleness.h"

#include "pumice/error.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace pumice::graph {

std::string staleness(const Graph& graph) {
    const auto text_of = [](const TensorImpl& tensor, std::string_view change) {
        return fmt::format("{} a tensor {} {} since the capture; capture again",
                           change,
                           to_string(tensor.sizes),
                           to_string(tensor.dtype));
    };
    for (const Value& value : graph.values) {
        for (const Holder& holder : value.holders) {
            if (holder.tensor->storage != value.storage) {
                return text_of(*holder.tensor, "other memory was given to");
            }
            if (graph.may_record && holder.tensor->requires_grad != holder.requires_grad) {
                return text_of(*holder.tensor, "requires_grad was changed of");
            }
        }
    }
    if (const TensorImpl* const leaf = graph.gradients.exchanged()) {
        return text_of(*leaf, "grad was exchanged of");
    }
    return graph.host->is_current()
               ? std::string()
               : "what the function reads on the host (an optimizer's state, or options other than "
                 "rates) was exchanged since the capture; capture again";
}

bool has_lost_memory(const Graph& graph) noexcept {
    return std::any_of(graph.values.begin(), graph.values.end(), [](const Value& value) {
        return value.storage && value.storage->is_overwritten();
    });
}

void check_current(const Graph& graph) {
    for (const Value& value : graph.values) {
        if (value.storage && value.storage->is_overwritten()) {
            const IntrusivePtr<TensorImpl>& holder = value.holders.front().tensor;
            dispatch::check_placed("replay", Tensor(IntrusivePtr<RefCounted>(holder)));
        }
    }
    const std::string stale = staleness(graph);
    if (!stale.empty()) {
        throw ArgumentError("replay", stale);
    }
}

}  // namespace pumice::graph
