// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "data/time_format.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace pumice::data {

/// A column of labels as moments.
struct TimeReading {
    TimeFormat format;
    std::vector<Moment> moments;   ///< one a label; of labels that do not fit, the epoch
    std::size_t fit_count = 0;     ///< labels that fit the format
    std::size_t first_misfit = 0;  ///< the first that does not; the count if all fit
};

/// The readings as dates in text that fit the most labels, none if nothing fits. There is more than
/// one only where day and month can be swapped and the moments differ.
std::vector<TimeReading> read_dates(const std::vector<std::string>& labels);

/// By one pattern (TimeFormat::pattern).
TimeReading read_dates(const std::vector<std::string>& labels, const std::string& pattern);

/// Labels that are numbers, as dates in digits (20240131, 202401, 2024), seconds to nanoseconds
/// since 1970, or Excel's days, as their values suggest; none if they suggest nothing. All fit, but
/// of those with a day in digits, of which more than half do.
std::optional<TimeReading> read_number_dates(const std::vector<std::string>& labels);

/// As plain numbers; none if a label is no finite number.
std::optional<TimeReading> read_counts(const std::vector<std::string>& labels);

}  // namespace pumice::data
