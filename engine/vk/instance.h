// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/physical_device.h"
#include "vk/vulkan.h"

#include <vector>

namespace pumice::vk {

/// The process's Vulkan instance and the devices behind it. Made on first use, never destroyed:
/// tensors may be static and die after main.
class Instance {
public:
    /// @throws DeviceError without a loader, or when it makes no instance
    static const Instance& get();

    [[nodiscard]] VkInstance handle() const noexcept { return handle_; }

    /// All devices of all drivers, usable or not; may be empty.
    [[nodiscard]] const std::vector<PhysicalDevice>& devices() const noexcept { return devices_; }

    /// Whether VK_EXT_debug_utils is on: under a validation layer or RenderDoc.
    [[nodiscard]] bool has_debug_utils() const noexcept { return has_debug_utils_; }

    /// What `PUMICE_DEVICE`, read now, chooses. @throws DeviceError
    [[nodiscard]] const PhysicalDevice& chosen() const;

private:
    Instance();
    void create();

    VkInstance handle_ = VK_NULL_HANDLE;
    VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
    bool has_debug_utils_ = false;
    std::vector<PhysicalDevice> devices_;
};

}  // namespace pumice::vk
