// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/vulkan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace pumice::vk {

/// The validation layer as the loader sees it. A wrong layer path gives no error, so a gate must
/// ask for `is_present` and the version (docs/architecture.md#drivers-and-validation).
struct ValidationLayer {
    bool is_asked_for = false;  ///< named in VK_INSTANCE_LAYERS or VK_LOADER_LAYERS_ENABLE
    bool is_present = false;    ///< found by the loader as well, so that its messages are counted
    std::string spec_version;   ///< e.g. "1.4.364"
    std::uint32_t implementation_version = 0;
};

/// Asks the loader on every call. All false without a loader.
ValidationLayer validation_layer();

/// Validation errors and warnings since the process began. Thread-safe.
std::uint64_t validation_message_count() noexcept;

/// The last messages, oldest first, 16 at most. Thread-safe.
std::vector<std::string> validation_messages();

/// Create info of the debug messenger whose messages are counted.
VkDebugUtilsMessengerCreateInfoEXT messenger_info() noexcept;

}  // namespace pumice::vk
