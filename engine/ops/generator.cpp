// SPDX-License-Identifier: Apache-2.0
#include "ops/generator.h"

#include "pumice/error.h"

#include "dispatch/state.h"

#include <mutex>

namespace pumice {

namespace {

// PyTorch's default seed, so that an unseeded program is repeatable too.
constexpr std::uint64_t kDefaultSeed = 67280421310721;

struct Generator {
    std::mutex mutex;
    GeneratorState state{.seed = kDefaultSeed};
};

constinit Generator generator;

}  // namespace

void manual_seed(std::uint64_t seed) noexcept {
    set_rng_state({.seed = seed, .offset = 0});
}

GeneratorState get_rng_state() noexcept {
    const std::scoped_lock lock(generator.mutex);
    return generator.state;
}

void set_rng_state(GeneratorState state) noexcept {
    const std::scoped_lock lock(generator.mutex);
    generator.state = state;
}

namespace ops {

GeneratorState take_random_blocks(std::uint64_t blocks) {
    if (dispatch::capturer() != nullptr) {
        throw UnsupportedError("random",
                               "a captured function draws no random numbers: each replay would "
                               "draw the same; draw them outside and pass them in");
    }
    const std::scoped_lock lock(generator.mutex);
    const GeneratorState before = generator.state;
    generator.state.offset += blocks;
    return before;
}

}  // namespace ops

}  // namespace pumice
