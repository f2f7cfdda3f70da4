// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <cstdint>

namespace PUMICE_API pumice {

/// Seeds the random operators and sets the offset to 0. One generator serves all threads; its first
/// seed is PyTorch's default. The numbers come from Philox4x32-10 counters: the same seed gives the
/// same uniform numbers on every device and in every grad mode, but not those of PyTorch. In a
/// captured function all three functions are about the generator at the replay: seeding is part of
/// the function. Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
void manual_seed(std::uint64_t seed) noexcept;

/// Seed and offset of the generator; the offset counts Philox blocks handed out.
struct GeneratorState {
    std::uint64_t seed = 0;    ///< key of the counters
    std::uint64_t offset = 0;  ///< next block
};

/// The generator's state now. In a captured function it is a state to return to within the
/// function; its numbers are not those of a replay.
GeneratorState get_rng_state() noexcept;
/// Continues from a state, as after a resume.
void set_rng_state(GeneratorState state) noexcept;

}  // namespace pumice
