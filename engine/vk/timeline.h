// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/process_end.h"
#include "vk/vulkan.h"

#include <atomic>
#include <cstdint>

namespace pumice::vk {

/// The queue's timeline semaphore. Its value counts submits that have ended. Thread-safe.
class Timeline {
public:
    Timeline(const DeviceHandles& handles, const VolkDeviceTable& table);
    ~Timeline();
    Timeline(const Timeline&) = delete;
    Timeline& operator=(const Timeline&) = delete;
    Timeline(Timeline&&) = delete;
    Timeline& operator=(Timeline&&) = delete;

    [[nodiscard]] VkSemaphore handle() const noexcept { return semaphore_; }

    /// Highest value seen so far, without asking the driver.
    [[nodiscard]] std::uint64_t known() const noexcept {
        return known_.load(std::memory_order_acquire);
    }

    /// Asks the driver and updates `known`.
    VkResult query() noexcept;
    /// Blocks until the value is reached.
    VkResult wait(std::uint64_t value) noexcept;
    /// Likewise, or until the deadline: VK_TIMEOUT.
    VkResult wait_until(std::uint64_t value, Deadline deadline) noexcept;

private:
    VkResult wait_for(std::uint64_t value, std::uint64_t nanoseconds) noexcept;
    void learn(std::uint64_t value) noexcept;

    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    VkSemaphore semaphore_ = VK_NULL_HANDLE;
    std::atomic<std::uint64_t> known_{0};
};

}  // namespace pumice::vk
