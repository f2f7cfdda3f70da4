// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/execute.h"
#include "dispatch/state.h"
#include "graph/attention.h"
#include "graph/capture.h"
#include "graph/fusion.h"
#include "graph/passes.h"
#include "graph/plan_impl.h"
#include "graph/runtime_kernels.h"
#include "ops/all_ops.h"
#include "vk/device.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <thread>
#include <utility>

namespace pumice {

namespace {

std::string_view name_of(GradModeKind mode) noexcept {
    switch (mode) {
        case GradModeKind::kInference: return "inference mode";
        case GradModeKind::kNoGrad: return "no_grad";
        case GradModeKind::kGrad: break;
    }
    return "grad mode";
}

void copy_out(const Tensor& source, const Tensor& result) {
    dispatch::execute({ops::kClone, std::span(&source, 1), {}}, std::span(&result, 1));
}

}  // namespace

Plan::Impl::Impl(graph::Graph graph,
                 std::span<const Tensor> examples,
                 GradModeKind mode,
                 const CaptureOptions& options)
    : graph_(std::move(graph)),
      arguments_([&] {
          std::vector<graph::Argument> arguments;
          for (const Tensor& example : examples) {
              arguments.push_back(graph::argument_of(example));
          }
          return arguments;
      }()),
      mode_(mode),
      aliases_outputs_(options.alias_outputs),
      lowered_(graph::lower(graph_, vk::device().capabilities())),
      memory_(plan_memory(lowered_.buffers, {.time_limit_s = options.plan_time_limit_s})),
      offset_of_(lowered_.value_bytes.size()),
      slab_(make_storage(memory_.height_bytes, memory::StorageClass::kPlanned)) {
    for (std::size_t i = 0; i < lowered_.planned.size(); ++i) {
        offset_of_[lowered_.planned[i]] = memory_.offsets[i];
    }
    for (std::size_t value = 0; value < offset_of_.size(); ++value) {
        offset_of_[value] = offset_of_[lowered_.place_of[value]];
    }
    copying_.places.resize(graph_.inputs.size());
    runtime_kernels_ = graph::make_runtime_kernels(lowered_.kernels);
    record_again();
}

Plan::Impl::~Impl() {
    take_back_lent();
    try {
        vk::device().queue().wait(last_replay_);
    } catch (const Error&) {
        // The device is lost or the process ends: nothing runs any more.
    }
}

bool Plan::Impl::is_planned(const graph::TensorRef& ref) const noexcept {
    const graph::ValueKind kind = graph_.values[ref.value].kind;
    return kind == graph::ValueKind::kPlanned || kind == graph::ValueKind::kInput;
}

// The program's own tensors and constants are copied: a caller may write what it is given.
bool Plan::Impl::is_lent(const graph::TensorRef& ref) const noexcept {
    return aliases_outputs_ && is_planned(ref);
}

// A thread waits for its turn, but would wait for ever for itself.
class Plan::Impl::Turn {
public:
    explicit Turn(const Impl& plan) : plan_(plan) {
        if (plan.runner_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
            throw ArgumentError("replay", "a host_call of a plan must not use the plan itself");
        }
        plan.mutex_.lock();
        plan.runner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }

    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Turn(Turn&&) = delete;
    Turn& operator=(Turn&&) = delete;

    ~Turn() {
        plan_.runner_.store(std::thread::id(), std::memory_order_relaxed);
        plan_.mutex_.unlock();
    }

private:
    const Impl& plan_;
};

void Plan::Impl::take_back_lent() noexcept {
    for (const IntrusivePtr<Storage>& storage : lent_) {
        storage->overwrite();
    }
    lent_.clear();
}

vk::Binding Plan::Impl::range_of(const graph::Slot& slot, const Places& places) const {
    const auto part_of = [&slot](const vk::Binding& all, std::uint64_t offset_bytes) {
        return vk::Binding{.buffer = all.buffer,
                           .offset_bytes = all.offset_bytes + offset_bytes + slot.offset_bytes,
                           .size_bytes = slot.size_bytes};
    };
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i].buffer != nullptr && graph_.inputs[i].value == slot.value) {
            return part_of(places[i], 0);
        }
    }
    const bool is_scratch = slot.value >= graph_.values.size();
    const bool is_in_slab = is_scratch || !graph_.values[slot.value].storage->is_placed();
    return is_in_slab ? part_of(slab_->allocation().range, offset_of_[slot.value])
                      : part_of(graph_.values[slot.value].storage->allocation().range, 0);
}

namespace {

// Calls with the number and the range of each value that has memory.
template <class F>
void for_each_placed(const graph::Graph& graph, F&& call) {
    std::size_t number = 0;
    for (const graph::Value& value : graph.values) {
        if (value.storage && value.storage->is_placed()) {
            call(number++, value.storage->allocation().range);
        }
    }
}

}  // namespace

// persist() moves a tensor to other memory.
bool Plan::Impl::has_moved() const noexcept {
    bool has_moved = false;
    for_each_placed(graph_, [&](std::size_t number, const vk::Binding& range) {
        const vk::Binding& recorded = recorded_ranges_[number];
        has_moved = has_moved || recorded.buffer != range.buffer ||
                    recorded.offset_bytes != range.offset_bytes;
    });
    return has_moved;
}

std::shared_ptr<vk::Recording> Plan::Impl::record(const Places& places) {
    std::vector<std::array<vk::Binding, 8>> bindings(lowered_.kernels.size());
    std::vector<vk::Dispatch> dispatches;
    for (std::size_t i = 0; i < lowered_.kernels.size(); ++i) {
        const graph::KernelCall& kernel = lowered_.kernels[i];
        for (std::size_t slot = 0; slot < kernel.slots.size(); ++slot) {
            bindings[i][slot] = range_of(kernel.slots[slot], places);
        }
        dispatches.push_back({.kernel = kernel.kernel,
                              .runtime = runtime_kernels_[i].get(),
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
void Plan::Impl::record_again() {
    std::vector<vk::Binding> ranges;
    for_each_placed(
        graph_, [&](std::size_t /*number*/, const vk::Binding& range) { ranges.push_back(range); });
    copying_.recording = record(copying_.places);
    recorded_ranges_ = std::move(ranges);
    in_place_.recording.reset();
    same_count_ = 0;
}

namespace {

bool is_same_spot(const vk::Binding& a, const vk::Binding& b) noexcept {
    return a.buffer == b.buffer && a.offset_bytes == b.offset_bytes;
}

// Where an argument begins; a null buffer if it does not lie as the commands read it.
vk::Binding spot_of(const Tensor& argument, const graph::TensorRef& input) noexcept {
    const TensorImpl& impl = impl_of(argument);
    vk::Binding spot = impl.storage->allocation().range;
    // An empty view may stand past its storage's end.
    const std::int64_t offset = impl.numel == 0 ? 0 : impl.offset;
    const auto offset_bytes = static_cast<std::uint64_t>(offset * itemsize(impl.dtype));
    spot.offset_bytes += offset_bytes;
    spot.size_bytes -= offset_bytes;
    if (!graph::lies_like(impl, input)) {
        spot.buffer = nullptr;
    }
    return spot;
}

}  // namespace

// Commands can read an argument at its spot if the device can bind it there and the graph writes
// nothing in its storage. An input that is a result as well is copied.
vk::Binding Plan::Impl::place_of(std::size_t input, const Tensor& argument) const {
    const std::uint32_t number = graph_.inputs[input].value;
    const IntrusivePtr<Storage>& storage = impl_of(argument).storage;
    vk::Binding place = spot_of(argument, graph_.inputs[input]);
    const bool is_result = std::any_of(
        graph_.outputs.begin(), graph_.outputs.end(), [number](const graph::TensorRef& output) {
            return output.value == number;
        });
    const bool is_written = std::any_of(
        graph_.values.begin(), graph_.values.end(), [&storage](const graph::Value& value) {
            return value.storage == storage && value.write_count > 0;
        });
    const bool is_aligned =
        place.offset_bytes % vk::device().capabilities().storage_alignment_bytes == 0;
    if (is_result || is_written || !is_aligned || place.size_bytes < lowered_.value_bytes[number]) {
        place.buffer = nullptr;
    }
    return place;
}

// Recording costs more than some copies, so arguments must have stayed where they are for a while;
// for longer each time.
const Plan::Impl::Commands& Plan::Impl::choose_commands(std::span<const Tensor> arguments) {
    const auto lies_at = [&](const Places& spots) {
        bool is_there = spots.size() == arguments.size();
        for (std::size_t i = 0; is_there && i < spots.size(); ++i) {
            is_there = is_same_spot(spot_of(arguments[i], graph_.inputs[i]), spots[i]);
        }
        return is_there;
    };
    if (in_place_.recording && lies_at(in_place_spots_)) {
        return in_place_;
    }
    if (!lies_at(last_spots_)) {
        same_count_ = 0;
        last_spots_.clear();
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            last_spots_.push_back(spot_of(arguments[i], graph_.inputs[i]));
        }
    } else if (++same_count_ == wanted_count_) {
        Commands commands;
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            commands.places.push_back(place_of(i, arguments[i]));
        }
        if (std::any_of(commands.places.begin(), commands.places.end(), [](const auto& place) {
                return place.buffer != nullptr;
            })) {
            commands.recording = record(commands.places);
            in_place_ = std::move(commands);
            in_place_spots_ = last_spots_;
            wanted_count_ *= 2;
            return in_place_;
        }
    }
    return copying_;
}

void Plan::Impl::check_arguments(std::span<const Tensor> arguments) const {
    if (arguments.size() != arguments_.size()) {
        throw ArgumentError("replay",
                            fmt::format("the plan was captured for {} arguments; got {}",
                                        arguments_.size(),
                                        arguments.size()));
    }
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        graph::check_argument(arguments[i], arguments_[i], graph_.inputs[i], i);
        const bool is_lent =
            std::find(lent_.begin(), lent_.end(), impl_of(arguments[i]).storage) != lent_.end();
        if (is_lent) {
            throw ArgumentError("replay",
                                fmt::format("argument {} is a result of this plan's last replay, "
                                            "and this one takes its memory; give a clone",
                                            i));
        }
    }
}

std::string Plan::Impl::staleness() const {
    const auto text_of = [](const TensorImpl& tensor, std::string_view change) {
        return fmt::format("{} a tensor {} {} since the capture; capture again",
                           change,
                           to_string(tensor.sizes),
                           to_string(tensor.dtype));
    };
    for (const graph::Value& value : graph_.values) {
        for (const graph::Holder& holder : value.holders) {
            if (holder.tensor->storage != value.storage) {
                return text_of(*holder.tensor, "other memory was given to");
            }
            if (graph_.may_record && holder.tensor->requires_grad != holder.requires_grad) {
                return text_of(*holder.tensor, "requires_grad was changed of");
            }
        }
    }
    if (const TensorImpl* const leaf = graph_.gradients.exchanged()) {
        return text_of(*leaf, "grad was exchanged of");
    }
    return graph_.host->is_current()
               ? std::string()
               : "what the function reads on the host (an optimizer's state, or options other than "
                 "rates) was exchanged since the capture; capture again";
}

bool Plan::Impl::has_lost_memory() const noexcept {
    return std::any_of(graph_.values.begin(), graph_.values.end(), [](const graph::Value& value) {
        return value.storage && value.storage->is_overwritten();
    });
}

void Plan::Impl::check_values() const {
    for (const graph::Value& value : graph_.values) {
        if (value.storage && value.storage->is_overwritten()) {
            const IntrusivePtr<TensorImpl>& holder = value.holders.front().tensor;
            dispatch::check_placed("replay", Tensor(IntrusivePtr<RefCounted>(holder)));
        }
    }
    const std::string stale = staleness();
    if (!stale.empty()) {
        throw ArgumentError("replay", stale);
    }
}

Tensor Plan::Impl::placed_tensor(const graph::TensorRef& ref) const {
    if (!is_planned(ref)) {
        return graph::make_tensor(graph_, ref);
    }
    graph::TensorRef placed = ref;
    placed.offset += static_cast<std::int64_t>(offset_of_[ref.value]) / itemsize(ref.dtype);
    return graph::make_tensor(slab_, placed);
}

// A storage of its own on the value's part of the slab, so that it can be taken back.
Tensor Plan::Impl::lend(const graph::TensorRef& ref) {
    memory::Allocation part = slab_->allocation();
    part.node = nullptr;  // not its own
    part.range.offset_bytes += offset_of_[ref.value];
    part.range.size_bytes = lowered_.value_bytes[ref.value];
    lent_.push_back(
        IntrusivePtr<Storage>::make(part, graph_.values[ref.value].storage->size_bytes()));
    Tensor output = graph::make_tensor(lent_.back(), ref);
    TensorImpl& impl = impl_of(output);
    impl.is_inference = mode_ == GradModeKind::kInference;
    if (!impl.is_inference) {
        impl.version = IntrusivePtr<VersionCounter>::make();
    }
    return output;
}

void Plan::Impl::run(const Commands& commands,
                     std::span<const Tensor> arguments,
                     std::vector<Tensor>& results) {
    graph_.host->feed();
    take_back_lent();
    memory::allocator().poison(slab_->allocation().range);
    in_place_count_ = 0;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (commands.places[i].buffer != nullptr) {
            ++in_place_count_;
        } else {
            graph::copy_in(placed_tensor(graph_.inputs[i]), arguments[i]);
        }
    }
    last_replay_ = vk::device().queue().replay(*commands.recording);
    for (const graph::Bump& bump : graph_.bumped) {
        bump.version->bump(bump.count);
    }
    graph_.gradients.hand_over();
    for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
        const graph::TensorRef& ref = graph_.outputs[i];
        if (is_lent(ref)) {
            results[i] = lend(ref);
        } else {
            copy_out(placed_tensor(ref), results[i]);
        }
    }
}

std::vector<Tensor> Plan::Impl::replay(std::span<const Tensor> arguments) {
    if (dispatch::thread_state.capturer != nullptr) {
        throw UnsupportedError("replay", "a plan cannot be replayed inside a captured function");
    }
    if (current_grad_mode() != mode_) {
        throw GradModeError("replay",
                            fmt::format("Graph was captured in a different grad mode: in {}, and "
                                        "replayed in {}",
                                        name_of(mode_),
                                        name_of(current_grad_mode())));
    }
    const Turn turn(*this);
    check_arguments(arguments);
    check_values();
    if (has_moved()) {
        record_again();
    }
    const Commands& commands = choose_commands(arguments);
    std::vector<Tensor> results(graph_.outputs.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
        const graph::TensorRef& ref = graph_.outputs[i];
        if (!is_lent(ref)) {
            results[i] = dispatch::make_tensor(ref.sizes, ref.dtype);
        }
    }
    run(commands, arguments, results);
    return results;
}

std::uint64_t Plan::Impl::constant_bytes() const {
    std::uint64_t bytes = 0;
    for (const graph::Value& value : graph_.values) {
        if (value.kind == graph::ValueKind::kConstant && value.storage) {
            bytes += value.storage->allocation().range.size_bytes;
        }
    }
    return bytes;
}

std::size_t Plan::Impl::operator_count() const noexcept {
    std::size_t count = 0;
    for (const graph::Node& node : graph_.nodes) {
        count += std::max<std::size_t>(node.parts.size(), 1);
    }
    return count;
}

PlanStats Plan::Impl::stats() const {
    const Turn turn(*this);
    return {.operator_count = operator_count(),
            .kernel_count = lowered_.kernels.size(),
            .barrier_count = vk::Queue::counters_of(*copying_.recording).barriers,
            .recording_count = recording_count_,
            .inputs_in_place = in_place_count_,
            .planned_bytes = memory_.height_bytes,
            .lower_bound_bytes = memory_.lower_bound_bytes,
            .constant_bytes = constant_bytes()};
}

// The places that step `step` reads and writes: kernel step - 1, or one of the copies at the ends.
memory::TraceEvent Plan::Impl::traced_step(std::size_t step) const {
    memory::TraceEvent event{.kind = memory::TraceEvent::Kind::kKernel};
    const auto add_values = [this](const std::vector<graph::TensorRef>& refs,
                                   std::vector<std::uint64_t>& ids) {
        for (const graph::TensorRef& ref : refs) {
            ids.push_back(lowered_.place_of[ref.value]);
        }
    };
    if (step == 0) {
        event.label = "copy_in";
        add_values(graph_.inputs, event.written_ids);
    } else if (step > lowered_.kernels.size()) {
        event.label = "copy_out";
        add_values(graph_.outputs, event.read_ids);
    } else {
        const graph::KernelCall& call = lowered_.kernels[step - 1];
        const std::uint32_t written = call.written_mask();
        event.label = call.label;
        for (std::size_t i = 0; i < call.slots.size(); ++i) {
            ((written >> i & 1U) != 0 ? event.written_ids : event.read_ids)
                .push_back(lowered_.place_of[call.slots[i].value]);
        }
    }
    return event;
}

void Plan::Impl::dump_trace(const std::string& path) const {
    using Kind = memory::TraceEvent::Kind;
    memory::TraceEvents events;
    // The buffers whose lifetime begins (or ends) at a step appear (or go) there.
    const auto add_buffers = [&](Kind kind, std::int64_t PlanBuffer::*edge, std::size_t step) {
        for (std::size_t i = 0; i < lowered_.planned.size(); ++i) {
            if (lowered_.buffers[i].*edge == static_cast<std::int64_t>(step)) {
                events.push_back({.kind = kind,
                                  .is_transient = true,
                                  .id = lowered_.planned[i],
                                  .size_bytes = lowered_.buffers[i].size_bytes,
                                  .buffer = 1,
                                  .offset_bytes = memory_.offsets[i]});
            }
        }
    };
    for (std::size_t step = 0; step <= lowered_.kernels.size() + 1; ++step) {
        add_buffers(Kind::kFreed, &PlanBuffer::upper, step);
        add_buffers(Kind::kAllocated, &PlanBuffer::lower, step);
        events.push_back(traced_step(step));
    }
    add_buffers(Kind::kFreed, &PlanBuffer::upper, lowered_.kernels.size() + 2);
    memory::write_trace_file(path, events);
}

Plan::Impl& Plan::checked() const {
    if (impl_ == nullptr) {
        throw ArgumentError("plan", "got an undefined plan; capture() makes one");
    }
    return *impl_;
}

std::vector<Tensor> Plan::replay(std::span<const Tensor> arguments) const {
    return checked().replay(arguments);
}

bool Plan::is_stale() const {
    return checked().is_stale();
}

PlanStats Plan::stats() const {
    return checked().stats();
}

std::string Plan::dot() const {
    return checked().dot();
}

void Plan::dump_trace(const std::string& path) const {
    checked().dump_trace(path);
}

namespace detail {

void refuse_count(std::size_t count) {
    throw ArgumentError(
        "capture",
        fmt::format("the function does not take {} tensors, the number of examples", count));
}

Plan capture(const CaptureFunction& fn,
             std::span<const Tensor> examples,
             const CaptureOptions& options) {
    const GradModeKind mode = current_grad_mode();
    graph::Graph graph = graph::Capture::run(fn, examples);
    if (options.eliminate_dead_code) {
        eliminate_dead_code(graph);
    }
    if (options.fold_constants) {
        fold_constants(graph);
    }
    if (options.eliminate_common_subexpressions) {
        eliminate_common_subexpressions(graph);
    }
    if (options.recognise_attention) {
        recognise_attention(graph);
    }
    if (options.fuse_elementwise) {
        fuse_maps(graph, vk::device().capabilities(), options.fuse_into_kernels);
    }
    release_unused_values(graph);
    return Plan(std::make_shared<Plan::Impl>(std::move(graph), examples, mode, options));
}

}  // namespace detail

}  // namespace pumice
