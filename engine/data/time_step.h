// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "data/moment.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pumice::data {

enum class StepUnit : std::uint8_t { kMonths, kWeekdays, kMicroseconds, kNumber };

/// From one moment of a series to the next.
struct TimeStep {
    StepUnit unit = StepUnit::kMicroseconds;
    std::int64_t count = 1;     ///< of the unit; 1 for numbers
    unsigned day_of_month = 1;  ///< of months; 31 stands for the last
    double number = 1.0;        ///< of numbers
};

/// Moments on an even grid.
struct TimeGrid {
    TimeStep step;
    /// Of each moment, counted from the first; where they differ by more than 1 moments lack.
    std::vector<std::int64_t> places;
    bool is_regular = true;  ///< false: the moments are on no grid, `misfit` is the first to say so
    std::size_t misfit = 0;
};

/// The grid of ascending moments, two at least and no two the same, that leaves the fewest places
/// empty: calendar months, weekdays or an even time; of numbers an even distance.
TimeGrid find_grid(const std::vector<Moment>& moments, bool are_numbers);

/// The moment so many steps after another; on its clock.
Moment moment_after(const Moment& origin, const TimeStep& step, std::int64_t count);

/// "monthly", "every 15 minutes".
std::string name_of(const TimeStep& step);

/// Steps a year, a week or a day that the sampling suggests; 1 if none.
std::int64_t season_of(const TimeStep& step);

}  // namespace pumice::data
