// SPDX-License-Identifier: Apache-2.0
// A plan's memory as a trace: when each planned buffer appears, is used and goes, for programs that
// check the layout.
#include "graph/plan_impl.h"
#include "memory/trace_file.h"

#include <cstdint>

namespace pumice {

namespace {

// The places that step `step` reads and writes: kernel step - 1, or one of the copies at the ends.
memory::TraceEvent traced_step(const graph::PlacedGraph& placed, std::size_t step) {
    const graph::Lowered& lowered = placed.lowered;
    memory::TraceEvent event{.kind = memory::TraceEvent::Kind::kKernel};
    const auto add_values = [&](const std::vector<graph::TensorRef>& refs,
                                std::vector<std::uint64_t>& ids) {
        for (const graph::TensorRef& ref : refs) {
            ids.push_back(lowered.place_of[ref.value]);
        }
    };
    if (step == 0) {
        event.label = "copy_in";
        add_values(placed.graph.inputs, event.written_ids);
    } else if (step > lowered.kernels.size()) {
        event.label = "copy_out";
        add_values(placed.graph.outputs, event.read_ids);
    } else {
        const graph::KernelCall& call = lowered.kernels[step - 1];
        const std::uint32_t written = call.written_mask();
        event.label = call.label;
        for (std::size_t i = 0; i < call.slots.size(); ++i) {
            ((written >> i & 1U) != 0 ? event.written_ids : event.read_ids)
                .push_back(lowered.place_of[call.slots[i].value]);
        }
    }
    return event;
}

}  // namespace

void Plan::Impl::dump_trace(const std::string& path) const {
    using Kind = memory::TraceEvent::Kind;
    const graph::Lowered& lowered = placed_.lowered;
    memory::TraceEvents events;
    // The buffers whose lifetime begins (or ends) at a step appear (or go) there.
    const auto add_buffers = [&](Kind kind, std::int64_t PlanBuffer::*edge, std::size_t step) {
        for (std::size_t i = 0; i < lowered.planned.size(); ++i) {
            if (lowered.buffers[i].*edge == static_cast<std::int64_t>(step)) {
                events.push_back({.kind = kind,
                                  .is_transient = true,
                                  .id = lowered.planned[i],
                                  .size_bytes = lowered.buffers[i].size_bytes,
                                  .buffer = 1,
                                  .offset_bytes = placed_.memory.offsets[i]});
            }
        }
    };
    for (std::size_t step = 0; step <= lowered.kernels.size() + 1; ++step) {
        add_buffers(Kind::kFreed, &PlanBuffer::upper, step);
        add_buffers(Kind::kAllocated, &PlanBuffer::lower, step);
        events.push_back(traced_step(placed_, step));
    }
    add_buffers(Kind::kFreed, &PlanBuffer::upper, lowered.kernels.size() + 2);
    memory::write_trace_file(path, events);
}

}  // namespace pumice
