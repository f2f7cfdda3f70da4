// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/source_location.h"

#include "vk/vulkan.h"

#include <string_view>

namespace pumice::vk {

/// "VK_ERROR_DEVICE_LOST" and so on.
std::string_view result_name(VkResult result) noexcept;

/// @throws OutOfMemoryError for the two memory results (sizes unknown: 0), else DeviceError
[[noreturn]] void throw_result(VkResult result,
                               std::string_view what,
                               SourceLocation location = SourceLocation::current());

}  // namespace pumice::vk

/// Evaluates a driver call; a negative VkResult becomes an exception that names `what`.
#define PUMICE_VK_CHECK(expr, what)                                   \
    do {                                                              \
        if (const VkResult pumice_result = (expr); pumice_result < 0) \
            ::pumice::vk::throw_result(pumice_result, what);          \
    } while (false)
