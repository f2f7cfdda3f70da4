// SPDX-License-Identifier: Apache-2.0
#include "pumice/data.h"
#include "pumice/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

namespace pumice::data {

namespace {

constexpr std::int64_t kSecondsADay = 86400;

struct Instant {
    std::chrono::year_month_day date;
    std::int64_t seconds_of_day = 0;
    int field_count = 0;  ///< 2 year and month, 3 with day, 5 with minute, 6 with second
    char separator = ' ';

    [[nodiscard]] std::int64_t months() const {
        return std::int64_t{static_cast<int>(date.year())} * 12 +
               static_cast<unsigned>(date.month()) - 1;
    }

    [[nodiscard]] unsigned day() const { return static_cast<unsigned>(date.day()); }

    [[nodiscard]] std::int64_t seconds() const {
        const std::chrono::sys_days days = date;
        return days.time_since_epoch().count() * kSecondsADay + seconds_of_day;
    }
};

unsigned last_day_of(std::chrono::year_month month) {
    const std::chrono::year_month_day_last last(month.year(),
                                                std::chrono::month_day_last(month.month()));
    return static_cast<unsigned>(last.day());
}

unsigned last_day_of(const Instant& instant) {
    return last_day_of(instant.date.year() / instant.date.month());
}

// The day that dates a month apart have, or the last of a month that is too short for it; 31 when
// all are the last of their month. Nothing when the days or the times of day differ.
std::optional<unsigned> common_day(const std::vector<Instant>& instants) {
    unsigned day = 0;
    bool is_month_end = true;
    for (const Instant& instant : instants) {
        day = std::max(day, instant.day());
        is_month_end = is_month_end && instant.day() == last_day_of(instant);
    }
    day = is_month_end ? 31 : day;
    for (const Instant& instant : instants) {
        if (instant.day() != std::min(day, last_day_of(instant)) ||
            instant.seconds_of_day != instants[0].seconds_of_day) {
            return std::nullopt;
        }
    }
    return day;
}

std::optional<Instant> parse_instant(const std::string& text) {
    int year = 0;
    unsigned month = 0;
    unsigned day = 1;
    int hour = 0;
    int minute = 0;
    int second = 0;
    char separator = ' ';
    int used = 0;
    // NOLINTNEXTLINE(cert-err34-c): %n and the range checks below catch what does not convert
    int count = std::sscanf(text.c_str(), "%4d-%2u%n", &year, &month, &used);
    int fields = count;
    if (count == 2 && static_cast<std::size_t>(used) < text.size()) {
        int more = 0;
        count = std::sscanf(text.c_str() + used, "-%2u%n", &day, &more);
        used += more;
        fields = count == 1 ? 3 : 0;
    }
    if (fields == 3 && static_cast<std::size_t>(used) < text.size()) {
        int more = 0;
        count = std::sscanf(text.c_str() + used, "%c%2d:%2d%n", &separator, &hour, &minute, &more);
        used += more;
        fields = count == 3 && (separator == ' ' || separator == 'T') ? 5 : 0;
        if (fields == 5 && static_cast<std::size_t>(used) < text.size()) {
            count = std::sscanf(text.c_str() + used, ":%2d%n", &second, &more);
            used += more;
            fields = count == 1 ? 6 : 0;
        }
    }
    const std::chrono::year_month_day date{
        std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    const bool is_time =
        hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
    if (fields < 2 || static_cast<std::size_t>(used) != text.size() || !date.ok() || !is_time) {
        return std::nullopt;
    }
    return Instant{.date = date,
                   .seconds_of_day = hour * 3600L + minute * 60L + second,
                   .field_count = fields,
                   .separator = separator};
}

std::optional<double> parse_number(const std::string& text) {
    double number = 0.0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
        return std::nullopt;
    }
    return number;
}

[[noreturn]] void throw_unreadable(const std::string& path,
                                   std::size_t row,
                                   const std::string& text) {
    throw FileError(path,
                    fmt::format("row {}: '{}' is neither a date (YYYY-MM, YYYY-MM-DD, "
                                "YYYY-MM-DD hh:mm[:ss]) nor a number",
                                row + 2,
                                text));
}

std::vector<Instant> parse_instants(const std::string& path,
                                    const std::vector<std::string>& labels) {
    std::vector<Instant> instants;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const auto instant = parse_instant(labels[i]);
        if (!instant) {
            throw_unreadable(path, i, labels[i]);
        }
        instants.push_back(*instant);
    }
    return instants;
}

// The common difference, or nothing; `bad_row` is then the first row that breaks it.
std::optional<std::int64_t> common_step(const std::vector<std::int64_t>& values,
                                        std::size_t& bad_row) {
    const std::int64_t step = values[1] - values[0];
    for (std::size_t i = 1; i < values.size(); ++i) {
        if (step <= 0 || values[i] - values[i - 1] != step) {
            bad_row = i;
            return std::nullopt;
        }
    }
    return step;
}

}  // namespace

TimeAxis::TimeAxis(const std::string& path, const std::vector<std::string>& labels) {
    if (labels.size() < 2) {
        throw FileError(path, fmt::format("has {} rows, a time column wants two", labels.size()));
    }
    if (const auto first = parse_number(labels[0])) {
        for (std::size_t i = 0; i < labels.size(); ++i) {
            const auto number = parse_number(labels[i]);
            if (!number) {
                throw_unreadable(path, i, labels[i]);
            }
            last_number_ = *number;
        }
        number_step_ = (last_number_ - *first) / static_cast<double>(labels.size() - 1);
    } else {
        read_dates(path, labels);
    }
}

void TimeAxis::read_dates(const std::string& path, const std::vector<std::string>& labels) {
    const std::vector<Instant> instants = parse_instants(path, labels);
    std::vector<std::int64_t> months;
    std::vector<std::int64_t> seconds;
    for (const Instant& instant : instants) {
        months.push_back(instant.months());
        seconds.push_back(instant.seconds());
    }
    const Instant& last = instants.back();
    format_ = last.field_count == 2   ? Format::kMonth
              : last.field_count == 3 ? Format::kDay
              : last.field_count == 5 ? Format::kMinute
                                      : Format::kSecond;
    separator_ = last.separator;
    seconds_of_day_ = last.seconds_of_day;
    std::size_t bad_row = 0;
    const auto day = common_day(instants);
    const auto month_step = day ? common_step(months, bad_row) : std::nullopt;
    const auto second_step = month_step ? std::nullopt : common_step(seconds, bad_row);
    if (!month_step && !second_step) {
        throw FileError(path,
                        fmt::format("row {}: the time '{}' breaks the step of the rows before",
                                    bad_row + 2,
                                    labels[bad_row]));
    }
    unit_ = month_step ? Unit::kMonths : Unit::kSeconds;
    day_of_month_ = day.value_or(1);
    step_ = month_step ? *month_step : *second_step;
    last_ = month_step ? months.back() : seconds.back();
}

std::string TimeAxis::label(std::int64_t days, std::int64_t seconds_of_day) const {
    const std::chrono::year_month_day date{
        std::chrono::sys_days(std::chrono::days(static_cast<std::int32_t>(days)))};
    std::string text = fmt::format(
        "{:04}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()));
    if (format_ == Format::kMonth) {
        return text;
    }
    text += fmt::format("-{:02}", static_cast<unsigned>(date.day()));
    if (format_ == Format::kDay) {
        return text;
    }
    text +=
        fmt::format("{}{:02}:{:02}", separator_, seconds_of_day / 3600, seconds_of_day / 60 % 60);
    return format_ == Format::kMinute ? text : text + fmt::format(":{:02}", seconds_of_day % 60);
}

std::vector<std::string> TimeAxis::next(std::int64_t count) const {
    std::vector<std::string> labels;
    for (std::int64_t i = 1; i <= count; ++i) {
        if (unit_ == Unit::kNumber) {
            labels.push_back(
                fmt::format("{}", last_number_ + number_step_ * static_cast<double>(i)));
            continue;
        }
        const std::int64_t at = last_ + step_ * i;
        if (unit_ == Unit::kMonths) {
            const std::chrono::year_month month =
                std::chrono::year(static_cast<int>(at / 12)) /
                std::chrono::month(static_cast<unsigned>(at % 12 + 1));
            const std::chrono::sys_days date =
                month / std::chrono::day(std::min(day_of_month_, last_day_of(month)));
            labels.push_back(label(date.time_since_epoch().count(), seconds_of_day_));
            continue;
        }
        const std::int64_t of_day = (at % kSecondsADay + kSecondsADay) % kSecondsADay;
        labels.push_back(label((at - of_day) / kSecondsADay, of_day));
    }
    return labels;
}

std::int64_t TimeAxis::season_length() const noexcept {
    if (unit_ == Unit::kMonths) {
        return step_ < 12 && 12 % step_ == 0 ? 12 / step_ : 1;
    }
    if (unit_ == Unit::kSeconds) {
        return step_ == kSecondsADay ? 7 : (step_ == 3600 ? 24 : 1);
    }
    return 1;
}

}  // namespace pumice::data
