// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dtype.h"

#include <algorithm>
#include <cstdint>

namespace pumice::ops {

/// Elements of a dtype that share a 32-bit word; a device's dtypes have four bytes at most.
constexpr std::uint32_t elements_per_word(DType dtype) noexcept {
    return std::max(1U, 4U / static_cast<std::uint32_t>(itemsize(dtype)));
}

}  // namespace pumice::ops
