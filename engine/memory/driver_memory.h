// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/device.h"

#include <cstdint>

namespace pumice::memory {

/// What this room holds from the driver, over all policies and the staging.
struct DriverCounters {
    std::uint64_t reserved_bytes = 0;
    std::uint64_t allocation_count = 0;  ///< buffers made since the start of the process
};

/// `Device::create_buffer`, counted. The only way in which this room makes a buffer.
/// @throws OutOfMemoryError
vk::Buffer create_buffer(vk::Device& device, std::uint64_t size_bytes, vk::MemoryKind kind);
/// `Device::destroy_buffer`, counted at once although the device defers it.
void destroy_buffer(vk::Device& device, const vk::Buffer& buffer) noexcept;

DriverCounters driver_counters() noexcept;

}  // namespace pumice::memory
