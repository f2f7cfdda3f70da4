// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pumice {

/// Seeds the random operators. Philox4x32-10 counters: the same seed gives the same uniform
/// numbers on every device and in every grad mode.
/// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
void manual_seed(std::uint64_t seed) noexcept;

/// Seed and offset of the generator; the offset counts Philox blocks handed out.
struct GeneratorState {
    std::uint64_t seed = 0;
    std::uint64_t offset = 0;
};

GeneratorState get_rng_state() noexcept;
void set_rng_state(GeneratorState state) noexcept;

}  // namespace pumice
