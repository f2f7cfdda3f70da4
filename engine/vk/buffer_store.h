// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/buffer.h"
#include "vk/physical_device.h"
#include "vk/texel_views.h"
#include "vk/vulkan.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

namespace pumice::vk {

/// Makes buffers with memory of their own, and destroys them once no command touches them.
/// Thread-safe. Part of Device.
class BufferStore {
public:
    BufferStore(const PhysicalDevice& physical,
                const DeviceHandles& handles,
                const VolkDeviceTable& table,
                TexelViews& views);
    /// Destroys what was retired. The device must be idle.
    ~BufferStore();
    BufferStore(const BufferStore&) = delete;
    BufferStore& operator=(const BufferStore&) = delete;
    BufferStore(BufferStore&&) = delete;
    BufferStore& operator=(BufferStore&&) = delete;

    /// @throws OutOfMemoryError when the driver or a limit refuses, DeviceError
    Buffer create(std::uint64_t size_bytes, MemoryKind kind);
    /// The buffer dies when `collect` is told that the timeline has reached `value`.
    void retire(const Buffer& buffer, std::uint64_t value) noexcept;
    void collect(std::uint64_t completed_value) noexcept;

    [[nodiscard]] bool has_retired() const noexcept {
        return retired_count_.load(std::memory_order_relaxed) > 0;
    }

    [[nodiscard]] std::uint64_t free_bytes() const;
    void set_name(const Buffer& buffer, std::string_view name) const;

private:
    struct Retired {
        Buffer buffer;
        std::uint64_t value = 0;
    };

    [[nodiscard]] std::uint32_t pick_type(MemoryKind kind, std::uint32_t allowed) const;
    [[nodiscard]] std::uint64_t heap_free_bytes(std::uint32_t heap) const;
    void bind_new_memory(Buffer& buffer, MemoryKind kind);
    void destroy(const Buffer& buffer) noexcept;

    const PhysicalDevice& physical_;
    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    TexelViews& views_;
    VkPhysicalDeviceMemoryProperties memory_{};
    bool is_staging_forced_ = false;
    std::array<std::atomic<std::uint64_t>, VK_MAX_MEMORY_HEAPS> used_bytes_{};
    std::atomic<std::uint32_t> retired_count_{0};
    std::mutex mutex_;  ///< guards retired_
    std::vector<Retired> retired_;
};

}  // namespace pumice::vk
