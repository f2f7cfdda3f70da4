// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plan/problem.h"

#include <cstdint>
#include <vector>

namespace pumice::plan {

/// Which item goes first: the one with the largest length^(1 - slant) * height^slant, times a
/// random 1 +- noise.
struct RankRule {
    double slant = 0.0;  ///< 0: the longest, 0.5: the largest, 1: the tallest
    double noise = 0.0;
    std::uint64_t seed = 0;
};

/// Per item; the largest rank goes first.
std::vector<double> rank_items(const Problem& problem, const RankRule& rule);

}  // namespace pumice::plan
