// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/random.h"
#include "pumice/tensor.h"

#include <array>
#include <cstdint>

namespace pumice::dispatch {

/// Philox blocks that `element_count` elements take: four elements a block, in every grad mode.
constexpr std::uint64_t random_blocks(std::int64_t element_count) noexcept {
    return (static_cast<std::uint64_t>(element_count) + 3) / 4;
}

/// The seed of states that count from the generator's at a replay; see Note [Captured generator].
inline constexpr std::uint64_t kReplaySeed = 0x9d39247e33776d41;

/// Hands out `blocks` Philox blocks: the state before them, with which a kernel computes its
/// numbers (and a backward formula computes them again).
GeneratorState take_random_blocks(std::uint64_t blocks);

/// What kernels that draw from `state` read besides it: in a captured function the tensor that
/// replays write the generator's state into (int32 [4]: seed and offset, low words first), else an
/// undefined one.
Tensor generator_tensor(const GeneratorState& state);

/// Moves the generator on as a captured function that ends in the state `end`; returns the state
/// before.
GeneratorState replay_generator(const GeneratorState& end) noexcept;

/// A 64-bit number as the uvec2 of a kernel: the low word first.
constexpr std::array<std::uint32_t, 2> words_of(std::uint64_t value) noexcept {
    return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32U)};
}

}  // namespace pumice::dispatch
