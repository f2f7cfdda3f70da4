// SPDX-License-Identifier: Apache-2.0
#include "series/series.h"

#include "pumice/error.h"

#include "data/time_reading.h"
#include "series/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

namespace pumice::series {

namespace {

using data::Moment;
using data::TimeCoding;
using data::TimeReading;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::array<std::string_view, 7> kAggregates = {
    "mean", "sum", "median", "first", "last", "min", "max"};
constexpr std::array<std::string_view, 4> kFills = {"missing", "zero", "previous", "linear"};

struct Row {
    Moment moment;
    std::string label;
    double value = kMissing;
    std::int64_t line = 0;
};

template <std::size_t kCount>
void check_choice(const char* option,
                  const std::string& choice,
                  const std::array<std::string_view, kCount>& choices) {
    if (!choice.empty() && std::find(choices.begin(), choices.end(), choice) == choices.end()) {
        throw ArgumentError("forecast", fmt::format("no such {}: '{}'", option, choice));
    }
}

std::vector<double> read_values(const Table& table,
                                std::size_t index,
                                const SeriesOptions& options,
                                std::vector<std::string>& notes) {
    const std::vector<std::string> cells = table.column(index);
    const Numbers numbers = read_numbers(cells, table.separator, options.roles.decimal);
    if (numbers.misfit < cells.size()) {
        throw FileError(table.path,
                        fmt::format("line {}, column '{}': '{}' is no finite number",
                                    table.line_of(numbers.misfit),
                                    table.names[index],
                                    cells[numbers.misfit]));
    }
    if (numbers.is_ambiguous) {
        throw FileError(table.path,
                        fmt::format("column '{}': '{}' has thousands or a fraction; say --decimal "
                                    "'.' or ','",
                                    table.names[index],
                                    cells[0]));
    }
    if (numbers.decimal != '.') {
        notes.emplace_back("the comma is the decimal mark");
    }
    return numbers.values;
}

TimeReading read_as_dates(const std::vector<std::string>& labels, const std::string& pattern) {
    if (!pattern.empty()) {
        return data::read_dates(labels, pattern);
    }
    if (auto dates = data::read_number_dates(labels)) {
        return *std::move(dates);
    }
    if (auto counts = data::read_counts(labels)) {
        return *std::move(counts);
    }
    std::vector<TimeReading> readings = data::read_dates(labels);
    if (readings.size() > 1) {
        throw ArgumentError("forecast",
                            fmt::format("the day or the month may be first in '{}'; say "
                                        "--date-format '{}' or '{}'",
                                        labels[0],
                                        readings[0].format.pattern,
                                        readings[1].format.pattern));
    }
    return readings.empty() ? TimeReading() : std::move(readings[0]);
}

// The first label that is not as most are.
std::size_t first_misfit(const std::vector<std::string>& labels, const TimeReading& reading) {
    if (reading.fit_count > 0) {
        return reading.first_misfit;
    }
    const auto is_number = [](const std::string& label) {
        return data::read_counts({label}).has_value();
    };
    const auto count = std::count_if(labels.begin(), labels.end(), is_number);
    return count == 0
               ? 0
               : static_cast<std::size_t>(
                     std::find_if_not(labels.begin(), labels.end(), is_number) - labels.begin());
}

TimeReading read_times(const Table& table, const Roles& roles, const SeriesOptions& options) {
    const std::vector<std::string> labels = time_labels(table, roles);
    TimeReading reading = read_as_dates(labels, options.roles.date_format);
    if (reading.fit_count < labels.size()) {
        const std::size_t index = first_misfit(labels, reading);
        throw FileError(
            table.path,
            fmt::format("line {}: the time '{}' {}",
                        table.line_of(index),
                        labels[index],
                        reading.fit_count > 0
                            ? fmt::format("is none by '{}' as others are", reading.format.pattern)
                            : "is neither a date nor a number (--date-format tells "
                              "its form, --time none numbers the rows)"));
    }
    return reading;
}

bool is_before(const Row& a, const Row& b) {
    return a.moment.utc_us() != b.moment.utc_us() ? a.moment.utc_us() < b.moment.utc_us()
                                                  : a.moment.number < b.moment.number;
}

bool is_at_once(const Row& a, const Row& b) {
    return !is_before(a, b) && !is_before(b, a);
}

void sort_rows(std::vector<Row>& rows, std::vector<std::string>& notes) {
    if (std::is_sorted(rows.begin(), rows.end(), is_before)) {
        return;
    }
    const bool is_descending = std::is_sorted(rows.rbegin(), rows.rend(), is_before);
    if (is_descending) {
        // Rows with one time are in the order of the others.
        std::reverse(rows.begin(), rows.end());
    }
    std::stable_sort(rows.begin(), rows.end(), is_before);
    notes.emplace_back(is_descending ? "the newest row came first; turned round"
                                     : "the rows were not in the order of time; sorted");
}

double aggregate(std::vector<double> values, const std::string& how) {
    values.erase(std::remove_if(
                     values.begin(), values.end(), [](double value) { return std::isnan(value); }),
                 values.end());
    if (values.empty()) {
        return kMissing;
    }
    if (how == "first" || how == "last") {
        return how == "first" ? values.front() : values.back();
    }
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    if (how == "sum" || how == "mean") {
        return how == "sum" ? sum : sum / static_cast<double>(values.size());
    }
    std::sort(values.begin(), values.end());
    if (how == "min" || how == "max") {
        return how == "min" ? values.front() : values.back();
    }
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2.0;
}

// Makes one row of those with one time.
std::vector<Row> join_rows(const Table& table,
                           const std::vector<Row>& rows,
                           const SeriesOptions& options,
                           std::vector<std::string>& notes) {
    std::vector<Row> joined;
    for (std::size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
        std::vector<double> values;
        for (end = begin; end < rows.size() && is_at_once(rows[begin], rows[end]); ++end) {
            values.push_back(rows[end].value);
        }
        if (values.size() > 1 && options.aggregate.empty()) {
            throw FileError(table.path,
                            fmt::format("lines {} and {} have one time, '{}'; say --aggregate {}",
                                        rows[begin].line,
                                        rows[begin + 1].line,
                                        rows[begin].label,
                                        fmt::join(kAggregates, ", ")));
        }
        joined.push_back(rows[begin]);
        if (values.size() > 1) {
            joined.back().value = aggregate(values, options.aggregate);
        }
    }
    if (joined.size() < rows.size()) {
        notes.push_back(fmt::format("{} rows with the time of another joined by {}",
                                    rows.size() - joined.size(),
                                    options.aggregate));
    }
    return joined;
}

std::vector<Moment> moments_of(const std::vector<Row>& rows) {
    std::vector<Moment> moments;
    moments.reserve(rows.size());
    for (const Row& row : rows) {
        moments.push_back(row.moment);
    }
    return moments;
}

// Rows on several offsets from UTC: on the last one's clock, or each on its own where that steps
// better, as days and months do.
data::TimeGrid find_grid(std::vector<Row>& rows, bool are_numbers) {
    const std::vector<Moment> own = moments_of(rows);
    const std::int64_t offset_us = own.back().offset_us;
    std::vector<Moment> last = own;
    for (Moment& moment : last) {
        moment = {.local_us = moment.utc_us() + offset_us,
                  .offset_us = offset_us,
                  .number = moment.number};
    }
    data::TimeGrid grid = data::find_grid(last, are_numbers);
    const data::TimeGrid own_grid = data::find_grid(own, are_numbers);
    const bool is_own_better =
        own_grid.is_regular && (!grid.is_regular || own_grid.places.back() < grid.places.back());
    for (std::size_t i = 0; i < rows.size() && !is_own_better; ++i) {
        rows[i].moment = last[i];
    }
    return is_own_better ? own_grid : grid;
}

std::string name_of_fills() {
    return fmt::format("say --fill {}", fmt::join(kFills, ", "));
}

// Numbers that step nearly evenly, as clocks of instruments do, count as steps.
bool steps_nearly(const std::vector<Row>& rows) {
    constexpr double kMostRatio = 1.5;
    double least = std::numeric_limits<double>::infinity();
    double most = 0.0;
    for (std::size_t i = 1; i < rows.size(); ++i) {
        const double step = rows[i].moment.number - rows[i - 1].moment.number;
        least = std::min(least, step);
        most = std::max(most, step);
    }
    return most < kMostRatio * least;
}

void check_grid(const Table& table,
                const std::vector<Row>& rows,
                const data::TimeGrid& grid,
                Series& series) {
    if (grid.is_regular) {
        return;
    }
    if (series.format.coding == TimeCoding::kNumber && steps_nearly(rows)) {
        series.notes.push_back(
            fmt::format("the times step nearly evenly; {:g} is the mean step", grid.step.number));
        return;
    }
    throw FileError(table.path,
                    fmt::format("line {}: the time '{}' breaks the step of the others{}",
                                rows[grid.misfit].line,
                                rows[grid.misfit].label,
                                series.format.coding == TimeCoding::kNumber
                                    ? ""
                                    : fmt::format(" ({})", data::name_of(grid.step))));
}

void check_gaps(const Table& table,
                const std::vector<Row>& rows,
                const data::TimeGrid& grid,
                const SeriesOptions& options) {
    constexpr std::int64_t kMostPlaces = 10'000'000;
    for (std::size_t i = 1; i < rows.size() && options.fill.empty(); ++i) {
        const std::int64_t lacking = grid.places[i] - grid.places[i - 1] - 1;
        if (lacking > 0) {
            throw FileError(table.path,
                            fmt::format("line {}: before '{}' {} times lack ({}); {}",
                                        rows[i].line,
                                        rows[i].label,
                                        lacking,
                                        data::name_of(grid.step),
                                        name_of_fills()));
        }
    }
    if (grid.places.back() >= kMostPlaces) {
        throw FileError(
            table.path,
            fmt::format("has {} steps ({}) between its first and last time, most are {}",
                        grid.places.back(),
                        data::name_of(grid.step),
                        kMostPlaces));
    }
}

void place_rows(const std::vector<Row>& rows, const data::TimeGrid& grid, Series& series) {
    const auto count = static_cast<std::size_t>(grid.places.back()) + 1;
    series.values.assign(count, kMissing);
    series.lines.assign(count, 0);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto place = static_cast<std::size_t>(grid.places[i]);
        series.values[place] = rows[i].value;
        series.lines[place] = rows[i].line;
    }
    series.step = grid.step;
    series.first = rows[0].moment;
    series.first_label = rows[0].label;
}

// Between two values that are there; at the ends nothing is known.
void fill_linear(std::vector<double>& values) {
    std::size_t last = values.size();
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isnan(values[i])) {
            continue;
        }
        for (std::size_t k = last + 1; last < values.size() && k < i; ++k) {
            const double part = static_cast<double>(k - last) / static_cast<double>(i - last);
            values[k] = values[last] * (1.0 - part) + values[i] * part;
        }
        last = i;
    }
}

void fill_values(Series& series, const std::string& how) {
    std::vector<double>& values = series.values;
    const auto missing_count = [&] {
        return std::count_if(
            values.begin(), values.end(), [](double value) { return std::isnan(value); });
    };
    const auto before = missing_count();
    if (how == "zero") {
        std::replace_if(
            values.begin(), values.end(), [](double value) { return std::isnan(value); }, 0.0);
    } else if (how == "previous") {
        for (std::size_t i = 1; i < values.size(); ++i) {
            values[i] = std::isnan(values[i]) ? values[i - 1] : values[i];
        }
    } else if (how == "linear") {
        fill_linear(values);
    }
    const auto after = missing_count();
    if (before > after) {
        series.notes.push_back(fmt::format("{} values filled in ({})", before - after, how));
    }
    if (after > 0) {
        series.notes.push_back(fmt::format("{} values are missing", after));
    }
}

std::string joined_names(const Table& table, const Roles& roles) {
    std::string names;
    for (const std::size_t index : roles.time) {
        names += (names.empty() ? "" : " ") + table.names[index];
    }
    return names;
}

// Rows without a time column are the series as they are.
void take_rows(const Table& table, const std::vector<double>& values, Series& series) {
    series.format.coding = TimeCoding::kNumber;
    series.step = {.unit = data::StepUnit::kNumber};
    series.first = {.number = 1.0};
    series.first_label = "1";
    series.values = values;
    for (const data::CsvRecord& row : table.rows) {
        series.lines.push_back(row.line);
    }
}

void take_times(const Table& table,
                const Roles& roles,
                const std::vector<double>& values,
                const SeriesOptions& options,
                Series& series) {
    const TimeReading reading = read_times(table, roles, options);
    const std::vector<std::string> labels = time_labels(table, roles);
    series.format = reading.format;
    std::vector<Row> rows;
    for (std::size_t i = 0; i < values.size(); ++i) {
        rows.push_back({.moment = reading.moments[i],
                        .label = labels[i],
                        .value = values[i],
                        .line = table.line_of(i)});
    }
    sort_rows(rows, series.notes);
    rows = join_rows(table, rows, options, series.notes);
    if (rows.size() < 2) {
        throw FileError(table.path,
                        fmt::format("has {} times, a time column wants two", rows.size()));
    }
    // The last label's zone goes on.
    static_cast<void>(data::read_label(rows.back().label, series.format));
    const data::TimeGrid grid = find_grid(rows, series.format.coding == TimeCoding::kNumber);
    check_grid(table, rows, grid, series);
    check_gaps(table, rows, grid, options);
    place_rows(rows, grid, series);
}

}  // namespace

std::string Series::label(std::size_t index) const {
    return data::write_label(format,
                             data::moment_after(first, step, static_cast<std::int64_t>(index)));
}

double Series::place(std::size_t index) const {
    const Moment moment = data::moment_after(first, step, static_cast<std::int64_t>(index));
    return has_dates() ? static_cast<double>(moment.local_us) /
                             static_cast<double>(data::kMicrosecondsASecond)
                       : moment.number;
}

std::string Series::frequency() const {
    return time.empty() ? "no time column" : data::name_of(step);
}

Series read_series(const std::string& path, const SeriesOptions& options) {
    return make_series(read_table(path, options.table), options);
}

Series make_series(const Table& table, const SeriesOptions& options) {
    check_choice("aggregate", options.aggregate, kAggregates);
    check_choice("fill", options.fill, kFills);
    if (!options.roles.date_format.empty()) {
        data::check_pattern(options.roles.date_format);
    }
    if (table.rows.empty()) {
        throw FileError(table.path, "has a header and no rows");
    }
    const Roles roles = choose_roles(table, options.roles);
    Series series;
    series.path = table.path;
    series.column = table.names[roles.value];
    series.time = joined_names(table, roles);
    series.notes = table.notes;
    const std::vector<double> values = read_values(table, roles.value, options, series.notes);
    if (roles.join == TimeJoin::kNone) {
        if (!options.aggregate.empty() || !options.roles.date_format.empty()) {
            throw ArgumentError("forecast",
                                "--aggregate and --date-format want a time column; there is none");
        }
        take_rows(table, values, series);
    } else {
        take_times(table, roles, values, options, series);
    }
    fill_values(series, options.fill);
    return series;
}

std::vector<std::size_t> find_outliers(const std::vector<double>& values) {
    constexpr double kFar = 20.0;
    constexpr std::size_t kOneIn = 50;
    constexpr std::size_t kLeastValues = 10;  // fewer do not say what is usual
    std::vector<double> sorted;
    std::copy_if(values.begin(), values.end(), std::back_inserter(sorted), [](double value) {
        return !std::isnan(value);
    });
    if (sorted.size() < kLeastValues) {
        return {};
    }
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    const double median = *middle;
    std::vector<double> distances;
    distances.reserve(sorted.size());
    for (const double value : sorted) {
        distances.push_back(std::abs(value - median));
    }
    std::sort(distances.begin(), distances.end());
    // The first of the farthest few that lies behind a wide gap.
    const std::size_t most = std::max<std::size_t>(sorted.size() / kOneIn, 1);
    double limit = std::numeric_limits<double>::infinity();
    for (std::size_t i = distances.size() - 1; i > 0 && distances.size() - i <= most; --i) {
        if (distances[i - 1] > 0.0 && distances[i] >= kFar * distances[i - 1]) {
            limit = distances[i];
        }
    }
    std::vector<std::size_t> outliers;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::abs(values[i] - median) >= limit) {
            outliers.push_back(i);
        }
    }
    return outliers;
}

}  // namespace pumice::series
