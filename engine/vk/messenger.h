// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/vulkan.h"

namespace pumice::vk {

/// Create info of the debug messenger whose messages `vk/validation.h` counts.
VkDebugUtilsMessengerCreateInfoEXT messenger_info() noexcept;

}  // namespace pumice::vk
