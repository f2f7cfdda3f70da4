// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/capabilities.h"
#include "vk/kernels.h"

#include <cstdint>

namespace pumice::ops {

template <class Integer>
constexpr Integer ceil_div(Integer value, Integer divisor) noexcept {
    return (value + divisor - 1) / divisor;
}

constexpr std::uint32_t u32(std::int64_t value) noexcept {
    return static_cast<std::uint32_t>(value);
}

constexpr bool has_feature(const vk::Capabilities& caps, vk::KernelFeature feature) noexcept {
    return (caps.features & static_cast<std::uint32_t>(feature)) != 0;
}

/// Whether tiles are worked on by one subgroup, which shares its loads by shuffles: on software
/// drivers, where barriers and shared memory cost more than arithmetic.
constexpr bool prefers_subgroup_tiles(const vk::Capabilities& caps) noexcept {
    return caps.is_cpu && has_feature(caps, vk::KernelFeature::kSubgroupShuffle) &&
           caps.subgroup_size >= 4 && caps.subgroup_size <= 16;
}

}  // namespace pumice::ops
