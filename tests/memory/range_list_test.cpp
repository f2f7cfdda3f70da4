// SPDX-License-Identifier: Apache-2.0
#include "memory/range_list.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

using pumice::memory::Range;
using pumice::memory::RangeList;

namespace {

constexpr std::uint64_t kBlockBytes = 1U << 16U;

std::string memory_map(const std::vector<Range*>& taken, std::uint64_t granule_bytes) {
    std::string map(kBlockBytes / granule_bytes / 8, '.');
    for (const Range* range : taken) {
        for (std::uint64_t at = 0; range->block == 0 && at < range->size_bytes; ++at) {
            map[(range->offset_bytes + at) / granule_bytes / 8] = '#';
        }
    }
    return map;
}

void check_disjoint(std::vector<Range*> taken, std::uint64_t granule_bytes) {
    INFO(memory_map(taken, granule_bytes));
    std::sort(taken.begin(), taken.end(), [](const Range* left, const Range* right) {
        return std::pair(left->block, left->offset_bytes) <
               std::pair(right->block, right->offset_bytes);
    });
    for (std::size_t i = 0; i < taken.size(); ++i) {
        REQUIRE(taken[i]->offset_bytes % granule_bytes == 0);
        REQUIRE(taken[i]->offset_bytes + taken[i]->size_bytes <= kBlockBytes);
        if (i > 0 && taken[i]->block == taken[i - 1]->block) {
            REQUIRE(taken[i - 1]->offset_bytes + taken[i - 1]->size_bytes <=
                    taken[i]->offset_bytes);
        }
    }
}

}  // namespace

TEST_CASE("range_list: lengths are rounded up to granules") {
    RangeList ranges(256);
    ranges.add_block(kBlockBytes);
    const Range* first = ranges.allocate(1);
    const Range* second = ranges.allocate(257);
    CHECK(first->size_bytes == 256);
    CHECK(second->size_bytes == 512);
    CHECK(second->offset_bytes == 256);
    CHECK(ranges.free_bytes() == kBlockBytes - 768);
}

TEST_CASE("range_list: a block can be taken whole, and nothing beyond it") {
    RangeList ranges(16);
    ranges.add_block(kBlockBytes + 7);
    Range* whole = ranges.allocate(kBlockBytes);
    REQUIRE(whole != nullptr);
    CHECK(ranges.allocate(1) == nullptr);
    CHECK(ranges.largest_hole_bytes() == 0);
    ranges.free(whole);
    CHECK(ranges.allocate(kBlockBytes + 1) == nullptr);
    CHECK(ranges.largest_hole_bytes() == kBlockBytes);
}

TEST_CASE("range_list: a request finds the hole of its own length") {
    RangeList ranges(16);
    ranges.add_block(kBlockBytes);
    // 4112 bytes are no bin's lower edge: classic two-level fit would not look at this hole.
    Range* first = ranges.allocate(4112);
    const Range* wall = ranges.allocate(16);
    REQUIRE(wall != nullptr);
    ranges.free(first);
    CHECK(ranges.allocate(4112)->offset_bytes == 0);
}

TEST_CASE("range_list: the shortest hole over all blocks is preferred") {
    RangeList ranges(16);
    CHECK(ranges.add_block(kBlockBytes) == 0);
    CHECK(ranges.add_block(4096) == 1);
    CHECK(ranges.allocate(1024)->block == 1);
}

TEST_CASE("range_list: short ranges are kept whole until a request needs their bytes") {
    RangeList ranges(16);
    ranges.add_block(1024);
    Range* first = ranges.allocate(48);
    Range* second = ranges.allocate(48);
    ranges.free(first);
    CHECK(ranges.free_bytes() == 1024 - 48);
    CHECK(ranges.allocate(40) == first);
    ranges.free(second);
    ranges.free(first);
    CHECK_FALSE(ranges.is_block_idle(0));
    const Range* whole = ranges.allocate(1024);
    REQUIRE(whole != nullptr);
    CHECK(whole->offset_bytes == 0);
    CHECK(ranges.free_bytes() == 0);
}

TEST_CASE("range_list: block numbers are used again") {
    RangeList ranges(16);
    ranges.add_block(kBlockBytes);
    ranges.add_block(4096);
    Range* held = ranges.allocate(4096);
    CHECK(held->block == 1);
    CHECK(ranges.is_block_idle(0));
    CHECK_FALSE(ranges.is_block_idle(1));
    ranges.remove_block(0);
    CHECK_FALSE(ranges.is_block_idle(0));
    CHECK(ranges.free_bytes() == 0);
    CHECK(ranges.add_block(kBlockBytes) == 0);
    ranges.free(held);
    CHECK(ranges.is_block_idle(1));
}

TEST_CASE("range_list: random histories never overlap and coalesce in the end") {
    std::mt19937 random(11);
    for (const std::uint64_t granule_bytes : {16U, 64U, 256U}) {
        CAPTURE(granule_bytes);
        RangeList ranges(granule_bytes);
        ranges.add_block(kBlockBytes);
        ranges.add_block(kBlockBytes);
        std::vector<Range*> taken;
        for (int step = 0; step < 4000; ++step) {
            if (taken.empty() || random() % 5 < 3) {
                Range* range = ranges.allocate(1 + random() % (1U << (random() % 14)));
                if (range != nullptr) {
                    taken.push_back(range);
                }
            } else {
                std::swap(taken[random() % taken.size()], taken.back());
                ranges.free(taken.back());
                taken.pop_back();
            }
            if (step % 50 == 0) {
                check_disjoint(taken, granule_bytes);
            }
            std::uint64_t taken_bytes = 0;
            for (const Range* range : taken) {
                taken_bytes += range->size_bytes;
            }
            REQUIRE(ranges.free_bytes() == 2 * kBlockBytes - taken_bytes);
        }
        for (Range* range : taken) {
            ranges.free(range);
        }
        ranges.coalesce();
        CHECK(ranges.is_block_idle(0));
        CHECK(ranges.is_block_idle(1));
        CHECK(ranges.largest_hole_bytes() == kBlockBytes);
    }
}
