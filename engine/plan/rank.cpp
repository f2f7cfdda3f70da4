// SPDX-License-Identifier: Apache-2.0
// Which item a heuristic places first.
#include "plan/rank.h"

#include "plan/random.h"

#include <cmath>

namespace pumice::plan {

std::vector<double> rank_items(const Problem& problem, const RankRule& rule) {
    Random random(rule.seed);
    std::vector<double> ranks;
    ranks.reserve(problem.items.size());
    for (const Item& item : problem.items) {
        const auto length = static_cast<double>(item.end_section - item.first_section);
        const auto height = static_cast<double>(item.height);
        const double measure = std::pow(length, 1.0 - rule.slant) * std::pow(height, rule.slant);
        ranks.push_back(measure * (1.0 + rule.noise * (2.0 * random.fraction() - 1.0)));
    }
    return ranks;
}

}  // namespace pumice::plan
