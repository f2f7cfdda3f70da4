// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plan/problem.h"

#include <chrono>
#include <cstdint>

namespace pumice::plan {

using Clock = std::chrono::steady_clock;

/// What a solver may spend, and when it may stop.
struct SolverLimits {
    Height goal = 0;  ///< a placement of this height is good enough; at least the problem's bound
    Clock::time_point deadline;
    std::size_t thread_count = 1;
};

/// The lowest placement found, and what is known of lower ones.
struct Solution {
    Placement placement;
    Height proven_bound = 0;  ///< no placement is lower
    std::uint64_t node_count = 0;
};

/// Improves on `start` until its height is the goal's or the proven bound, or time is out.
///
/// Many short searches of different styles, because how long one takes varies by orders of
/// magnitude with its style: first all for the goal, then some between the goal and the best
/// height so far, then the same with more nodes. Of the searches of a round the first in the list
/// that succeeds counts, so the threads' speed decides nothing unless time runs out.
Solution solve(const Problem& problem, Placement start, const SolverLimits& limits);

}  // namespace pumice::plan
