// SPDX-License-Identifier: Apache-2.0
#include "memory/arena.h"

#include "memory/driver_memory.h"

#include <doctest/doctest.h>

using pumice::memory::Arena;
using pumice::memory::driver_counters;
using pumice::memory::Range;

namespace {

constexpr std::uint64_t kMebibyte = 1U << 20U;

}  // namespace

TEST_CASE("arena: blocks double what is there, up to the most") {
    Arena arena(pumice::vk::device(), {.granule_bytes = 256, .most_block_bytes = 2 * kMebibyte});
    CHECK(arena.allocate(16) == nullptr);
    CHECK(arena.grow(16).size_bytes == kMebibyte);
    CHECK(arena.grow(16).size_bytes == kMebibyte);
    CHECK(arena.grow(16).size_bytes == 2 * kMebibyte);
    CHECK(arena.grow(16).size_bytes == 2 * kMebibyte);
    CHECK(arena.reserved_bytes() == 6 * kMebibyte);
}

TEST_CASE("arena: a long request gets a block of its own, rounded by 1/8 at most") {
    Arena arena(pumice::vk::device(), {.granule_bytes = 256});
    const std::uint64_t asked_bytes = 5 * kMebibyte + 16;
    const pumice::vk::Binding block = arena.grow(asked_bytes);
    CHECK(block.size_bytes >= asked_bytes);
    CHECK(block.size_bytes <= asked_bytes + asked_bytes / 8);
    CHECK(arena.allocate(asked_bytes) != nullptr);
}

TEST_CASE("arena: ranges of several blocks bind to their own buffers") {
    Arena arena(pumice::vk::device(), {.granule_bytes = 256});
    arena.grow(kMebibyte);
    arena.grow(kMebibyte);
    const Range* first = arena.allocate(kMebibyte);
    const Range* second = arena.allocate(kMebibyte);
    CHECK(arena.binding(*first).buffer != arena.binding(*second).buffer);
    CHECK(arena.binding(*first).size_bytes == kMebibyte);
}

TEST_CASE("arena: trim gives back idle blocks only") {
    const std::uint64_t before_bytes = driver_counters().reserved_bytes;
    {
        Arena arena(pumice::vk::device(), {.granule_bytes = 256});
        arena.grow(kMebibyte);
        arena.grow(kMebibyte);
        Range* held = arena.allocate(kMebibyte);
        arena.trim();
        CHECK(arena.reserved_bytes() == kMebibyte);
        CHECK(driver_counters().reserved_bytes - before_bytes >= kMebibyte);
        arena.free(held);
        arena.trim();
        CHECK(arena.reserved_bytes() == 0);
    }
    CHECK(driver_counters().reserved_bytes == before_bytes);
}
