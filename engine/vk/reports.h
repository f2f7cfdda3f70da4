// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/buffer.h"
#include "vk/hazards.h"
#include "vk/queue.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace pumice::vk {

class Device;

/// Where kernels tell the host what they cannot answer: words that the host sees, bound behind the
/// buffers of each kernel that has a block `Reports` (KernelInfo::reports;
/// shaders/include/report.glsl).
///
/// Note [Reports]: a kernel writes only where something is wrong, and the host looks only when it
/// has waited for the device to read something else; so neither costs anything. All kernels could
/// write one word with an atomic, but their dispatches would then need barriers between them
/// (synchronization validation knows no atomics). So each dispatch gets the next of some slots in
/// turn, more than there can be dispatches between two barriers, because each writes a result
/// that the hazard tracker counts. A slot keeps the first report until the host has taken it.
class Reports {
public:
    static constexpr std::uint32_t kSlots = 2 * HazardTracker::kCapacity;

    explicit Reports(Device& device) : device_(device) {}

    /// Makes the words, once. Not under the queue's lock; thread-safe.
    /// @throws OutOfMemoryError, DeviceError
    void prepare();

    // Under the queue's lock, from here on.

    /// The slot of one more dispatch.
    Binding next_slot() noexcept;

    /// Commands that may report end with this timeline value.
    void note(std::uint64_t value) noexcept { last_value_ = std::max(last_value_, value); }

    /// Whether some command may have reported since the host looked last.
    [[nodiscard]] bool is_due() const noexcept { return last_value_ > checked_value_; }

    /// Of what has ended and was released to the host.
    [[nodiscard]] bool has_any() const noexcept;
    /// The oldest report, and how many other slots have one; clears all. Nothing may be on its way.
    Report take() noexcept;

    /// What ended with this value was looked at.
    void mark_checked(std::uint64_t value) noexcept { checked_value_ = value; }

    /// Without memory until `prepare`.
    [[nodiscard]] const Buffer& buffer() const noexcept { return buffer_; }

private:
    [[nodiscard]] volatile std::uint32_t* words_of(std::uint32_t slot) const noexcept;

    Device& device_;
    std::mutex making_;
    std::atomic<bool> is_ready_{false};
    Buffer buffer_;
    std::uint64_t stride_bytes_ = 0;
    std::uint32_t next_ = 0;
    std::uint64_t last_value_ = 0;
    std::uint64_t checked_value_ = 0;
};

}  // namespace pumice::vk
