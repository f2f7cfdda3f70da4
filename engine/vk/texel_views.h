// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/instance.h"
#include "vk/queue.h"
#include "vk/vulkan.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace pumice::vk {

/// Raw words in a texel.
enum class TexelWidth : std::uint8_t { kWord = 1, kQuad = 4 };

/// Views of buffers' ranges as texels of raw words, for kernels that read so
/// (shaders/include/reads.glsl). Those asked for lately are kept, so that eager calls make none in
/// their steady state. Thread-safe. Part of Device.
class TexelViews {
public:
    TexelViews(const DeviceHandles& handles, const VolkDeviceTable& table) noexcept;
    /// The device must be idle.
    ~TexelViews();
    TexelViews(const TexelViews&) = delete;
    TexelViews& operator=(const TexelViews&) = delete;
    TexelViews(TexelViews&&) = delete;
    TexelViews& operator=(TexelViews&&) = delete;

    /// A view for a command that ends with the timeline's `value`; it lives until then, at least.
    /// `completed` is what the timeline has reached. @throws OutOfMemoryError, DeviceError
    VkBufferView get(const Binding& range,
                     TexelWidth width,
                     std::uint64_t value,
                     std::uint64_t completed);

    /// A view that the caller gives back to `destroy`. @throws OutOfMemoryError, DeviceError
    [[nodiscard]] VkBufferView make(const Binding& range, TexelWidth width) const;
    void destroy(VkBufferView view) const noexcept;

    /// Before a buffer dies, whose commands have all ended.
    void forget(std::uint32_t buffer_id) noexcept;

private:
    struct Kept {
        VkBufferView view = VK_NULL_HANDLE;
        std::uint32_t buffer_id = 0;
        TexelWidth width{};
        std::uint64_t offset_bytes = 0;
        std::uint64_t size_bytes = 0;
        std::uint64_t value = 0;  ///< of the last command that reads it
    };

    struct Retired {
        VkBufferView view = VK_NULL_HANDLE;
        std::uint64_t value = 0;
    };

    static constexpr std::size_t kSetCount = 1024;
    static constexpr std::size_t kWayCount = 2;

    void retire(const Kept& kept, std::uint64_t completed);

    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    std::mutex mutex_;  ///< guards what follows
    std::vector<std::array<Kept, kWayCount>> sets_;
    std::vector<Retired> retired_;
};

}  // namespace pumice::vk
