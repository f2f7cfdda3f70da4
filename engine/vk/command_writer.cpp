// SPDX-License-Identifier: Apache-2.0
// What a command buffer gets: binds, pushes, dispatches, and a barrier where one is due.
#include "vk/command_writer.h"

#include "vk/command_timer.h"
#include "vk/device.h"
#include "vk/flight_log.h"
#include "vk/reports.h"
#include "vk/texel_views.h"
#include "vk/timings.h"

namespace pumice::vk {
namespace {

/// Begins a debug label; the text is copied because Vulkan wants it to end in a zero.
void begin_label(VkCommandBuffer buffer, std::string_view text) noexcept {
    const LabelText name = to_label_text(text);
    VkDebugUtilsLabelEXT label{};
    label.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT;
    label.pLabelName = name.data();
    vkCmdBeginDebugUtilsLabelEXT(buffer, &label);
}

VkDescriptorBufferInfo info_of_range(const Binding& range) noexcept {
    return {to_handle<VkBuffer>(range.buffer->handle), range.offset_bytes, range.size_bytes};
}

}  // namespace

Access access_of(const Binding& binding, bool is_write) noexcept {
    return make_access(binding.buffer->id, binding.offset_bytes, binding.size_bytes, is_write);
}

CommandWriter::CommandWriter(Device& device,
                             QueueCounters& counters,
                             Hazard& last_hazard,
                             FlightLog* log,
                             std::vector<VkBufferView>* own_views)
    : handles_(device.handles()),
      table_(device.table()),
      has_push_descriptors_(device.capabilities().has_push_descriptors),
      reports_(device.reports()),
      views_(device.texel_views()),
      own_views_(own_views),
      counters_(counters),
      last_hazard_(last_hazard),
      log_(log) {}

void CommandWriter::open(CommandSlot& slot,
                         Stopwatch* stopwatch,
                         std::uint64_t completed) noexcept {
    slot_ = &slot;
    stopwatch_ = stopwatch;
    completed_ = completed;
    bound_pipeline_ = VK_NULL_HANDLE;
}

void CommandWriter::barrier() noexcept {
    constexpr VkMemoryBarrier kBarrier{
        VK_STRUCTURE_TYPE_MEMORY_BARRIER, nullptr, kCommandAccesses, kCommandAccesses};
    table_.vkCmdPipelineBarrier(
        slot_->buffer, kCommandStages, kCommandStages, 0, 1, &kBarrier, 0, nullptr, 0, nullptr);
    ++counters_.barriers;
    hazards_.clear();
}

void CommandWriter::release_to_host() noexcept {
    constexpr VkMemoryBarrier kBarrier{
        VK_STRUCTURE_TYPE_MEMORY_BARRIER, nullptr, kCommandWrites, VK_ACCESS_HOST_READ_BIT};
    table_.vkCmdPipelineBarrier(slot_->buffer,
                                kCommandStages,
                                VK_PIPELINE_STAGE_HOST_BIT,
                                0,
                                1,
                                &kBarrier,
                                0,
                                nullptr,
                                0,
                                nullptr);
    ++counters_.barriers;
}

template <class Record>
void CommandWriter::timed(std::string_view label, const Record& record) noexcept {
    if (stopwatch_ == nullptr) [[likely]] {
        record();
        return;
    }
    stopwatch_->begin(label);
    record();
    stopwatch_->end();
}

void CommandWriter::order(std::span<const Access> accesses, std::uint64_t value) noexcept {
    const Hazard hazard = hazards_.check(accesses);
    if (hazard.kind != HazardKind::kNone) {
        last_hazard_ = hazard;
        barrier();
    }
    hazards_.add(accesses);
    if (log_ != nullptr) {
        for (const Access& access : accesses) {
            log_->add(access, value);
        }
    }
}

// What the kernel's own bindings are told; the reports' comes later, when nothing can fail any
// more.
void CommandWriter::describe(const Dispatch& dispatch,
                             const BindingLayout& layout,
                             std::uint64_t value,
                             Descriptors& descriptors) {
    for (std::size_t i = 0; i < dispatch.bindings.size(); ++i) {
        const Binding& range = dispatch.bindings[i];
        const auto width =
            (dispatch.quad_mask >> i & 1U) != 0 ? TexelWidth::kQuad : TexelWidth::kWord;
        if ((layout.texel_mask >> i & 1U) == 0) {
            descriptors[i].buffer = info_of_range(range);
        } else if (own_views_ == nullptr) {
            descriptors[i].texels = views_.get(range, width, value, completed_);
        } else {
            own_views_->reserve(own_views_->size() + 1);
            own_views_->push_back(descriptors[i].texels = views_.make(range, width));
        }
    }
}

void CommandWriter::bind(const Pipeline& pipeline,
                         VkDescriptorSet set,
                         const Descriptors& descriptors) noexcept {
    if (bound_pipeline_ != pipeline.handle) {
        table_.vkCmdBindPipeline(slot_->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle);
        bound_pipeline_ = pipeline.handle;
    }
    const BindingLayout& layout = *pipeline.layout;
    if (layout.binding_count == 0) {
        return;
    }
    if (has_push_descriptors_) {
        table_.vkCmdPushDescriptorSetWithTemplateKHR(
            slot_->buffer, layout.update, layout.pipeline, 0, descriptors.data());
        return;
    }
    table_.vkUpdateDescriptorSetWithTemplate(
        handles_.device, set, layout.update, descriptors.data());
    table_.vkCmdBindDescriptorSets(
        slot_->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout.pipeline, 0, 1, &set, 0, nullptr);
}

void CommandWriter::record_dispatch(const Dispatch& dispatch, const Pipeline& pipeline) noexcept {
    if (!dispatch.push.empty()) {
        table_.vkCmdPushConstants(slot_->buffer,
                                  pipeline.layout->pipeline,
                                  VK_SHADER_STAGE_COMPUTE_BIT,
                                  0,
                                  static_cast<std::uint32_t>(dispatch.push.size()),
                                  dispatch.push.data());
    }
    const bool has_label = handles_.has_debug_utils && !dispatch.label.empty();
    if (has_label) {
        begin_label(slot_->buffer, dispatch.label);
    }
    table_.vkCmdDispatch(slot_->buffer, dispatch.groups[0], dispatch.groups[1], dispatch.groups[2]);
    if (has_label) {
        vkCmdEndDebugUtilsLabelEXT(slot_->buffer);
    }
}

void CommandWriter::dispatch(const Dispatch& dispatch,
                             const KernelInfo& info,
                             const Pipeline& pipeline,
                             std::uint64_t value) {
    VkDescriptorSet set = VK_NULL_HANDLE;
    if (!has_push_descriptors_ && !dispatch.bindings.empty()) {
        set = slot_->sets.take(*pipeline.layout);
    }
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the hot path fills what it uses
    Descriptors descriptors;
    describe(dispatch, *pipeline.layout, value, descriptors);
    std::array<Access, PipelineCache::kMaxBindings> accesses;
    for (std::size_t i = 0; i < dispatch.bindings.size(); ++i) {
        accesses[i] = access_of(dispatch.bindings[i], (info.written_mask >> i & 1U) != 0);
    }
    order(std::span(accesses).first(dispatch.bindings.size()), value);
    if (info.reports) {
        descriptors[dispatch.bindings.size()].buffer = info_of_range(reports_.next_slot());
    }
    bind(pipeline, set, descriptors);
    if (info.reports) {
        reports_.note(value);
    }
    timed(dispatch.label, [&] { record_dispatch(dispatch, pipeline); });
    ++counters_.dispatches;
}

void CommandWriter::copy(const Binding& source,
                         const Binding& target,
                         std::uint64_t value) noexcept {
    const std::array<Access, 2> accesses = {access_of(source, false), access_of(target, true)};
    order(accesses, value);
    const VkBufferCopy region{source.offset_bytes, target.offset_bytes, source.size_bytes};
    timed("buffer_copy", [&] {
        table_.vkCmdCopyBuffer(slot_->buffer,
                               to_handle<VkBuffer>(source.buffer->handle),
                               to_handle<VkBuffer>(target.buffer->handle),
                               1,
                               &region);
    });
}

void CommandWriter::fill(const Binding& target, std::uint32_t word, std::uint64_t value) noexcept {
    const Access access = access_of(target, true);
    order({&access, 1}, value);
    timed("buffer_fill", [&] {
        table_.vkCmdFillBuffer(slot_->buffer,
                               to_handle<VkBuffer>(target.buffer->handle),
                               target.offset_bytes,
                               target.size_bytes,
                               word);
    });
}

}  // namespace pumice::vk
