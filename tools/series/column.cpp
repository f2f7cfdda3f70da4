// SPDX-License-Identifier: Apache-2.0
#include "series/column.h"

#include "data/time_reading.h"
#include "data/time_step.h"
#include "series/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>
#include <utility>

namespace pumice::series {

namespace {

using data::Moment;
using data::StepUnit;
using data::TimeCoding;
using data::TimeReading;
using data::TimeStep;

template <typename Fits>
bool are_all(const std::vector<std::string>& cells, Fits fits) {
    return !cells.empty() && std::all_of(cells.begin(), cells.end(), fits);
}

bool is_clock(const std::string& cell) {
    return cell.find(':') != std::string::npos &&
           data::read_dates({"2000-01-01 " + cell}, "%Y-%m-%d").fit_count == 1;
}

bool is_month_name(const std::string& cell) {
    return data::read_dates({cell}, "%b").fit_count == 1;
}

bool is_quarter(const std::string& cell) {
    return data::read_dates({cell}, "Q%q").fit_count == 1;
}

// The step of a series that people write epochs or Excel's days for.
bool is_calendar_step(const TimeStep& step) {
    constexpr std::int64_t kWeek = 7 * data::kMicrosecondsADay;
    return step.unit != StepUnit::kMicroseconds || data::kMicrosecondsADay % step.count == 0 ||
           step.count % kWeek == 0;
}

// Whether the numbers are dates. Those with a day in digits are dates at once; the others have to
// step as dates do, because other numbers may lie where they lie.
bool is_date_column(const std::vector<std::string>& cells, bool is_distinct) {
    const auto reading = data::read_number_dates(cells);
    if (!reading || cells.size() < 2) {
        return false;
    }
    if (reading->format.pattern.starts_with("%Y%m%d")) {
        return true;
    }
    if (!is_distinct) {
        return false;
    }
    std::vector<Moment> moments = reading->moments;
    std::sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) {
        return a.local_us < b.local_us;
    });
    const data::TimeGrid grid = data::find_grid(moments, false);
    // Two numbers always have a step, and few gaps distinguish a series from numbers thrown about.
    constexpr std::size_t kLeastRows = 3;
    const bool is_month = reading->format.pattern == "%Y%m";
    return grid.is_regular && is_calendar_step(grid.step) &&
           (cells.size() >= kLeastRows || is_month) &&
           grid.places.back() < 2 * static_cast<std::int64_t>(cells.size());
}

bool has_even_steps(const std::vector<double>& values) {
    constexpr std::size_t kLeastRows = 3;
    if (values.size() < kLeastRows) {
        return false;
    }
    const double step = (values.back() - values.front()) / static_cast<double>(values.size() - 1);
    constexpr double kRounding = 1e-4;
    for (std::size_t i = 1; i < values.size(); ++i) {
        if (std::abs(values[i] - values[i - 1] - step) > kRounding * std::abs(step)) {
            return false;
        }
    }
    return step != 0.0;
}

bool are_row_numbers(const std::vector<double>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i] != values[0] + static_cast<double>(i)) {
            return false;
        }
    }
    return values.size() > 1 && (values[0] == 0.0 || values[0] == 1.0);
}

std::string describe(const ColumnSeen& column, const std::vector<std::string>& cells) {
    const auto span = [&] { return fmt::format("{} to {}", cells.front(), cells.back()); };
    switch (column.kind) {
        case ColumnKind::kEmpty: return "nothing";
        case ColumnKind::kDate: return "dates, " + span();
        case ColumnKind::kClock: return "times of day, " + span();
        case ColumnKind::kMonthName: return "months, " + span();
        case ColumnKind::kQuarter: return "quarters, " + span();
        case ColumnKind::kText: return fmt::format("text such as '{}'", cells.front());
        default: break;
    }
    if (column.is_time) {
        return "dates as numbers, " + span();
    }
    if (column.is_row_number) {
        return "row numbers, " + span();
    }
    if (column.is_constant) {
        return fmt::format("always {}", column.least);
    }
    return fmt::format(
        "{}numbers, {} to {}", column.is_even ? "even " : "", column.least, column.most);
}

void look_at_numbers(ColumnSeen& column,
                     const std::vector<std::string>& there,
                     const Numbers& numbers) {
    std::vector<double> values;
    std::copy_if(
        numbers.values.begin(), numbers.values.end(), std::back_inserter(values), [](double value) {
            return !std::isnan(value);
        });
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    column.least = *least;
    column.most = *most;
    column.is_constant = *least == *most && values.size() > 1;
    const bool is_full = values.size() == numbers.values.size();
    column.is_distinct = std::set<double>(values.begin(), values.end()).size() == values.size();
    column.is_whole = is_full && std::all_of(values.begin(), values.end(), [](double value) {
                          return value == std::floor(value);
                      });
    column.is_even = is_full && has_even_steps(values);
    column.is_row_number = is_full && are_row_numbers(values);
    // A time that lacks is a fault, to be told with its line.
    column.is_time = is_date_column(there, column.is_distinct);
}

std::vector<std::string> without_missing(const std::vector<std::string>& cells) {
    std::vector<std::string> there;
    std::copy_if(cells.begin(), cells.end(), std::back_inserter(there), [](const auto& cell) {
        return !is_missing(cell);
    });
    return there;
}

ColumnKind text_kind(const std::vector<std::string>& cells) {
    if (are_all(cells, is_clock)) {
        return ColumnKind::kClock;
    }
    if (are_all(cells, is_month_name)) {
        return ColumnKind::kMonthName;
    }
    if (are_all(cells, is_quarter)) {
        return ColumnKind::kQuarter;
    }
    const std::vector<TimeReading> readings = data::read_dates(cells);
    // A few that cannot be read are faults, to be told with their lines.
    return !readings.empty() && readings[0].fit_count * 2 > cells.size() ? ColumnKind::kDate
                                                                         : ColumnKind::kText;
}

}  // namespace

ColumnSeen look_at(const std::string& name,
                   const std::vector<std::string>& cells,
                   char separator,
                   const RoleOptions& options) {
    ColumnSeen column;
    column.name = name;
    const std::vector<std::string> there = without_missing(cells);
    const Numbers numbers = read_numbers(cells, separator, options.decimal);
    if (there.empty()) {
        column.kind = ColumnKind::kEmpty;
    } else if (!options.date_format.empty() &&
               data::read_dates(there, options.date_format).fit_count * 2 > there.size()) {
        column.kind = ColumnKind::kDate;
    } else if (numbers.count * 2 >= there.size()) {
        // Here too the others are faults.
        column.kind = ColumnKind::kNumber;
        look_at_numbers(column, there, numbers);
    } else {
        column.kind = text_kind(there);
    }
    column.seen = describe(column, there);
    return column;
}

}  // namespace pumice::series
