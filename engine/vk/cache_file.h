// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/vulkan.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pumice::vk {

/// Where the driver's pipeline cache is kept; empty with `PUMICE_CACHE=off` or without a home.
std::string cache_file_path(std::string_view uuid, std::uint32_t driver_version);

/// What the driver wrote, or nothing if the file is absent, damaged, or another device's.
/// Drivers are known to crash on damaged data: it is checked by a sum of our own.
std::vector<std::byte> read_cache_file(const std::string& path,
                                       const VkPhysicalDeviceProperties& properties);

/// Replaces the file in one step, so that no other process sees half of it.
/// @throws FileError
void write_cache_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace pumice::vk
