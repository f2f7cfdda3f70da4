// SPDX-License-Identifier: Apache-2.0
#include "geometry/fold.h"

#include <doctest/doctest.h>

using namespace pumice;
using namespace pumice::ops;

TEST_CASE("reduction_plan: neighbours that are contiguous collapse") {
    const Dims sizes{2, 3, 4, 5};
    const PartedDims parted = part_dims(sizes, contiguous_strides(sizes), 0b1100);
    CHECK(parted.kept.rank == 1);
    CHECK(parted.kept.sizes[3] == 6);
    CHECK(parted.kept.strides[3] == 20);
    CHECK(parted.reduced.rank == 1);
    CHECK(parted.reduced.sizes[3] == 20);
    CHECK(parted.reduced.strides[3] == 1);
    CHECK(parted.output_count == 6);
    CHECK(parted.reduced_count == 20);
}

TEST_CASE("reduction_plan: kept dimensions around a reduced one stay apart") {
    const Dims sizes{2, 3, 4};
    const PartedDims parted = part_dims(sizes, contiguous_strides(sizes), 0b010);
    CHECK(parted.kept.rank == 2);
    CHECK(parted.kept.sizes == std::array<std::uint32_t, 4>{1, 1, 2, 4});
    CHECK(parted.kept.strides == std::array<std::uint32_t, 4>{0, 0, 12, 1});
    CHECK(parted.reduced.strides[3] == 4);
}

TEST_CASE("reduction_plan: broadcast dimensions collapse with each other") {
    const PartedDims parted = part_dims({2, 3, 4}, {0, 0, 1}, 0b011);
    CHECK(parted.reduced.rank == 1);
    CHECK(parted.reduced.sizes[3] == 6);
    CHECK(parted.reduced.strides[3] == 0);
}

TEST_CASE("reduction_plan: every contiguous tensor can be planned, some permuted ones cannot") {
    const Dims sizes = Dims::filled(8, 2);
    for (DimMask mask = 0; mask < 256; ++mask) {
        CHECK(can_part_dims(sizes, contiguous_strides(sizes), mask));
    }
    const Dims reversed{1, 2, 4, 8, 16, 32, 64, 128};
    CHECK_FALSE(can_part_dims(sizes, reversed, 0b1));
}

TEST_CASE("reduction_plan: a long fold with few outputs is split, a short one is not") {
    for (const bool is_cpu : {false, true}) {
        const vk::Capabilities caps{.subgroup_size = 8, .is_cpu = is_cpu};
        const PartedDims long_rows = part_dims({2, 1000000}, {1000000, 1}, 0b10);
        const FoldLayout split = choose_fold_layout(long_rows, 2, true, caps);
        CHECK(split.chunk_count > 1);
        CHECK(split.chunk_length % 32 == 0);
        CHECK(static_cast<std::uint64_t>(split.chunk_count - 1) * split.chunk_length < 1000000);
        CHECK(static_cast<std::uint64_t>(split.chunk_count) * split.chunk_length >= 1000000);
        CHECK(choose_fold_layout(long_rows, 2, false, caps).chunk_count == 1);
        const PartedDims short_rows = part_dims({2, 100}, {100, 1}, 0b10);
        CHECK(choose_fold_layout(short_rows, 2, true, caps).chunk_count == 1);
    }
}

TEST_CASE("reduction_plan: lanes work alone on software drivers and on columns") {
    const vk::Capabilities gpu{.max_group_invocations = 1024, .subgroup_size = 32};
    const vk::Capabilities cpu{.subgroup_size = 8, .is_cpu = true};
    const PartedDims rows = part_dims({64, 4096}, {4096, 1}, 0b10);
    CHECK(choose_fold_layout(rows, 64, false, gpu).lanes == 256);
    CHECK(choose_fold_layout(rows, 64, false, cpu).lanes == 1);
    const PartedDims columns = part_dims({64, 4096}, {4096, 1}, 0b01);
    CHECK(choose_fold_layout(columns, 4096, false, gpu).lanes == 1);
}
