// SPDX-License-Identifier: Apache-2.0
// From nodes to kernel calls, and how long each value lives among them.
#include "graph/lowering.h"

#include "dispatch/execute.h"
#include "graph/fused_kernel.h"
#include "graph/hosted_kernel.h"
#include "graph/lending.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

namespace pumice::graph {

namespace {

class Lowering {
public:
    Lowering(const Graph& graph, const vk::Capabilities& caps) : graph_(graph), caps_(caps) {
        for (const Value& value : graph.values) {
            const bool is_used = static_cast<bool>(value.storage);
            if (is_used) {
                index_of_.emplace(value.storage.get(),
                                  static_cast<std::uint32_t>(lowered_.value_bytes.size()));
            }
            lowered_.value_bytes.push_back(is_used ? value.storage->allocation().range.size_bytes
                                                   : 0);
        }
    }

    Lowered run() && {
        for (const Node& node : graph_.nodes) {
            if (node.parts.empty()) {
                add_kernels(node);
            } else if (node.host == Node::kNoHost) {
                lowered_.kernels.push_back(write_fused(graph_, node, caps_));
            } else {
                const std::size_t first = lowered_.kernels.size();
                add_kernels(node.parts[node.host]);
                write_hosted(graph_, node, caps_, std::span(lowered_.kernels).subspan(first));
            }
            node_ends_.push_back(lowered_.kernels.size());
        }
        add_lifetimes();
        lend_places(graph_, node_ends_, lowered_);
        return std::move(lowered_);
    }

private:
    std::uint32_t index_of(Storage* storage) {
        const auto [entry, is_scratch] =
            index_of_.emplace(storage, static_cast<std::uint32_t>(lowered_.value_bytes.size()));
        if (is_scratch) {
            lowered_.value_bytes.push_back(storage->allocation().range.size_bytes);
            scratch_.push_back(IntrusivePtr<Storage>(storage));
        }
        return entry->second;
    }

    void add_kernels(const Node& node) {
        const NodeCall call(graph_, node);
        dispatch::lower(
            call.call(), call.outputs(), caps_, [this](const auto& bound) { add_kernel(bound); });
    }

    void add_kernel(const dispatch::BoundStep& bound) {
        const dispatch::Step& step = bound.step;
        KernelCall& kernel = lowered_.kernels.emplace_back();
        kernel.kernel = step.kernel();
        kernel.spec.assign(step.spec().begin(), step.spec().end());
        kernel.push.assign(step.push().begin(), step.push().end());
        kernel.groups = step.groups;
        kernel.work = step.work;
        kernel.quad_mask = step.quad_mask;
        kernel.label = bound.label;
        for (std::size_t i = 0; i < bound.bindings.size(); ++i) {
            const vk::Binding& binding = bound.bindings[i];
            const vk::Binding& all = bound.storages[i]->allocation().range;
            kernel.slots.push_back({.value = index_of(bound.storages[i]),
                                    .offset_bytes = binding.offset_bytes - all.offset_bytes,
                                    .size_bytes = binding.size_bytes});
        }
    }

    // From the first step that touches a value to the last.
    void add_lifetimes() {
        constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
        const std::size_t count = lowered_.value_bytes.size();
        lowered_.place_of.resize(count);
        std::iota(lowered_.place_of.begin(), lowered_.place_of.end(), 0U);
        std::vector<PlanBuffer> buffers(count, {.lower = kNever, .upper = 0});
        const auto use = [&](std::uint32_t value, std::int64_t step) {
            buffers[value].lower = std::min(buffers[value].lower, step);
            buffers[value].upper = std::max(buffers[value].upper, step + 1);
        };
        for (const TensorRef& input : graph_.inputs) {
            use(input.value, 0);
        }
        std::int64_t step = 0;
        for (const KernelCall& kernel : lowered_.kernels) {
            ++step;
            for (const Slot& slot : kernel.slots) {
                use(slot.value, step);
            }
        }
        for (const TensorRef& output : graph_.outputs) {
            use(output.value, step + 1);
        }
        for (std::uint32_t value = 0; value < count; ++value) {
            const bool is_planned = value >= graph_.values.size() ||
                                    graph_.values[value].kind == ValueKind::kPlanned ||
                                    graph_.values[value].kind == ValueKind::kInput;
            if (is_planned && buffers[value].lower != kNever) {
                buffers[value].size_bytes = lowered_.value_bytes[value];
                buffers[value].alignment_bytes = caps_.storage_alignment_bytes;
                lowered_.planned.push_back(value);
                lowered_.buffers.push_back(buffers[value]);
            }
        }
    }

    const Graph& graph_;
    const vk::Capabilities& caps_;
    Lowered lowered_;
    std::unordered_map<const Storage*, std::uint32_t> index_of_;
    std::vector<std::size_t> node_ends_;          // kernels of the nodes up to each
    std::vector<IntrusivePtr<Storage>> scratch_;  // so that no two have one address
};

}  // namespace

Lowered lower(const Graph& graph, const vk::Capabilities& caps) {
    return Lowering(graph, caps).run();
}

}  // namespace pumice::graph
