// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/random.h"

#include <array>
#include <cstdint>

namespace pumice::ops {

/// Philox blocks that `element_count` elements take: four elements a block, in every grad mode.
constexpr std::uint64_t random_blocks(std::int64_t element_count) noexcept {
    return (static_cast<std::uint64_t>(element_count) + 3) / 4;
}

/// Hands out `blocks` Philox blocks: the state before them, with which a kernel computes its
/// numbers (and a backward formula computes them again).
/// @throws UnsupportedError in a captured function, whose replays would all draw the same numbers
GeneratorState take_random_blocks(std::uint64_t blocks);

/// A 64-bit number as the uvec2 of a kernel: the low word first.
constexpr std::array<std::uint32_t, 2> words_of(std::uint64_t value) noexcept {
    return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32U)};
}

}  // namespace pumice::ops
