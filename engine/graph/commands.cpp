// SPDX-License-Identifier: Apache-2.0
// Decides which recorded commands a replay takes, and when to record others: memory that values
// have left, or arguments that stay where they are and need no copy.
#include "graph/commands.h"

#include "pumice/error.h"

#include "graph/argument.h"
#include "vk/device.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pumice::graph {

namespace {

// Calls with the number and the range of each value that has memory.
template <class F>
void for_each_placed(const Graph& graph, F&& call) {
    std::size_t number = 0;
    for (const Value& value : graph.values) {
        if (value.storage && value.storage->is_placed()) {
            call(number++, value.storage->allocation().range);
        }
    }
}

bool is_same_place(const vk::Binding& a, const vk::Binding& b) noexcept {
    return a.buffer == b.buffer && a.offset_bytes == b.offset_bytes;
}

// Where an argument begins; a null buffer if it does not lie as the commands read it.
vk::Binding place_of(const Tensor& argument, const TensorRef& input) noexcept {
    const TensorImpl& impl = impl_of(argument);
    vk::Binding place = impl.storage->allocation().range;
    // An empty view may stand past its storage's end.
    const std::int64_t offset = impl.numel == 0 ? 0 : impl.offset;
    const auto offset_bytes = static_cast<std::uint64_t>(offset * itemsize(impl.dtype));
    place.offset_bytes += offset_bytes;
    place.size_bytes -= offset_bytes;
    if (!lies_like(impl, input)) {
        place.buffer = nullptr;
    }
    return place;
}

}  // namespace

Commands::Commands(const PlacedGraph& placed) : placed_(placed) {
    copying_.places.resize(placed.graph.inputs.size());
    record_again();
}

Commands::~Commands() {
    try {
        vk::device().queue().wait(last_replay_);
    } catch (const Error&) {
        // The device is lost or the process ends: nothing runs any more.
    }
}

// Where a kernel finds a slot, inputs at `places` or, where these are null, in the slab.
vk::Binding Commands::range_of(const Slot& slot, const Places& places) const {
    const Graph& graph = placed_.graph;
    const auto part_of = [&slot](const vk::Binding& all, std::uint64_t offset_bytes) {
        return vk::Binding{.buffer = all.buffer,
                           .offset_bytes = all.offset_bytes + offset_bytes + slot.offset_bytes,
                           .size_bytes = slot.size_bytes};
    };
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i].buffer != nullptr && graph.inputs[i].value == slot.value) {
            return part_of(places[i], 0);
        }
    }
    const bool is_scratch = slot.value >= graph.values.size();
    const bool is_in_slab = is_scratch || !graph.values[slot.value].storage->is_placed();
    return is_in_slab ? part_of(placed_.slab->allocation().range, placed_.offset_of[slot.value])
                      : part_of(graph.values[slot.value].storage->allocation().range, 0);
}

// persist() moves a tensor to other memory.
bool Commands::has_moved() const noexcept {
    bool has_moved = false;
    for_each_placed(placed_.graph, [&](std::size_t number, const vk::Binding& range) {
        has_moved = has_moved || !is_same_place(recorded_ranges_[number], range);
    });
    return has_moved;
}

std::shared_ptr<vk::Recording> Commands::record(const Places& places) {
    const std::vector<KernelCall>& kernels = placed_.lowered.kernels;
    std::vector<std::array<vk::Binding, 8>> bindings(kernels.size());
    std::vector<vk::Dispatch> dispatches;
    for (std::size_t i = 0; i < kernels.size(); ++i) {
        const KernelCall& kernel = kernels[i];
        for (std::size_t slot = 0; slot < kernel.slots.size(); ++slot) {
            bindings[i][slot] = range_of(kernel.slots[slot], places);
        }
        dispatches.push_back({.kernel = kernel.kernel,
                              .runtime = placed_.runtime_kernels[i].get(),
                              .spec = kernel.spec,
                              .bindings = std::span(bindings[i]).first(kernel.slots.size()),
                              .push = kernel.push,
                              .groups = kernel.groups,
                              .work = kernel.work,
                              .quad_mask = kernel.quad_mask,
                              .label = kernel.label});
    }
    std::shared_ptr<vk::Recording> recording = vk::device().queue().record(dispatches);
    vk::device().queue().wait(last_replay_);  // before older commands die
    ++recording_count_;
    return recording;
}

// What was recorded names memory that values have left.
void Commands::record_again() {
    std::vector<vk::Binding> ranges;
    for_each_placed(placed_.graph, [&](std::size_t /*number*/, const vk::Binding& range) {
        ranges.push_back(range);
    });
    copying_.recording = record(copying_.places);
    recorded_ranges_ = std::move(ranges);
    in_place_.recording.reset();
    same_count_ = 0;
}

// Commands can read an argument at its place if the device can bind it there and the graph writes
// nothing in its storage. An input that is a result as well is copied.
vk::Binding Commands::readable_place(std::size_t input, const Tensor& argument) const {
    const Graph& graph = placed_.graph;
    const std::uint32_t number = graph.inputs[input].value;
    const IntrusivePtr<Storage>& storage = impl_of(argument).storage;
    vk::Binding place = place_of(argument, graph.inputs[input]);
    const bool is_result =
        std::any_of(graph.outputs.begin(), graph.outputs.end(), [number](const TensorRef& output) {
            return output.value == number;
        });
    const bool is_written =
        std::any_of(graph.values.begin(), graph.values.end(), [&storage](const Value& value) {
            return value.storage == storage && value.write_count > 0;
        });
    const bool is_aligned =
        place.offset_bytes % vk::device().capabilities().storage_alignment_bytes == 0;
    if (is_result || is_written || !is_aligned ||
        place.size_bytes < placed_.lowered.value_bytes[number]) {
        place.buffer = nullptr;
    }
    return place;
}

// Recording costs more than some copies, so arguments must have stayed where they are for a while;
// for longer each time.
const Commands::Recorded& Commands::choose_by_places(std::span<const Tensor> arguments) {
    const std::vector<TensorRef>& inputs = placed_.graph.inputs;
    const auto are_at = [&](const Places& places) {
        bool are_there = places.size() == arguments.size();
        for (std::size_t i = 0; are_there && i < places.size(); ++i) {
            are_there = is_same_place(place_of(arguments[i], inputs[i]), places[i]);
        }
        return are_there;
    };
    if (in_place_.recording && are_at(in_place_at_)) {
        return in_place_;
    }
    if (!are_at(last_places_)) {
        same_count_ = 0;
        last_places_.clear();
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            last_places_.push_back(place_of(arguments[i], inputs[i]));
        }
    } else if (++same_count_ == wanted_count_) {
        Recorded commands;
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            commands.places.push_back(readable_place(i, arguments[i]));
        }
        if (std::any_of(commands.places.begin(), commands.places.end(), [](const auto& place) {
                return place.buffer != nullptr;
            })) {
            commands.recording = record(commands.places);
            in_place_ = std::move(commands);
            in_place_at_ = last_places_;
            wanted_count_ *= 2;
            return in_place_;
        }
    }
    return copying_;
}

const Commands::Recorded& Commands::choose(std::span<const Tensor> arguments) {
    if (has_moved()) {
        record_again();
    }
    return choose_by_places(arguments);
}

void Commands::replay(const Recorded& commands) {
    last_replay_ = vk::device().queue().replay(*commands.recording);
}

std::size_t Commands::barrier_count() const {
    return vk::Queue::counters_of(*copying_.recording).barriers;
}

}  // namespace pumice::graph
