// SPDX-License-Identifier: Apache-2.0
// Offsets for buffers: a heuristic first, then a search while time lasts.
#include "pumice/error.h"

#include "plan/buffer_fault.h"
#include "plan/heuristic.h"
#include "plan/solver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pumice {
namespace {

using plan::Clock;
using plan::Height;
using plan::Placement;
using plan::Problem;

constexpr std::string_view kWhere = "plan_memory";
constexpr int kMostThreads = 64;
constexpr double kLongestTime = 1e9;  // in seconds; a clock holds it

void check_buffers(std::span<const PlanBuffer> buffers) {
    if (const auto fault = plan::find_fault(buffers)) {
        throw ArgumentError(kWhere, fmt::format("buffer {}: {}", fault->index, fault->reason));
    }
}

void check_options(const PlanOptions& options) {
    if (!(options.time_limit_s >= 0.0)) {
        throw ArgumentError(
            kWhere, fmt::format("time limit must be at least 0; got {}", options.time_limit_s));
    }
    if (options.thread_count < 1 || options.thread_count > kMostThreads) {
        throw ArgumentError(
            kWhere,
            fmt::format(
                "thread count must be in [1, {}]; got {}", kMostThreads, options.thread_count));
    }
}

/// Plans groups of buffers one after the other: each need only be as low as the highest before.
class Planner {
public:
    Planner(std::span<const PlanBuffer> buffers, const PlanOptions& options)
        : options_(options), problems_(plan::make_problems(buffers)) {
        plan_.offsets.resize(buffers.size());
        for (const Problem& problem : problems_) {
            placements_.push_back(plan::place_quickly(problem));
            plan_.heuristic_height_bytes = std::max(plan_.heuristic_height_bytes,
                                                    bytes_of(problem, placements_.back().height));
            plan_.lower_bound_bytes =
                std::max(plan_.lower_bound_bytes, bytes_of(problem, problem.bound));
        }
        plan_.proven_bound_bytes = plan_.lower_bound_bytes;
    }

    MemoryPlan run() {
        const std::chrono::duration<double> limit(std::min(options_.time_limit_s, kLongestTime));
        deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(limit);
        for (std::size_t i = 0; i < problems_.size(); ++i) {
            if (options_.time_limit_s > 0.0) {
                improve(i);
            }
            take(problems_[i], placements_[i]);
        }
        plan_.is_optimal = plan_.height_bytes == plan_.proven_bound_bytes;
        return std::move(plan_);
    }

private:
    static std::uint64_t bytes_of(const Problem& problem, Height height) {
        return static_cast<std::uint64_t>(height) * problem.unit_bytes;
    }

    // A height that costs nothing: the whole plan cannot be, or need not be, lower.
    [[nodiscard]] Height goal_of(const Problem& problem) const {
        const std::uint64_t goal_bytes = std::max(
            {plan_.proven_bound_bytes, plan_.height_bytes, options_.capacity_bytes.value_or(0)});
        return static_cast<Height>(std::min(goal_bytes, plan::kMostBytes) / problem.unit_bytes);
    }

    // The time is shared with the groups after it that are too high as well.
    void improve(std::size_t index) {
        std::int64_t share_count = 0;
        for (std::size_t i = index; i < problems_.size(); ++i) {
            share_count += placements_[i].height > goal_of(problems_[i]) ? 1 : 0;
        }
        const Problem& problem = problems_[index];
        if (share_count == 0 || placements_[index].height <= goal_of(problem)) {
            return;
        }
        const Clock::time_point now = Clock::now();
        const plan::SolverLimits limits = {goal_of(problem),
                                           now + (deadline_ - now) / share_count,
                                           static_cast<std::size_t>(options_.thread_count)};
        plan::Solution solution = plan::solve(problem, std::move(placements_[index]), limits);
        placements_[index] = std::move(solution.placement);
        plan_.node_count += solution.node_count;
        plan_.proven_bound_bytes =
            std::max(plan_.proven_bound_bytes, bytes_of(problem, solution.proven_bound));
    }

    void take(const Problem& problem, const Placement& placement) {
        for (std::size_t i = 0; i < problem.items.size(); ++i) {
            plan_.offsets[problem.items[i].buffer] = bytes_of(problem, placement.offsets[i]);
        }
        plan_.height_bytes = std::max(plan_.height_bytes, bytes_of(problem, placement.height));
    }

    const PlanOptions& options_;
    std::vector<Problem> problems_;
    std::vector<Placement> placements_;
    MemoryPlan plan_;
    Clock::time_point deadline_;
};

}  // namespace

MemoryPlan plan_memory(std::span<const PlanBuffer> buffers, const PlanOptions& options) {
    check_options(options);
    check_buffers(buffers);
    return Planner(buffers, options).run();
}

}  // namespace pumice
