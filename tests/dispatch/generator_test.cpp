// SPDX-License-Identifier: Apache-2.0
#include "dispatch/generator.h"

#include "pumice/random.h"

#include <doctest/doctest.h>

using namespace pumice;
using namespace pumice::dispatch;

TEST_CASE("generator: blocks are handed out once, seeding starts anew") {
    const GeneratorState before = get_rng_state();
    manual_seed(42);
    CHECK(dispatch::take_random_blocks(3).offset == 0);
    CHECK(dispatch::take_random_blocks(1).offset == 3);
    CHECK(get_rng_state().offset == 4);
    CHECK(get_rng_state().seed == 42);
    set_rng_state({.seed = 7, .offset = 9});
    CHECK(dispatch::take_random_blocks(0).seed == 7);
    CHECK(get_rng_state().offset == 9);
    set_rng_state(before);
}

TEST_CASE("generator: four elements take a block") {
    CHECK(dispatch::random_blocks(0) == 0);
    CHECK(dispatch::random_blocks(1) == 1);
    CHECK(dispatch::random_blocks(4) == 1);
    CHECK(dispatch::random_blocks(5) == 2);
    CHECK(dispatch::words_of(0x123456789abcdef0) ==
          std::array<std::uint32_t, 2>{0x9abcdef0, 0x12345678});
}
