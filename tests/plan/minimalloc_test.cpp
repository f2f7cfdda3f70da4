// SPDX-License-Identifier: Apache-2.0
//
// The instances of MiniMalloc (ASPLOS 2023), which all fit into 1 MiB.
#include "pumice/data.h"
#include "pumice/plan.h"

#include "support/plan_reference.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace pumice {
namespace {

using Buffers = std::vector<PlanBuffer>;

constexpr std::uint64_t kCapacityBytes = 1048576;
constexpr const char* kFolder = PUMICE_SOURCE_DIR "/../shared/data/minimalloc";

Buffers read_buffers(const std::string& path) {
    const data::CsvTable table(path);
    const std::vector<double> lowers = table.number_column("lower");
    const std::vector<double> uppers = table.number_column("upper");
    const std::vector<double> sizes = table.number_column("size");
    Buffers buffers;
    for (std::size_t i = 0; i < lowers.size(); ++i) {
        buffers.push_back({static_cast<std::int64_t>(lowers[i]),
                           static_cast<std::int64_t>(uppers[i]),
                           static_cast<std::uint64_t>(sizes[i])});
    }
    return buffers;
}

// Those whose name says the capacity.
std::vector<std::string> instances() {
    std::vector<std::string> paths;
    if (std::filesystem::exists(kFolder)) {
        for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
            if (entry.path().string().ends_with(".1048576.csv")) {
                paths.push_back(entry.path().string());
            }
        }
    }
    if (paths.empty()) {
        MESSAGE("skipped: no MiniMalloc instances in ../shared/data/minimalloc");
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

double ratio_of(std::uint64_t height_bytes, const MemoryPlan& plan) {
    return static_cast<double>(height_bytes) / static_cast<double>(plan.lower_bound_bytes);
}

// A time limit stands here only so that a defect ends; every figure is reached long before.
MemoryPlan solve(const Buffers& buffers) {
    return plan_memory(buffers, {.time_limit_s = 300.0});
}

TEST_CASE("plan: MiniMalloc's instances, by the heuristic") {
    const std::vector<std::string> paths = instances();
    double sum = 0.0;
    for (const std::string& path : paths) {
        const Buffers buffers = read_buffers(path);
        const MemoryPlan plan = plan_memory(buffers);
        CHECK(test::fault_of_plan(buffers, plan) == "");
        sum += ratio_of(plan.height_bytes, plan);
    }
    CHECK(sum <= 1.25 * static_cast<double>(paths.size()));
}

TEST_CASE("plan: MiniMalloc's instances, to the optimum") {
    for (const std::string& path : instances()) {
        INFO(path);
        const Buffers buffers = read_buffers(path);
        const MemoryPlan plan = solve(buffers);
        CHECK(test::fault_of_plan(buffers, plan) == "");
        CHECK(plan.height_bytes <= kCapacityBytes);
        CHECK(plan.is_optimal);
    }
}

TEST_CASE("plan: MiniMalloc's instances permuted and scaled have the same plan") {
    std::mt19937 random(3);
    for (const std::string& path : instances()) {
        INFO(path);
        const Buffers buffers = read_buffers(path);
        const MemoryPlan plan = solve(buffers);
        std::vector<std::size_t> order(buffers.size());
        for (std::size_t i = 0; i < order.size(); ++i) {
            order[i] = i;
        }
        std::shuffle(order.begin(), order.end(), random);
        Buffers other;
        for (const std::size_t i : order) {
            const PlanBuffer& buffer = buffers[i];
            other.push_back({buffer.lower * 3 + 5, buffer.upper * 3 + 5, buffer.size_bytes * 7});
        }
        const MemoryPlan other_plan = solve(other);
        CHECK(test::fault_of_plan(other, other_plan) == "");
        CHECK(other_plan.height_bytes == 7 * plan.height_bytes);
        CHECK(other_plan.heuristic_height_bytes == 7 * plan.heuristic_height_bytes);
    }
}

TEST_CASE("plan: MiniMalloc's instances backwards in time") {
    for (const std::string& path : instances()) {
        INFO(path);
        Buffers buffers = read_buffers(path);
        for (PlanBuffer& buffer : buffers) {
            buffer = {-buffer.upper, -buffer.lower, buffer.size_bytes};
        }
        const MemoryPlan plan = solve(buffers);
        CHECK(test::fault_of_plan(buffers, plan) == "");
        CHECK(plan.height_bytes <= kCapacityBytes);
    }
}

TEST_CASE("plan: one thread plans the same twice") {
    for (const std::string& path : instances()) {
        const Buffers buffers = read_buffers(path);
        const PlanOptions options = {.time_limit_s = 300.0, .thread_count = 1};
        const MemoryPlan plan = plan_memory(buffers, options);
        CHECK(plan_memory(buffers, options).offsets == plan.offsets);
    }
}

}  // namespace
}  // namespace pumice
