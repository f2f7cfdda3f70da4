// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"
#include "pumice/plan.h"

#include "support/harness.h"
#include "support/plan_reference.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace pumice {
namespace {

using Buffers = std::vector<PlanBuffer>;

Buffers random_buffers(std::size_t most_buffers, std::uint64_t most_bytes, bool is_aligned) {
    const auto count = *rc::gen::inRange<std::size_t>(0, most_buffers + 1);
    Buffers buffers(count);
    for (PlanBuffer& buffer : buffers) {
        buffer.lower = *rc::gen::inRange<std::int64_t>(0, 24);
        buffer.upper = buffer.lower + *rc::gen::inRange<std::int64_t>(1, 16);
        buffer.size_bytes = *rc::gen::inRange<std::uint64_t>(0, most_bytes + 1);
        buffer.alignment_bytes =
            is_aligned ? *rc::gen::element<std::uint64_t>(1, 2, 3, 4, 8, 16) : 1;
    }
    return buffers;
}

void require_sound(const Buffers& buffers, const MemoryPlan& plan) {
    const std::string fault = test::fault_of_plan(buffers, plan);
    RC_LOG() << test::memory_map(buffers, plan);
    RC_ASSERT(fault == std::string());
}

constexpr PlanOptions kShort = {.time_limit_s = 0.02, .capacity_bytes = {}, .thread_count = 1};
constexpr PlanOptions kLong = {.time_limit_s = 30.0, .capacity_bytes = {}, .thread_count = 1};

TEST_CASE("plan: nothing needs nothing") {
    const MemoryPlan plan = plan_memory({});
    CHECK(plan.offsets.empty());
    CHECK(plan.height_bytes == 0);
    CHECK(plan.is_optimal);
}

TEST_CASE("plan: half-open lifetimes that touch share their bytes") {
    const Buffers buffers = {{0, 3, 100}, {3, 5, 70}, {5, 9, 100}};
    const MemoryPlan plan = plan_memory(buffers);
    CHECK(plan.offsets == std::vector<std::uint64_t>{0, 0, 0});
    CHECK(plan.height_bytes == 100);
    CHECK(plan.is_optimal);
}

TEST_CASE("plan: buffers without bytes meet nobody") {
    const Buffers buffers = {{0, 9, 0, 64}, {0, 9, 5}, {2, 3, 0}};
    const MemoryPlan plan = plan_memory(buffers);
    CHECK(plan.height_bytes == 5);
    CHECK(plan.offsets[0] == 0);
    CHECK(test::fault_of_plan(buffers, plan) == "");
}

TEST_CASE("plan: the bound counts the padding that alignments force") {
    const Buffers buffers = {{0, 2, 10, 16}, {0, 2, 10, 16}, {0, 2, 3, 16}};
    const MemoryPlan plan = plan_memory(buffers, kLong);
    CHECK(plan.lower_bound_bytes == 16 + 16 + 3);
    CHECK(plan.height_bytes == 35);
    CHECK(plan.is_optimal);
}

TEST_CASE("plan: sizes and steps near the ends of their types") {
    constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
    const Buffers buffers = {{kFirst, kLast, std::uint64_t{1} << 61},
                             {0, kLast, (std::uint64_t{1} << 61) - 2},
                             {kFirst, 0, 1}};
    const MemoryPlan plan = plan_memory(buffers, kLong);
    CHECK(plan.height_bytes == (std::uint64_t{1} << 62) - 2);
    CHECK(test::fault_of_plan(buffers, plan) == "");
}

TEST_CASE("plan: errors name the buffer") {
    const auto throws = [](const Buffers& buffers, const std::string& text) {
        test::check_throws<ArgumentError>([&] { plan_memory(buffers); }, text);
    };
    throws({{0, 1, 1}, {4, 4, 1}}, "buffer 1: lower must be below upper; got [4, 4)");
    throws({{5, 4, 1}}, "buffer 0: lower must be below upper");
    throws({{0, 1, 1}, {0, 1, 1}, {0, 1, 1, 0}}, "buffer 2: alignment must be in [1, 2^62]; got 0");
    throws({{0, 1, std::uint64_t{1} << 62}, {8, 9, 1}}, "buffer 1: sizes and paddings must add up");
    throws({{0, 1, 1, ~std::uint64_t{0}}}, "buffer 0: alignment must be in");
    throws({{0, 1, ~std::uint64_t{0}}}, "buffer 0: sizes and paddings");
    throws({{0, 1, 1, std::uint64_t{1} << 62}}, "buffer 0: sizes and paddings");
}

TEST_CASE("plan: options outside their range") {
    const auto throws = [](const PlanOptions& options, const std::string& text) {
        test::check_throws<ArgumentError>([&] { plan_memory({}, options); }, text);
    };
    throws({.time_limit_s = -1.0}, "time limit must be at least 0; got -1");
    throws({.time_limit_s = std::nan("")}, "time limit must be at least 0");
    throws({.thread_count = 0}, "thread count must be in [1, 64]; got 0");
    throws({.thread_count = 65}, "thread count must be in [1, 64]; got 65");
}

TEST_CASE("plan: an endless time limit is one") {
    const Buffers buffers = {{0, 2, 3}, {1, 3, 4}, {2, 4, 3}};
    const MemoryPlan plan =
        plan_memory(buffers, {.time_limit_s = std::numeric_limits<double>::infinity()});
    CHECK(plan.height_bytes == 7);
}

TEST_CASE("plan: no two live buffers overlap and offsets are aligned") {
    CHECK(rc::check([] {
        const Buffers buffers = random_buffers(40, 1000, true);
        const MemoryPlan quick = plan_memory(buffers);
        require_sound(buffers, quick);
        RC_ASSERT(quick.height_bytes == quick.heuristic_height_bytes);
        const MemoryPlan plan = plan_memory(buffers, kShort);
        require_sound(buffers, plan);
        RC_ASSERT(plan.height_bytes <= quick.height_bytes);
    }));
}

TEST_CASE("plan: optimal where all orders can be tried") {
    CHECK(rc::check([] {
        const Buffers buffers = random_buffers(6, 12, *rc::gen::arbitrary<bool>());
        const MemoryPlan plan = plan_memory(buffers, kLong);
        require_sound(buffers, plan);
        RC_ASSERT(plan.is_optimal);
        RC_ASSERT(plan.height_bytes == test::least_height_bytes(buffers));
    }));
}

TEST_CASE("plan: a height above the bound is proven where the bound cannot be reached") {
    // At most 4 bytes live at a step, but each of the two pairs leaves no hole for the long one.
    const Buffers buffers = {{0, 2, 1}, {1, 3, 2}, {2, 4, 1}, {0, 1, 3}, {3, 4, 3}, {2, 3, 1}};
    const MemoryPlan plan = plan_memory(buffers, kLong);
    CHECK(plan.is_optimal);
    CHECK(plan.height_bytes == test::least_height_bytes(buffers));
}

TEST_CASE("plan: the order of the rows and the scales change nothing") {
    CHECK(rc::check([] {
        const Buffers buffers = random_buffers(30, 50, true);
        Buffers other = *rc::gen::map(rc::gen::just(buffers), [](Buffers rows) {
            std::reverse(rows.begin(), rows.end());
            return rows;
        });
        const auto turn = *rc::gen::inRange<std::size_t>(0, other.size() + 1);
        std::rotate(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(turn), other.end());
        for (PlanBuffer& buffer : other) {
            buffer.size_bytes *= 24;
            buffer.alignment_bytes *= 24;
            buffer.lower = buffer.lower * 1000 - 7;
            buffer.upper = buffer.upper * 1000 - 7;
        }
        const MemoryPlan plan = plan_memory(buffers);
        const MemoryPlan other_plan = plan_memory(other);
        require_sound(other, other_plan);
        RC_ASSERT(other_plan.height_bytes == 24 * plan.height_bytes);
        RC_ASSERT(other_plan.lower_bound_bytes == 24 * plan.lower_bound_bytes);
    }));
}

TEST_CASE("plan: a capacity ends the search, and one that nothing fits is proven") {
    const Buffers buffers = {{0, 2, 3}, {1, 3, 4}, {2, 4, 3}};
    PlanOptions options = kLong;
    options.capacity_bytes = 1000;
    const MemoryPlan loose = plan_memory(buffers, options);
    CHECK(loose.node_count == 0);
    CHECK(loose.height_bytes <= 1000);
    options.capacity_bytes = 6;
    CHECK(plan_memory(buffers, options).proven_bound_bytes > 6);
}

}  // namespace
}  // namespace pumice
