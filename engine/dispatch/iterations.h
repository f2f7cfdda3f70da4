// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/program.h"
#include "vk/iterations.h"

#include <cstdint>
#include <span>

namespace pumice::dispatch {

/// What the loops of one invocation of the step run at most, in passes; 0 where they always end
/// soon.
inline double iterations_of(const Step& step) noexcept {
    const vk::IterationBound bound = vk::iteration_bound(step.kernel());
    return bound == nullptr ? 0.0 : bound(step.spec(), step.push());
}

/// Whether a step may run. One that must not is cut by `select`: into more items, chunks or steps.
inline bool is_within_bound(const Step& step) noexcept {
    return iterations_of(step) <= vk::kMostIterations;
}

/// Of `count` things that an invocation walks in `passes`, those that it may walk: a multiple of
/// `unit`, 0 if that is too many. A little below the bound, for what `passes` grows by elsewhere.
constexpr std::uint64_t bounded_count(std::uint64_t count,
                                      double passes,
                                      std::uint64_t unit = 1) noexcept {
    constexpr double kShare = 0.95;
    if (passes <= vk::kMostIterations) {
        return count;
    }
    const auto most = static_cast<std::uint64_t>(static_cast<double>(count) * kShare *
                                                 vk::kMostIterations / passes);
    return most - most % unit;
}

/// Rows and columns that invocations walk in row-major order, in parts of whole rows, or of a piece
/// of one.
struct Rectangle {
    std::uint32_t first_row = 0;
    std::uint32_t first_col = 0;
    std::uint32_t end_row = 0;
    std::uint32_t end_col = 0;
    bool is_first = false;
    bool is_last = false;
};

/// What walking costs, in passes: a row, and each of its columns; of `most` a part may take.
struct WalkCost {
    double most = 0;
    double per_row = 0;
    double per_col = 0;
    std::uint32_t unit = 1;  ///< pieces of rows are a multiple of it
};

/// Shows `visit` the parts of rows x cols in order.
template <class Visit>
void for_each_part(std::uint32_t rows,
                   std::uint32_t cols,
                   const WalkCost& cost,
                   const Visit& visit) {
    const auto at_least_one = [](double count, double most_count) {
        return static_cast<std::uint32_t>(count < 1 ? 1
                                                    : (count > most_count ? most_count : count));
    };
    const double whole_row = cost.per_row + cost.per_col * cols;
    const std::uint32_t row_count = at_least_one(cost.most / whole_row, rows);
    std::uint32_t col_count = cols;
    if (whole_row > cost.most) {
        col_count = at_least_one((cost.most - cost.per_row) / cost.per_col, cols);
        col_count = col_count > cost.unit ? col_count - col_count % cost.unit : col_count;
    }
    for (std::uint32_t row = 0; row < rows; row += row_count) {
        for (std::uint32_t col = 0; col < cols; col += col_count) {
            const std::uint32_t end_row = rows - row < row_count ? rows : row + row_count;
            const std::uint32_t end_col = cols - col < col_count ? cols : col + col_count;
            visit(Rectangle{.first_row = row,
                            .first_col = col,
                            .end_row = end_row,
                            .end_col = end_col,
                            .is_first = row == 0 && col == 0,
                            .is_last = end_row == rows && end_col == cols});
        }
    }
}

}  // namespace pumice::dispatch
