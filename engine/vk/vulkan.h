// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Vulkan through volk, for the files of this room only: nothing outside vk/ may include this.
#include "vk/buffer.h"

#include <volk.h>

#include <cstdint>
#include <type_traits>

namespace pumice::vk {

/// Our headers carry handles as 64-bit integers; Vulkan's are pointers on 64-bit hosts only.
template <typename Handle>
Handle to_handle(std::uint64_t value) noexcept {
    if constexpr (std::is_pointer_v<Handle>) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the integer was made from this pointer
        return reinterpret_cast<Handle>(static_cast<std::uintptr_t>(value));
    } else {
        return static_cast<Handle>(value);
    }
}

template <typename Handle>
std::uint64_t from_handle(Handle handle) noexcept {
    if constexpr (std::is_pointer_v<Handle>) {
        return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(handle));
    } else {
        return static_cast<std::uint64_t>(handle);
    }
}

/// What the rest of the room needs to call the driver for one device.
struct DeviceHandles {
    VkPhysicalDevice physical = VK_NULL_HANDLE;
    VkDevice device = VK_NULL_HANDLE;
    VkQueue queue = VK_NULL_HANDLE;
    std::uint32_t queue_family = 0;
    bool has_debug_utils = false;
    std::uint32_t timestamp_bits = 0;  ///< of the queue's timestamps; 0: it takes none
    double timestamp_period_ns = 1.0;  ///< a tick
};

}  // namespace pumice::vk
