// SPDX-License-Identifier: Apache-2.0
// Which pattern, or which count since which epoch, the labels of a column are.
#include "data/time_reading.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

namespace pumice::data {

namespace {

// Where both orders of day and month are written, both are here. With points the day is first.
constexpr std::array kPatterns = {
    "%Y-%m-%d",        "%Y/%m/%d",      "%Y.%m.%d",    "%Y-%m",           "%Y/%m",
    "%d.%m.%Y",        "%d/%m/%Y",      "%m/%d/%Y",    "%d-%m-%Y",        "%m-%d-%Y",
    "%d.%m.%y",        "%d/%m/%y",      "%m/%d/%y",    "%m/%Y",           "%m-%Y",
    "%b %Y",           "%b-%Y",         "%b/%Y",       "%Y %b",           "%Y-%b",
    "%b %d %Y",        "%b %d, %Y",     "%d %b %Y",    "%d-%b-%Y",        "%d. %b %Y",
    "%d/%b/%Y",        "%Y-%b-%d",      "%d-%b-%y",    "%d %b %y",        "%b-%y",
    "%b %y",           "%YQ%q",         "%Y-Q%q",      "%Y Q%q",          "%Y/Q%q",
    "Q%q %Y",          "Q%q-%Y",        "Q%q/%Y",      "Q%q%Y",           "%qQ%Y",
    "%Y%m%dT%H%M%S%z", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M"};

// The longest first: a shorter one fits none of the longer one's labels.
constexpr std::array kDigitPatterns = {"%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d", "%Y%m", "%Y"};

bool is_same(const TimeReading& a, const TimeReading& b) {
    return std::equal(a.moments.begin(),
                      a.moments.end(),
                      b.moments.begin(),
                      b.moments.end(),
                      [](const Moment& x, const Moment& y) { return x.local_us == y.local_us; });
}

std::optional<double> parse_number(std::string_view label) {
    double number = 0.0;
    const char* end = label.data() + label.size();
    const auto [stop, failure] = std::from_chars(label.data(), end, number);
    return failure == std::errc() && stop == end && std::isfinite(number)
               ? std::optional<double>(number)
               : std::nullopt;
}

int decimals_of(std::string_view label) {
    const std::size_t point = label.find('.');
    constexpr int kMost = 12;
    return point == std::string_view::npos
               ? 0
               : std::min(static_cast<int>(label.size() - point - 1), kMost);
}

// 20240131.0 is how a column of whole numbers is written once a value was missing.
std::vector<std::string> without_zero_fractions(std::vector<std::string> labels) {
    const bool has_all = std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
        return label.size() > 2 && label.ends_with(".0");
    });
    for (std::string& label : labels) {
        label.resize(label.size() - (has_all ? 2 : 0));
    }
    return labels;
}

struct Range {
    TimeCoding coding;
    double least;
    double most;
    double us;  ///< of one
};

// From 1973, or 1954 for Excel, to about 2100. Within them no two meet.
constexpr std::array<Range, 5> kRanges = {{{TimeCoding::kExcelDays, 2e4, 8e4, 86400e6},
                                           {TimeCoding::kSeconds, 1e8, 4.2e9, 1e6},
                                           {TimeCoding::kMilliseconds, 1e11, 4.2e12, 1e3},
                                           {TimeCoding::kMicroseconds, 1e14, 4.2e15, 1.0},
                                           {TimeCoding::kNanoseconds, 1e17, 4.2e18, 1e-3}}};

Moment to_moment(TimeCoding coding, double number, double unit_us) {
    constexpr double kExcelEpochDays = 25569.0;  // 1970-01-01
    const bool is_excel = coding == TimeCoding::kExcelDays;
    // Days as float64 are exact to a microsecond; clocks are read to a millisecond.
    const double us = (number - (is_excel ? kExcelEpochDays : 0.0)) * unit_us;
    return {.local_us = is_excel ? std::llround(us / 1e3) * 1000 : std::llround(us)};
}

std::optional<TimeReading> read_range(const TimeReading& counts, const Range& range) {
    TimeReading reading = counts;
    reading.format.coding = range.coding;
    for (Moment& moment : reading.moments) {
        if (moment.number < range.least || moment.number > range.most) {
            return std::nullopt;
        }
        moment = to_moment(range.coding, moment.number, range.us);
    }
    return reading;
}

// Years that people have data of: other numbers with as many digits are no dates. 1970 is likely,
// so labels that do not fit do not count.
bool has_likely_years(const TimeReading& reading) {
    constexpr int kFirst = 1500;
    constexpr int kLast = 2200;
    return std::all_of(reading.moments.begin(), reading.moments.end(), [](const Moment& moment) {
        const int year = static_cast<int>(date_of(moment.local_us).year());
        return year >= kFirst && year <= kLast;
    });
}

}  // namespace

TimeReading read_dates(const std::vector<std::string>& labels, const std::string& pattern) {
    TimeReading reading;
    reading.format.pattern = pattern;
    reading.moments.resize(labels.size());
    reading.first_misfit = labels.size();
    bool has_zone = false;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        reading.format.zone.clear();
        reading.format.has_zone = false;
        const auto moment = read_label(labels[i], reading.format);
        has_zone = reading.fit_count == 0 ? reading.format.has_zone : has_zone;
        if (!moment || reading.format.has_zone != has_zone) {
            reading.first_misfit = std::min(reading.first_misfit, i);
            continue;
        }
        reading.moments[i] = *moment;
        ++reading.fit_count;
    }
    return reading;
}

std::vector<TimeReading> read_dates(const std::vector<std::string>& labels) {
    std::vector<TimeReading> best;
    for (const char* pattern : kPatterns) {
        TimeReading reading = read_dates(labels, pattern);
        if (reading.fit_count == 0 || (!best.empty() && reading.fit_count < best[0].fit_count)) {
            continue;
        }
        if (!best.empty() && reading.fit_count > best[0].fit_count) {
            best.clear();
        }
        if (best.empty() || !is_same(best[0], reading)) {
            best.push_back(std::move(reading));
        }
    }
    return best;
}

std::optional<TimeReading> read_number_dates(const std::vector<std::string>& labels) {
    const std::vector<std::string> whole = without_zero_fractions(labels);
    for (const char* pattern : kDigitPatterns) {
        TimeReading reading = read_dates(whole, pattern);
        const bool is_clean = reading.format.clock_fields == 0 && reading.format.is_padded;
        // A day in digits that is none is a fault among many that are.
        const bool has_day = reading.format.pattern.starts_with("%Y%m%d");
        const bool fits =
            has_day ? reading.fit_count * 2 > whole.size() : reading.fit_count == whole.size();
        if (fits && is_clean && has_likely_years(reading)) {
            return reading;
        }
    }
    if (const auto counts = read_counts(whole)) {
        for (const Range& range : kRanges) {
            if (auto reading = read_range(*counts, range)) {
                return reading;
            }
        }
    }
    return std::nullopt;
}

std::optional<TimeReading> read_counts(const std::vector<std::string>& labels) {
    TimeReading reading;
    reading.format.coding = TimeCoding::kNumber;
    for (const std::string& label : labels) {
        const auto number = parse_number(label);
        if (!number) {
            return std::nullopt;
        }
        reading.moments.push_back({.number = *number});
        reading.format.decimals = std::max(reading.format.decimals, decimals_of(label));
    }
    reading.fit_count = labels.size();
    reading.first_misfit = labels.size();
    return reading;
}

}  // namespace pumice::data
