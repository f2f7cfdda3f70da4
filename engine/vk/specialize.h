// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pumice::vk {

/// What becomes of loops that ask to be unrolled.
enum class Unrolling : bool { kAsked, kNever };

/// The module with constants in the place of its specialization constants: that of id i has the
/// value of `spec[i]`, those past the end their default. For drivers that take them for constants
/// only after all branches were compiled.
/// @throws InternalError with the optimizer's messages
std::vector<std::uint32_t> specialize(std::span<const std::uint32_t> words,
                                      std::span<const std::uint32_t> spec,
                                      Unrolling unrolling);

}  // namespace pumice::vk
