// SPDX-License-Identifier: Apache-2.0
// What measurements and tests put in place of the driver's entries.
#include "vk/seam.h"

#include "pumice/error.h"

#include "vk/check.h"
#include "vk/device.h"
#include "vk/queue.h"
#include "vk/vulkan.h"

#include <algorithm>
#include <array>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

namespace pumice::vk {
namespace {

struct FaultPlan {
    VkResult result = VK_SUCCESS;
    std::uint32_t passed_calls = 0;
};

std::mutex faults_mutex;  // several threads may be in one entry

/// Entries are plain function pointers, so what they need is static.
struct SeamState {
    Device* device = nullptr;
    VolkDeviceTable original{};
    VolkDeviceTable below{};  ///< what filters and faults call: the driver, or null execution
    PFN_vkCmdBeginDebugUtilsLabelEXT begin_label = nullptr;
    PFN_vkCmdEndDebugUtilsLabelEXT end_label = nullptr;
    bool is_null = false;
    NullCounts counts;
    VkSemaphore semaphore = VK_NULL_HANDLE;
    std::uint64_t value = 0;
    std::uint64_t storage_range_bytes = 0;  ///< the device's own
    std::uint32_t timestamp_bits = 0;       ///< likewise
    std::array<FaultPlan, 10> faults{};
    std::function<std::optional<Fault>()> compiler;
    BarrierFilter filter;
    std::uint32_t matched_count = 0;
    std::uint32_t dropped_count = 0;
};

SeamState seam;

/// Keeps the driver's entries, the first time.
VolkDeviceTable& open(Device& device) {
    if (seam.device == nullptr) {
        seam = SeamState{};
        seam.device = &device;
        seam.original = device.table();
        seam.below = seam.original;
        seam.storage_range_bytes = device.capabilities().max_storage_range_bytes;
        seam.timestamp_bits = device.handles().timestamp_bits;
        seam.begin_label = vkCmdBeginDebugUtilsLabelEXT;
        seam.end_label = vkCmdEndDebugUtilsLabelEXT;
    }
    if (seam.device != &device) {
        throw InternalError("seam", "another device's table is replaced already");
    }
    return device.table();
}

template <auto kCounter, typename Pfn>
struct Counted;

/// A no-op of any entry's type, which adds one to a member of NullCounts.
template <auto kCounter, typename Result, typename... Args>
struct Counted<kCounter, Result (*)(Args...)> {
    static Result call(Args... /*ignored*/) {
        ++(seam.counts.*kCounter);
        return Result();
    }
};

template <typename Pfn>
struct Ignored;

template <typename Result, typename... Args>
struct Ignored<Result (*)(Args...)> {
    static Result call(Args... /*ignored*/) { return Result(); }
};

template <auto kCounter, typename Pfn>
void count(Pfn& entry) {
    entry = Counted<kCounter, Pfn>::call;
}

template <typename Pfn>
void ignore(Pfn& entry) {
    entry = Ignored<Pfn>::call;
}

VkResult null_submit(VkQueue /*queue*/,
                     std::uint32_t count,
                     const VkSubmitInfo* batches,
                     VkFence /*fence*/) {
    const VkSubmitInfo& last = batches[count - 1];  // the one that signals
    const auto* timeline = static_cast<const VkTimelineSemaphoreSubmitInfo*>(last.pNext);
    seam.semaphore = last.pSignalSemaphores[0];
    seam.value = timeline->pSignalSemaphoreValues[0];
    ++seam.counts.submits;
    return VK_SUCCESS;
}

VkResult null_counter(VkDevice device, VkSemaphore semaphore, std::uint64_t* value) {
    if (seam.semaphore == VK_NULL_HANDLE) {
        return seam.original.vkGetSemaphoreCounterValue(device, semaphore, value);
    }
    *value = seam.value;
    return VK_SUCCESS;
}

// NOLINTNEXTLINE(readability-function-size): the signature is the driver's
void filtered_barrier(VkCommandBuffer buffer,
                      VkPipelineStageFlags from,
                      VkPipelineStageFlags to,
                      VkDependencyFlags flags,
                      std::uint32_t memory_count,
                      const VkMemoryBarrier* memory,
                      std::uint32_t buffer_count,
                      const VkBufferMemoryBarrier* buffers,
                      std::uint32_t image_count,
                      const VkImageMemoryBarrier* images) {
    const Hazard hazard = seam.device->queue().last_hazard();
    const BarrierFilter& filter = seam.filter;
    const bool is_match = (to & VK_PIPELINE_STAGE_HOST_BIT) == 0 &&
                          (filter.kind == HazardKind::kNone || filter.kind == hazard.kind) &&
                          (!filter.only_across_submits || hazard.is_across_submits);
    if (is_match && seam.matched_count++ >= filter.passed_count &&
        seam.dropped_count < filter.dropped_count) {
        ++seam.dropped_count;
        return;
    }
    seam.below.vkCmdPipelineBarrier(
        buffer, from, to, flags, memory_count, memory, buffer_count, buffers, image_count, images);
}

/// Calls through to the driver until the plan says to fail.
template <Entry kWhich, auto kMember>
struct Failing;

template <Entry kWhich, typename... Args, VkResult (*VolkDeviceTable::*kMember)(Args...)>
struct Failing<kWhich, kMember> {
    static VkResult call(Args... args) {
        if (const VkResult result = next_result(); result < 0) {
            return result;
        }
        return (seam.below.*kMember)(args...);
    }

    // A failure, or success where the driver is to say.
    static VkResult next_result() {
        const std::lock_guard lock(faults_mutex);
        FaultPlan& plan = seam.faults[static_cast<std::size_t>(kWhich)];
        if (plan.passed_calls == 0) {
            return plan.result;
        }
        --plan.passed_calls;
        return VK_SUCCESS;
    }
};

/// Puts the replacement on top of what is there, once.
template <typename Pfn>
void put_on_top(VolkDeviceTable& table, Pfn VolkDeviceTable::*member, Pfn replacement) {
    if (table.*member != replacement) {
        seam.below.*member = table.*member;
        table.*member = replacement;
    }
}

template <Entry kWhich, auto kMember>
void fail(VolkDeviceTable& table) {
    put_on_top(table, kMember, &Failing<kWhich, kMember>::call);
}

VkResult result_of(Fault fault) {
    switch (fault) {
        case Fault::kOutOfDeviceMemory: return VK_ERROR_OUT_OF_DEVICE_MEMORY;
        case Fault::kOutOfHostMemory: return VK_ERROR_OUT_OF_HOST_MEMORY;
        case Fault::kDeviceLost: return VK_ERROR_DEVICE_LOST;
    }
    return VK_ERROR_UNKNOWN;
}

// NOLINTNEXTLINE(readability-function-size): the signature is the driver's
VkResult replaced_compiler(VkDevice device,
                           VkPipelineCache cache,
                           std::uint32_t count,
                           const VkComputePipelineCreateInfo* infos,
                           const VkAllocationCallbacks* allocator,
                           VkPipeline* pipelines) {
    if (const std::optional<Fault> fault = seam.compiler()) {
        return result_of(*fault);
    }
    return seam.below.vkCreateComputePipelines(device, cache, count, infos, allocator, pipelines);
}

}  // namespace

void install_null_execution(Device& device) {
    // Real work must have ended, or paper values would overtake it.
    device.queue().wait(device.queue().flush());
    VolkDeviceTable& table = open(device);
    seam.is_null = true;
    seam.counts = {};
    count<&NullCounts::dispatches>(table.vkCmdDispatch);
    count<&NullCounts::barriers>(table.vkCmdPipelineBarrier);
    count<&NullCounts::transfers>(table.vkCmdCopyBuffer);
    count<&NullCounts::transfers>(table.vkCmdFillBuffer);
    count<&NullCounts::descriptor_updates>(table.vkCmdPushDescriptorSetWithTemplateKHR);
    count<&NullCounts::descriptor_updates>(table.vkCmdBindDescriptorSets);
    ignore(table.vkCmdBindPipeline);
    ignore(table.vkCmdPushConstants);
    ignore(table.vkBeginCommandBuffer);
    ignore(table.vkEndCommandBuffer);
    ignore(table.vkCmdResetQueryPool);
    ignore(table.vkCmdWriteTimestamp);
    ignore(table.vkGetQueryPoolResults);
    ignore(table.vkWaitSemaphores);
    ignore(vkCmdBeginDebugUtilsLabelEXT);
    ignore(vkCmdEndDebugUtilsLabelEXT);
    table.vkQueueSubmit = null_submit;
    table.vkGetSemaphoreCounterValue = null_counter;
}

NullCounts null_counts() noexcept {
    return seam.counts;
}

void inject_fault(Device& device, Entry entry, Fault fault, std::uint32_t passed_calls) {
    using Table = VolkDeviceTable;
    VolkDeviceTable& table = open(device);
    seam.faults[static_cast<std::size_t>(entry)] = {result_of(fault), passed_calls};
    switch (entry) {
        case Entry::kAllocateMemory:
            return fail<Entry::kAllocateMemory, &Table::vkAllocateMemory>(table);
        case Entry::kCreateBuffer: return fail<Entry::kCreateBuffer, &Table::vkCreateBuffer>(table);
        case Entry::kMapMemory: return fail<Entry::kMapMemory, &Table::vkMapMemory>(table);
        case Entry::kCreateComputePipelines:
            return fail<Entry::kCreateComputePipelines, &Table::vkCreateComputePipelines>(table);
        case Entry::kBeginCommandBuffer:
            return fail<Entry::kBeginCommandBuffer, &Table::vkBeginCommandBuffer>(table);
        case Entry::kQueueSubmit: return fail<Entry::kQueueSubmit, &Table::vkQueueSubmit>(table);
        case Entry::kWaitSemaphores:
            return fail<Entry::kWaitSemaphores, &Table::vkWaitSemaphores>(table);
        case Entry::kGetSemaphoreCounterValue:
            return fail<Entry::kGetSemaphoreCounterValue, &Table::vkGetSemaphoreCounterValue>(
                table);
        case Entry::kCreateQueryPool:
            return fail<Entry::kCreateQueryPool, &Table::vkCreateQueryPool>(table);
        case Entry::kGetQueryPoolResults:
            return fail<Entry::kGetQueryPoolResults, &Table::vkGetQueryPoolResults>(table);
    }
}

void replace_compiler(Device& device, std::function<std::optional<Fault>()> compiler) {
    VolkDeviceTable& table = open(device);
    seam.compiler = std::move(compiler);
    put_on_top(table, &VolkDeviceTable::vkCreateComputePipelines, &replaced_compiler);
}

void drop_barriers(Device& device, const BarrierFilter& filter) {
    VolkDeviceTable& table = open(device);
    seam.filter = filter;
    seam.matched_count = 0;
    seam.dropped_count = 0;
    put_on_top(table, &VolkDeviceTable::vkCmdPipelineBarrier, &filtered_barrier);
}

std::uint32_t dropped_barrier_count() noexcept {
    return seam.dropped_count;
}

void limit_storage_range(Device& device, std::uint64_t most_bytes) {
    open(device);
    device.set_storage_range(std::min(most_bytes, seam.storage_range_bytes));
}

void limit_timestamps(Device& device, std::uint32_t most_bits) {
    open(device);
    device.set_timestamp_bits(std::min(most_bits, seam.timestamp_bits));
}

void restore(Device& device) {
    if (seam.device != &device) {
        return;
    }
    if (seam.is_null) {
        device.queue().flush();  // nothing that was swallowed may reach a real command buffer
    }
    device.table() = seam.original;
    device.set_storage_range(seam.storage_range_bytes);
    device.set_timestamp_bits(seam.timestamp_bits);
    vkCmdBeginDebugUtilsLabelEXT = seam.begin_label;
    vkCmdEndDebugUtilsLabelEXT = seam.end_label;
    seam.device = nullptr;
    if (seam.is_null && seam.semaphore != VK_NULL_HANDLE) {
        VkSemaphoreSignalInfo info{};
        info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO;
        info.semaphore = seam.semaphore;
        info.value = seam.value;
        PUMICE_VK_CHECK(device.table().vkSignalSemaphore(device.handles().device, &info),
                        "vkSignalSemaphore");
    }
}

}  // namespace pumice::vk
