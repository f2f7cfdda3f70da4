// SPDX-License-Identifier: Apache-2.0
#include "vk/recorder.h"

#include "pumice/error.h"

#include "vk/check.h"
#include "vk/device.h"

#include <algorithm>
#include <cstring>

namespace pumice::vk {

// Note [Hazards]: commands on one queue start in order but overlap, and what one wrote another sees
// only through a memory dependency; submission order is none. So the tracker keeps the ranges that
// were read and written since the last barrier, over submits, and a command that conflicts gets one
// global barrier, after which the tracker is empty. Ranges are those bound, because that is what
// synchronization validation compares. A kernel's written binding counts as read too: it conflicts
// with reads and writes alike. The tracker forgets submitted ranges when the host has waited for
// the last submit; that a counter was merely read is not taken as enough.

namespace {

/// A command buffer is submitted with this many commands: enough to make a submit's cost (20 us on
/// lavapipe) small, few enough that the device starts while the host goes on recording.
constexpr std::uint32_t kCommandsPerSubmit = 128;

/// ... or with this much estimated work: long submits lose the device on real drivers.
constexpr std::uint64_t kWorkPerSubmit = std::uint64_t{1} << 30U;

constexpr VkPipelineStageFlags kStages =
    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
constexpr VkAccessFlags kWrites = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
constexpr VkAccessFlags kReads = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT;

constexpr std::string_view kLost =
    "the device was lost (VK_ERROR_DEVICE_LOST) by an earlier command; restart the process";

Access access_of(const Binding& binding, bool is_write) noexcept {
    return make_access(binding.buffer->id, binding.offset_bytes, binding.size_bytes, is_write);
}

/// Begins a debug label; the text is copied because Vulkan wants it to end in a zero.
void begin_label(VkCommandBuffer buffer, std::string_view text) noexcept {
    std::array<char, 64> name{};
    std::copy_n(text.data(), std::min(text.size(), name.size() - 1), name.data());
    VkDebugUtilsLabelEXT label{};
    label.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT;
    label.pLabelName = name.data();
    vkCmdBeginDebugUtilsLabelEXT(buffer, &label);
}

}  // namespace

Recorder::Recorder(Device& device)
    : device_(device),
      handles_(device.handles()),
      table_(device.table()),
      has_push_descriptors_(device.capabilities().has_push_descriptors),
      timeline_(handles_, table_),
      ring_(handles_, table_) {}

Recorder::~Recorder() {
    table_.vkDeviceWaitIdle(handles_.device);  // a lost device returns at once
}

void Recorder::check_alive() const {
    if (is_lost()) [[unlikely]] {
        throw DeviceError("vulkan", lost_reason_);
    }
}

void Recorder::mark_lost(std::string_view reason) noexcept {
    if (!is_lost()) {
        lost_reason_ = reason;
    }
    slot_ = nullptr;
    pending_count_ = 0;
    pending_work_ = 0;
}

void Recorder::fail(VkResult result, std::string_view what) {
    if (result == VK_ERROR_DEVICE_LOST) {
        mark_lost(kLost);
    }
    throw_result(result, what);
}

void Recorder::begin() {
    if (slot_ != nullptr) {
        return;
    }
    try {
        slot_ = &ring_.begin_next(timeline_);
    } catch (const DeviceError&) {
        mark_lost(kLost);
        throw;
    }
    bound_pipeline_ = VK_NULL_HANDLE;
}

void Recorder::record_barrier() noexcept {
    // Full masks on both sides: a driver is known to drop narrower ones.
    constexpr VkMemoryBarrier kBarrier{
        VK_STRUCTURE_TYPE_MEMORY_BARRIER, nullptr, kReads | kWrites, kReads | kWrites};
    table_.vkCmdPipelineBarrier(
        slot_->buffer, kStages, kStages, 0, 1, &kBarrier, 0, nullptr, 0, nullptr);
    ++counters_.barriers;
}

void Recorder::order(std::span<const Access> accesses) noexcept {
    const Hazard hazard = hazards_.check(accesses);
    if (hazard.kind != HazardKind::kNone) {
        last_hazard_ = hazard;
        record_barrier();
        hazards_.clear();
    }
    hazards_.add(accesses);
    for (const Access& access : accesses) {
        log_.add(access, submitted_ + 1);
    }
}

void Recorder::bind(const Pipeline& pipeline,
                    VkDescriptorSet set,
                    std::span<const Binding> bindings) noexcept {
    if (bound_pipeline_ != pipeline.handle) {
        table_.vkCmdBindPipeline(slot_->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle);
        bound_pipeline_ = pipeline.handle;
    }
    if (bindings.empty()) {
        return;
    }
    const BindingLayout& layout = *pipeline.layout;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the hot path fills what it uses
    std::array<VkDescriptorBufferInfo, PipelineCache::kMaxBindings> infos;
    for (std::size_t i = 0; i < bindings.size(); ++i) {
        infos[i] = {to_handle<VkBuffer>(bindings[i].buffer->handle),
                    bindings[i].offset_bytes,
                    bindings[i].size_bytes};
    }
    if (has_push_descriptors_) {
        table_.vkCmdPushDescriptorSetWithTemplateKHR(
            slot_->buffer, layout.update, layout.pipeline, 0, infos.data());
        return;
    }
    table_.vkUpdateDescriptorSetWithTemplate(handles_.device, set, layout.update, infos.data());
    table_.vkCmdBindDescriptorSets(
        slot_->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout.pipeline, 0, 1, &set, 0, nullptr);
}

void Recorder::record_dispatch(const Dispatch& dispatch, const Pipeline& pipeline) noexcept {
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

void Recorder::dispatch(const Dispatch& dispatch, const KernelInfo& info) {
    check_alive();
    // Everything that may throw comes before the first command is recorded.
    const Pipeline& pipeline = device_.pipelines().get(dispatch.kernel, dispatch.spec);
    begin();
    VkDescriptorSet set = VK_NULL_HANDLE;
    if (!has_push_descriptors_ && !dispatch.bindings.empty()) {
        set = slot_->sets.take(*pipeline.layout);
    }
    std::array<Access, PipelineCache::kMaxBindings> accesses;
    for (std::size_t i = 0; i < dispatch.bindings.size(); ++i) {
        accesses[i] = access_of(dispatch.bindings[i], (info.written_mask >> i & 1U) != 0);
    }
    order(std::span(accesses).first(dispatch.bindings.size()));
    bind(pipeline, set, dispatch.bindings);
    record_dispatch(dispatch, pipeline);
    ++counters_.dispatches;
    count_command(dispatch.work);
}

void Recorder::copy(const Binding& source, const Binding& target) {
    check_alive();
    begin();
    const std::array<Access, 2> accesses = {access_of(source, false), access_of(target, true)};
    order(accesses);
    const VkBufferCopy region{source.offset_bytes, target.offset_bytes, source.size_bytes};
    table_.vkCmdCopyBuffer(slot_->buffer,
                           to_handle<VkBuffer>(source.buffer->handle),
                           to_handle<VkBuffer>(target.buffer->handle),
                           1,
                           &region);
    count_command(source.size_bytes / sizeof(std::uint32_t));
}

void Recorder::fill(const Binding& target, std::uint32_t word) {
    check_alive();
    begin();
    const Access access = access_of(target, true);
    order({&access, 1});
    table_.vkCmdFillBuffer(slot_->buffer,
                           to_handle<VkBuffer>(target.buffer->handle),
                           target.offset_bytes,
                           target.size_bytes,
                           word);
    count_command(target.size_bytes / sizeof(std::uint32_t));
}

std::uint64_t Recorder::release_to_host() {
    check_alive();
    if (is_released_ && !has_pending()) {
        return submitted_;  // an earlier release covers every write
    }
    begin();
    constexpr VkMemoryBarrier kBarrier{
        VK_STRUCTURE_TYPE_MEMORY_BARRIER, nullptr, kWrites, VK_ACCESS_HOST_READ_BIT};
    table_.vkCmdPipelineBarrier(slot_->buffer,
                                kStages,
                                VK_PIPELINE_STAGE_HOST_BIT,
                                0,
                                1,
                                &kBarrier,
                                0,
                                nullptr,
                                0,
                                nullptr);
    ++counters_.barriers;
    ++pending_count_;
    is_released_ = true;
    return submit();
}

bool Recorder::is_idle(const Binding& range) {
    const Access access = access_of(range, true);
    if (log_.last_use(access, timeline_.known()) <= timeline_.known()) {
        return true;
    }
    if (const VkResult result = timeline_.query(); result < 0) {
        fail(result, "vkGetSemaphoreCounterValue");
    }
    return log_.last_use(access, timeline_.known()) <= timeline_.known();
}

void Recorder::count_command(std::uint64_t work) {
    ++pending_count_;
    pending_work_ += work;
    is_released_ = false;
    if (pending_count_ >= kCommandsPerSubmit || pending_work_ >= kWorkPerSubmit) {
        submit();
    }
}

std::uint64_t Recorder::submit() {
    if (!has_pending()) {
        return submitted_;
    }
    const std::uint64_t value = submitted_ + 1;
    VkResult result = table_.vkEndCommandBuffer(slot_->buffer);
    if (result >= 0) {
        VkSemaphore semaphore = timeline_.handle();
        VkTimelineSemaphoreSubmitInfo timeline{};
        timeline.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO;
        timeline.signalSemaphoreValueCount = 1;
        timeline.pSignalSemaphoreValues = &value;
        VkSubmitInfo info{};
        info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
        info.pNext = &timeline;
        info.commandBufferCount = 1;
        info.pCommandBuffers = &slot_->buffer;
        info.signalSemaphoreCount = 1;
        info.pSignalSemaphores = &semaphore;
        result = table_.vkQueueSubmit(handles_.queue, 1, &info, VK_NULL_HANDLE);
    }
    if (result < 0) {
        // Tensors are missing values from here on, whatever the reason was.
        mark_lost(kLost);
        throw DeviceError("vulkan",
                          "vkQueueSubmit gave " + std::string(result_name(result)) +
                              "; the device is lost, restart the process");
    }
    slot_->value = value;
    slot_ = nullptr;
    submitted_ = value;
    pending_count_ = 0;
    pending_work_ = 0;
    hazards_.mark_submit();
    ++counters_.submits;
    return value;
}

void Recorder::learn_waited(std::uint64_t value) noexcept {
    if (value >= submitted_) {
        hazards_.forget_submitted();
    }
}

}  // namespace pumice::vk
