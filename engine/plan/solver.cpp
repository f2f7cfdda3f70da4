// SPDX-License-Identifier: Apache-2.0
// A problem's parts solved one by one within the time that is left.
#include "plan/solver.h"

#include "plan/random.h"
#include "plan/search.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace pumice::plan {
namespace {

// Of the first searches, for each item: a search that never has to go back needs one, or a few more
// where it leaves gaps.
constexpr std::uint64_t kFirstNodesAnItem = 2;
constexpr std::uint64_t kPlainStyleCount = 3 * kSectionRuleCount;
constexpr std::size_t kSearchesForGoal = 96;
constexpr std::size_t kSearchesBetween = 6;

// The plain rules first, then random ones.
SearchStyle style_of(std::uint64_t number) {
    SearchStyle style;
    style.section_rule = static_cast<SectionRule>(number % kSectionRuleCount);
    style.rank.seed = number;
    if (number < kPlainStyleCount) {
        const std::uint64_t slant = number / kSectionRuleCount;
        style.rank.slant = 0.5 * static_cast<double>(slant);
    } else {
        Random random(number);
        // The ends are worth a try more often than what is between.
        style.rank.slant = std::clamp(1.5 * random.fraction() - 0.25, 0.0, 1.0);
        style.rank.noise = random.fraction();
    }
    return style;
}

/// The searches of one target, on several threads.
class Round {
public:
    Round(Height target, std::uint64_t first_style, std::size_t search_count)
        : target_(target), first_style_(first_style), results_(search_count) {}

    // Thread `lane` of `searches.size()` takes every so many-th search.
    void run(std::vector<std::unique_ptr<Search>>& searches,
             Clock::time_point deadline,
             std::uint64_t node_limit) {
        std::vector<std::thread> threads;
        const auto run_lane = [&](std::size_t lane) {
            for (std::size_t i = lane; i < results_.size() && i < decided_by_;
                 i += searches.size()) {
                const auto should_stop = [&, i] {
                    return i > decided_by_ || Clock::now() >= deadline;
                };
                if (should_stop()) {
                    break;
                }
                run_one(*searches[lane], i, should_stop, node_limit);
            }
        };
        for (std::size_t lane = 1; lane < searches.size(); ++lane) {
            threads.emplace_back(run_lane, lane);
        }
        run_lane(0);
        std::for_each(threads.begin(), threads.end(), [](std::thread& thread) { thread.join(); });
    }

    /// Of the first search that came to a result.
    [[nodiscard]] SearchResult result() const {
        return decided_by_ < results_.size() ? results_[decided_by_].result : SearchResult::kGaveUp;
    }

    [[nodiscard]] std::vector<Height>& offsets() { return results_[decided_by_].offsets; }

private:
    struct Result {
        SearchResult result = SearchResult::kGaveUp;
        std::vector<Height> offsets;
    };

    void run_one(Search& search,
                 std::size_t i,
                 const std::function<bool()>& should_stop,
                 std::uint64_t node_limit) {
        Result& result = results_[i];
        result.result = search.run(target_, style_of(first_style_ + i), node_limit, should_stop);
        if (result.result == SearchResult::kFound) {
            result.offsets = search.offsets();
        }
        if (result.result != SearchResult::kGaveUp) {
            std::size_t before = decided_by_;
            while (i < before && !decided_by_.compare_exchange_weak(before, i)) {
            }
        }
    }

    Height target_;
    std::uint64_t first_style_;
    std::vector<Result> results_;
    std::atomic<std::size_t> decided_by_ = results_.size();
};

class Solver {
public:
    Solver(const Problem& problem, Placement start, const SolverLimits& limits)
        : problem_(problem),
          limits_(limits),
          solution_{std::move(start), problem.bound, 0},
          node_limit_(kFirstNodesAnItem * problem.items.size() + 100) {
        if (!is_done()) {
            for (std::size_t lane = 0; lane < limits.thread_count; ++lane) {
                searches_.push_back(std::make_unique<Search>(problem));
            }
        }
    }

    Solution run() {
        for (int phase = 0; !is_done(); ++phase) {
            try_target(goal(), kSearchesForGoal);
            descend(phase);
            node_limit_ += node_limit_ / 4;
        }
        for (const auto& search : searches_) {
            solution_.node_count += search->node_count();
        }
        return std::move(solution_);
    }

private:
    [[nodiscard]] Height goal() const { return std::max(limits_.goal, solution_.proven_bound); }

    [[nodiscard]] bool is_done() const {
        return solution_.placement.height <= goal() || Clock::now() >= limits_.deadline;
    }

    // Halves the range between the goal and the best height, finer from phase to phase.
    void descend(int phase) {
        const Height grain = std::max<Height>(goal() >> std::min(8 + phase, 60), 1);
        Height failed = goal();
        while (!is_done() && solution_.placement.height - failed > grain) {
            failed = std::max(failed, goal());
            const Height target = failed + (solution_.placement.height - failed) / 2;
            if (!try_target(target, kSearchesBetween)) {
                failed = target;
            }
        }
    }

    bool try_target(Height target, std::size_t search_count) {
        Round round(target, style_count_, search_count);
        round.run(searches_, limits_.deadline, node_limit_);
        style_count_ += search_count;
        if (round.result() == SearchResult::kFound) {
            const Height height = height_of(problem_, round.offsets());
            solution_.placement = {std::move(round.offsets()), height};
            // What the searches that were cut short learnt depends on the threads' speed.
            for (const auto& search : searches_) {
                search->forget();
            }
        } else if (round.result() == SearchResult::kImpossible) {
            solution_.proven_bound = target + 1;
        }
        return round.result() == SearchResult::kFound;
    }

    const Problem& problem_;
    SolverLimits limits_;
    Solution solution_;
    std::uint64_t node_limit_;
    std::uint64_t style_count_ = 0;
    std::vector<std::unique_ptr<Search>> searches_;
};

}  // namespace

Solution solve(const Problem& problem, Placement start, const SolverLimits& limits) {
    return Solver(problem, std::move(start), limits).run();
}

}  // namespace pumice::plan
