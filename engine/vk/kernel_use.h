// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/kernels.h"

#include <cstdint>
#include <span>

namespace pumice::vk {

/// A kernel under given specialization constants, which is what a pipeline is made for.
struct KernelUse {
    KernelId kernel{};
    std::span<const std::uint32_t> spec;  ///< value of constant i at index i
};

}  // namespace pumice::vk
