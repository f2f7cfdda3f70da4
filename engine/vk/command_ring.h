// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/pipelines.h"
#include "vk/timeline.h"
#include "vk/vulkan.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace pumice::vk {

/// Descriptor sets that one command buffer may bind, for devices without push descriptors. Sets are
/// allocated once and rewritten each time their command buffer is recorded anew.
class SetPool {
public:
    SetPool(const DeviceHandles& handles, const VolkDeviceTable& table) noexcept;
    ~SetPool();
    SetPool(const SetPool&) = delete;
    SetPool& operator=(const SetPool&) = delete;
    SetPool(SetPool&&) = delete;
    SetPool& operator=(SetPool&&) = delete;

    /// A set that no command of this recording has bound yet. @throws OutOfMemoryError, DeviceError
    VkDescriptorSet take(const BindingLayout& layout);

    /// The command buffer has run: all sets may be rewritten.
    void reset() noexcept {
        for (OfLayout& each : layouts_) {
            each.used_count = 0;
        }
    }

private:
    void grow(const BindingLayout& layout);

    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    std::vector<VkDescriptorPool> pools_;

    struct OfLayout {
        std::vector<VkDescriptorSet> sets;
        std::size_t used_count = 0;
    };

    std::vector<OfLayout> layouts_;  ///< by BindingLayout::number
};

/// A command buffer with what it needs to be recorded anew.
struct CommandSlot {
    CommandSlot(const DeviceHandles& handles, const VolkDeviceTable& table);
    ~CommandSlot();
    CommandSlot(const CommandSlot&) = delete;
    CommandSlot& operator=(const CommandSlot&) = delete;
    CommandSlot(CommandSlot&&) = delete;
    CommandSlot& operator=(CommandSlot&&) = delete;

    /// Resets the command buffer, whose last submit has ended, and begins it.
    /// @throws OutOfMemoryError, DeviceError
    void begin(VkCommandBufferUsageFlags usage);

    const DeviceHandles& handles;
    const VolkDeviceTable& table;
    VkCommandPool pool = VK_NULL_HANDLE;
    VkCommandBuffer buffer = VK_NULL_HANDLE;
    std::uint64_t value = 0;  ///< timeline value that ends its last submit
    SetPool sets;
};

/// Command buffers in the order of their submits. Not thread-safe.
class CommandRing {
public:
    /// More in flight than this and the host waits: it bounds how far the host runs ahead.
    static constexpr std::size_t kMaxSlots = 16;

    CommandRing(const DeviceHandles& handles, const VolkDeviceTable& table) noexcept
        : handles_(handles), table_(table) {}

    /// A slot whose command buffer is free, reset and begun. @throws OutOfMemoryError, DeviceError
    CommandSlot& begin_next(Timeline& timeline);

private:
    CommandSlot& take(Timeline& timeline);

    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    std::vector<std::unique_ptr<CommandSlot>> slots_;
    std::size_t next_ = 0;  ///< the slot that was submitted longest ago
};

}  // namespace pumice::vk
