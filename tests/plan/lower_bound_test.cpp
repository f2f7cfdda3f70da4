// SPDX-License-Identifier: Apache-2.0
#include "plan/lower_bound.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

using pumice::plan::Lifetime;
using pumice::plan::lower_bound_bytes;

namespace {

constexpr std::uint64_t kStepCount = 12;

// One row a storage, one column a step, for the eye when a case fails.
std::string memory_map(const std::vector<Lifetime>& lifetimes) {
    std::string map;
    for (const Lifetime& lifetime : lifetimes) {
        for (std::uint64_t step = 0; step < kStepCount; ++step) {
            map += step >= lifetime.first_step && step <= lifetime.last_step ? '#' : '.';
        }
        map += ' ' + std::to_string(lifetime.size_bytes) + '\n';
    }
    return map;
}

std::uint64_t reference_bytes(const std::vector<Lifetime>& lifetimes) {
    std::uint64_t most_bytes = 0;
    for (std::uint64_t step = 0; step < kStepCount; ++step) {
        std::uint64_t sum_bytes = 0;
        for (const Lifetime& lifetime : lifetimes) {
            const bool is_needed = step >= lifetime.first_step && step <= lifetime.last_step;
            sum_bytes += is_needed ? lifetime.size_bytes : 0;
        }
        most_bytes = std::max(most_bytes, sum_bytes);
    }
    return most_bytes;
}

}  // namespace

TEST_CASE("lower_bound: nothing needs nothing") {
    CHECK(lower_bound_bytes({}) == 0);
}

TEST_CASE("lower_bound: both ends of a lifetime count") {
    // A chain a -> b -> c needs a kernel's input and output together, never all three.
    const std::array<Lifetime, 3> chain = {{{16, 0, 1}, {32, 1, 2}, {64, 2, 3}}};
    CHECK(lower_bound_bytes(chain) == 96);
}

TEST_CASE("lower_bound: storages that never meet share their bytes") {
    const std::array<Lifetime, 2> apart = {{{100, 0, 3}, {70, 4, 4}}};
    CHECK(lower_bound_bytes(apart) == 100);
}

TEST_CASE("lower_bound: agrees with a sum over every step") {
    std::mt19937 random(7);
    for (int round = 0; round < 500; ++round) {
        std::vector<Lifetime> lifetimes(random() % 20);
        for (Lifetime& lifetime : lifetimes) {
            lifetime.first_step = random() % kStepCount;
            lifetime.last_step =
                lifetime.first_step + random() % (kStepCount - lifetime.first_step);
            lifetime.size_bytes = random() % 1000;
        }
        INFO(memory_map(lifetimes));
        REQUIRE(lower_bound_bytes(lifetimes) == reference_bytes(lifetimes));
    }
}
