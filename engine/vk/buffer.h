// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace pumice::vk {

/// Where a buffer's memory lies.
enum class MemoryKind : std::uint8_t {
    kDevice,    ///< device local; mapped as well where the device has such memory
    kUpload,    ///< host visible and coherent, written by the host
    kReadback,  ///< host visible and coherent, cached if possible, read by the host
};

/// A VkBuffer with memory of its own. Made and destroyed by Device.
struct Buffer {
    std::uint64_t handle = 0;  ///< VkBuffer
    std::uint64_t memory = 0;  ///< VkDeviceMemory
    std::uint64_t size_bytes = 0;
    std::byte* mapped = nullptr;  ///< null where the host cannot see it
    std::uint32_t id = 0;         ///< unique in the process, for hazard tracking and labels
    std::uint8_t heap = 0;        ///< Vulkan memory heap, for the count of free bytes
};

}  // namespace pumice::vk
