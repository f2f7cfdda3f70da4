// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/device.h"

#include "vk/capabilities.h"
#include "vk/vulkan.h"

#include <cstdint>

namespace pumice::vk {

/// One device as found, before anything is made on it.
struct PhysicalDevice {
    VkPhysicalDevice handle = VK_NULL_HANDLE;
    std::uint32_t api_version = 0;
    std::uint32_t queue_family = 0;
    std::uint32_t timestamp_bits = 0;  ///< of that family
    std::uint64_t max_buffer_bytes = 0;
    bool has_memory_budget = false;
    VkPhysicalDeviceProperties properties{};
    Capabilities capabilities;
    DeviceInfo info;
};

/// Reads everything that Pumice wants to know about one device.
PhysicalDevice describe_device(VkPhysicalDevice handle, std::uint32_t index);

}  // namespace pumice::vk
