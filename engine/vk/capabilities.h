// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace pumice::vk {

/// What `select` may look at: limits and tiers of one device, as plain values.
/// The defaults are the Vulkan 1.2 floor, so that `select` runs without a device.
struct Capabilities {
    std::uint64_t storage_alignment_bytes = 256;          ///< minStorageBufferOffsetAlignment
    std::uint64_t max_storage_range_bytes = 128U << 20U;  ///< maxStorageBufferRange
    std::array<std::uint32_t, 3> max_group_count = {65535, 65535, 65535};
    std::uint32_t max_group_invocations = 128;
    std::uint32_t max_shared_memory_bytes = 16384;
    std::uint32_t max_push_bytes = 128;
    std::uint32_t subgroup_size = 1;
    std::uint32_t features = 0;  ///< KernelFeature bits that the device has
    bool is_cpu = false;         ///< a software driver: few wide threads, costly barriers
    bool reads_texels = false;   ///< operands are read as texels (shaders/include/reads.glsl)
    bool has_push_descriptors = false;
    bool has_unified_memory = false;  ///< every memory type is host visible
};

}  // namespace pumice::vk
