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

/// Stands in a file's first bytes.
enum class CacheFileKind : char { kPipelines = 'P', kModule = 'M' };

/// The folder of what is kept between processes, without a slash at its end; empty with
/// `PUMICE_CACHE=off` or without a home.
std::string cache_folder();

/// What `write_summed_file` wrote, or nothing if the file is absent, damaged, or of another kind: a
/// sum over the bytes finds what a crash or a bad disk did.
std::vector<std::byte> read_summed_file(const std::string& path, CacheFileKind kind);

/// Replaces the file in one step, so that no other process sees half of it. Makes its folder.
/// @throws FileError
void write_summed_file(const std::string& path,
                       std::span<const std::byte> bytes,
                       CacheFileKind kind);

/// Where the driver's pipeline cache is kept; empty if nothing is.
std::string cache_file_path(std::string_view uuid, std::uint32_t driver_version);

/// As `read_summed_file` of the driver's cache, and nothing if it is another device's. Drivers are
/// known to crash on damaged data.
std::vector<std::byte> read_cache_file(const std::string& path,
                                       const VkPhysicalDeviceProperties& properties);

}  // namespace pumice::vk
