// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/pumice.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

namespace pumice::command {

/// Medians of the runs' times in ms, the device's work included. The runs take turns, so that
/// whatever else the machine does meets all alike; the first round warms up and does not count.
inline std::vector<double> time_by_turns(const std::vector<std::function<void()>>& runs,
                                         int rounds) {
    std::vector<std::vector<double>> times(runs.size());
    for (int round = 0; round <= rounds; ++round) {
        for (std::size_t i = 0; i < runs.size(); ++i) {
            const auto begin = std::chrono::steady_clock::now();
            runs[i]();
            synchronize();
            const std::chrono::duration<double, std::milli> taken =
                std::chrono::steady_clock::now() - begin;
            if (round > 0) {
                times[i].push_back(taken.count());
            }
        }
    }
    std::vector<double> medians;
    for (std::vector<double>& each : times) {
        std::sort(each.begin(), each.end());
        medians.push_back(each[each.size() / 2]);
    }
    return medians;
}

/// ns a call, best of several rounds: the machine's noise only ever adds.
inline double best_ns(int calls, const std::function<void()>& call) {
    constexpr int kRounds = 5;
    double best = 1e30;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < calls; ++i) {
            call();
        }
        const std::chrono::duration<double, std::nano> taken =
            std::chrono::steady_clock::now() - begin;
        best = std::min(best, taken.count() / calls);
    }
    return best;
}

}  // namespace pumice::command
