// SPDX-License-Identifier: Apache-2.0
// How far the device is, and waiting for it.
#include "vk/timeline.h"

#include "vk/check.h"

namespace pumice::vk {

Timeline::Timeline(const DeviceHandles& handles, const VolkDeviceTable& table)
    : handles_(handles), table_(table) {
    VkSemaphoreTypeCreateInfo type{};
    type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
    type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
    VkSemaphoreCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
    info.pNext = &type;
    PUMICE_VK_CHECK(table_.vkCreateSemaphore(handles_.device, &info, nullptr, &semaphore_),
                    "vkCreateSemaphore");
}

Timeline::~Timeline() {
    table_.vkDestroySemaphore(handles_.device, semaphore_, nullptr);
}

void Timeline::learn(std::uint64_t value) noexcept {
    std::uint64_t known = known_.load(std::memory_order_relaxed);
    while (known < value &&
           !known_.compare_exchange_weak(known, value, std::memory_order_acq_rel)) {
    }
}

VkResult Timeline::query() noexcept {
    std::uint64_t value = 0;
    const VkResult result = table_.vkGetSemaphoreCounterValue(handles_.device, semaphore_, &value);
    if (result == VK_SUCCESS) {
        learn(value);
    }
    return result;
}

VkResult Timeline::wait_for(std::uint64_t value, std::uint64_t nanoseconds) noexcept {
    VkSemaphoreWaitInfo info{};
    info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
    info.semaphoreCount = 1;
    info.pSemaphores = &semaphore_;
    info.pValues = &value;
    const VkResult result = table_.vkWaitSemaphores(handles_.device, &info, nanoseconds);
    if (result == VK_SUCCESS) {
        learn(value);
    }
    return result;
}

VkResult Timeline::wait(std::uint64_t value) noexcept {
    VkResult result = VK_TIMEOUT;
    while (result == VK_TIMEOUT) {
        result = wait_for(value, UINT64_MAX);
    }
    return result;
}

VkResult Timeline::wait_until(std::uint64_t value, Deadline deadline) noexcept {
    const std::chrono::nanoseconds left = deadline - std::chrono::steady_clock::now();
    return wait_for(value, left.count() > 0 ? static_cast<std::uint64_t>(left.count()) : 0);
}

}  // namespace pumice::vk
