// SPDX-License-Identifier: Apache-2.0
// The random generator's state on the host and in a capture.
#include "dispatch/generator.h"

#include "dispatch/observer.h"
#include "dispatch/state.h"

#include <mutex>

namespace pumice {

// Note [Captured generator]: a captured function has a generator of its own, which begins at seed
// kReplaySeed and offset 0 and stands for the program's at each replay. What is drawn from it keeps
// its offset as a constant and reads the program's seed and offset from a tensor, which a replay
// fills when it takes the blocks of all of its draws. A seed that the function sets itself ends
// that: what is drawn then is the same at every replay, as at every call.

namespace {

// PyTorch's default seed, so that an unseeded program is repeatable too.
constexpr std::uint64_t kDefaultSeed = 67280421310721;

struct Generator {
    std::mutex mutex;
    GeneratorState state{.seed = kDefaultSeed};
};

constinit Generator generator;

// Calls with the state that this flow's operators draw from, under its lock if it has one.
template <class F>
auto with_state(F&& call) {
    if (dispatch::Capturer* const capture = dispatch::capturer()) {
        return call(capture->generator());
    }
    const std::scoped_lock lock(generator.mutex);
    return call(generator.state);
}

}  // namespace

void manual_seed(std::uint64_t seed) noexcept {
    set_rng_state({.seed = seed, .offset = 0});
}

GeneratorState get_rng_state() noexcept {
    return with_state([](const GeneratorState& state) { return state; });
}

void set_rng_state(GeneratorState state) noexcept {
    with_state([&state](GeneratorState& current) { current = state; });
}

namespace dispatch {

GeneratorState take_random_blocks(std::uint64_t blocks) {
    return with_state([blocks](GeneratorState& state) {
        const GeneratorState before = state;
        state.offset += blocks;
        return before;
    });
}

Tensor generator_tensor(const GeneratorState& state) {
    dispatch::Capturer* const capture = dispatch::capturer();
    return capture != nullptr && state.seed == kReplaySeed ? capture->generator_tensor() : Tensor();
}

GeneratorState replay_generator(const GeneratorState& end) noexcept {
    const std::scoped_lock lock(generator.mutex);
    const GeneratorState before = generator.state;
    if (end.seed == kReplaySeed) {
        generator.state.offset += end.offset;
    } else {
        generator.state = end;
    }
    return before;
}

}  // namespace dispatch

}  // namespace pumice
