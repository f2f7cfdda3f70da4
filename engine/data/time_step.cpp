// SPDX-License-Identifier: Apache-2.0
// Which even grid a column of times lies on: its unit, its step and its gaps.
#include "data/time_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace pumice::data {

namespace {

std::int64_t months_of(std::int64_t us) {
    const std::chrono::year_month_day date = date_of(us);
    return std::int64_t{static_cast<int>(date.year())} * 12 + static_cast<unsigned>(date.month()) -
           1;
}

std::chrono::year_month month_at(std::int64_t months) {
    return std::chrono::year(static_cast<int>(months / 12)) /
           std::chrono::month(static_cast<unsigned>(months % 12 + 1));
}

unsigned last_day_of(std::chrono::year_month month) {
    const std::chrono::year_month_day_last last(month.year(),
                                                std::chrono::month_day_last(month.month()));
    return static_cast<unsigned>(last.day());
}

// The day that dates a month apart have, or the last of a month that is too short for it; 31 when
// all are the last of their month. Nothing when the days or the times of day differ.
std::optional<unsigned> common_day(const std::vector<Moment>& moments) {
    const auto day = [](const Moment& m) {
        return static_cast<unsigned>(date_of(m.local_us).day());
    };
    const auto last = [](const Moment& m) { return last_day_of(month_at(months_of(m.local_us))); };
    unsigned common = 0;
    bool is_month_end = true;
    for (const Moment& moment : moments) {
        common = std::max(common, day(moment));
        is_month_end = is_month_end && day(moment) == last(moment);
    }
    common = is_month_end ? 31 : common;
    for (const Moment& moment : moments) {
        if (day(moment) != std::min(common, last(moment)) ||
            us_of_day(moment.local_us) != us_of_day(moments[0].local_us)) {
            return std::nullopt;
        }
    }
    return common;
}

// Days that are no weekend, counted since 1970-01-05, a Monday; for weekdays alone.
constexpr std::int64_t kFirstMonday = 4;

std::int64_t weekday_number(std::int64_t us) {
    const std::int64_t days = day_of(us) - kFirstMonday;
    const std::int64_t of_week = (days % 7 + 7) % 7;
    return (days - of_week) / 7 * 5 + of_week;
}

std::int64_t us_of_weekday(std::int64_t number) {
    const std::int64_t of_week = (number % 5 + 5) % 5;
    return ((number - of_week) / 5 * 7 + of_week + kFirstMonday) * kMicrosecondsADay;
}

// At one time of day, none on a weekend, over days enough for that to be no chance.
bool is_weekdays(const std::vector<Moment>& moments) {
    const auto is_weekday = [&](const Moment& moment) {
        const std::int64_t of_week = ((day_of(moment.local_us) - kFirstMonday) % 7 + 7) % 7;
        return of_week < 5 && us_of_day(moment.local_us) == us_of_day(moments[0].local_us);
    };
    constexpr std::int64_t kLeastDays = 3;
    return day_of(moments.back().local_us) - day_of(moments[0].local_us) >= kLeastDays &&
           std::all_of(moments.begin(), moments.end(), is_weekday);
}

template <typename Number>
std::vector<Number> differences(const std::vector<Number>& values) {
    std::vector<Number> steps;
    for (std::size_t i = 1; i < values.size(); ++i) {
        steps.push_back(values[i] - values[i - 1]);
    }
    return steps;
}

// The difference that is there most often; of those, the smallest.
std::int64_t commonest(const std::vector<std::int64_t>& steps) {
    std::map<std::int64_t, std::size_t> counts;
    for (const std::int64_t step : steps) {
        ++counts[step];
    }
    return std::max_element(counts.begin(),
                            counts.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
}

TimeGrid grid_of(const std::vector<std::int64_t>& values, const TimeStep& unit) {
    const std::vector<std::int64_t> steps = differences(values);
    TimeGrid grid;
    grid.step = unit;
    grid.step.count = commonest(steps);
    grid.places = {0};
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (grid.step.count <= 0 || steps[i] <= 0 || steps[i] % grid.step.count != 0) {
            grid.is_regular = false;
            grid.misfit = i + 1;
            return grid;
        }
        grid.places.push_back(grid.places.back() + steps[i] / grid.step.count);
    }
    return grid;
}

TimeGrid grid_of_numbers(const std::vector<Moment>& moments) {
    std::vector<double> numbers;
    numbers.reserve(moments.size());
    for (const Moment& moment : moments) {
        numbers.push_back(moment.number);
    }
    const std::vector<double> steps = differences(numbers);
    std::vector<double> sorted = steps;
    std::nth_element(sorted.begin(),
                     sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2),
                     sorted.end());
    const double usual = sorted[(sorted.size() - 1) / 2];
    constexpr double kRounding = 1e-4;  // of labels like 0.3333
    constexpr double kMostSteps = 1e9;  // between two numbers; beyond, rounding hides what is there
    TimeGrid grid;
    grid.step = {.unit = StepUnit::kNumber};
    grid.places = {0};
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const double count = steps[i] / usual;
        const bool fits = count > 0.5 && count < kMostSteps &&
                          std::abs(count - std::round(count)) <= kRounding * count;
        if (grid.is_regular && !fits) {
            grid.is_regular = false;
            grid.misfit = i + 1;
        }
        grid.places.push_back(grid.places.back() + (grid.is_regular ? std::llround(count) : 1));
    }
    // Off a grid the mean step goes on.
    const auto span = static_cast<double>(
        grid.is_regular ? grid.places.back() : static_cast<std::int64_t>(steps.size()));
    grid.step.number = (numbers.back() - numbers.front()) / span;
    return grid;
}

bool is_better(const TimeGrid& a, const TimeGrid& b) {
    if (a.is_regular != b.is_regular) {
        return a.is_regular;
    }
    // Of two that do not fit, the one that does longer.
    return a.is_regular ? a.places.back() < b.places.back() : a.misfit > b.misfit;
}

std::string plural(std::int64_t count, std::string_view adverb, std::string_view unit) {
    return count == 1 ? std::string(adverb) : fmt::format("every {} {}", count, unit);
}

std::string name_of_time(std::int64_t us) {
    constexpr std::int64_t kMinute = 60 * kMicrosecondsASecond;
    constexpr std::int64_t kHour = 60 * kMinute;
    if (us % (7 * kMicrosecondsADay) == 0) {
        return plural(us / (7 * kMicrosecondsADay), "weekly", "weeks");
    }
    if (us % kMicrosecondsADay == 0) {
        return plural(us / kMicrosecondsADay, "daily", "days");
    }
    if (us % kHour == 0) {
        return plural(us / kHour, "hourly", "hours");
    }
    if (us % kMinute == 0) {
        return plural(us / kMinute, "every minute", "minutes");
    }
    return us == kMicrosecondsASecond
               ? "every second"
               : fmt::format("every {} seconds",
                             static_cast<double>(us) / static_cast<double>(kMicrosecondsASecond));
}

}  // namespace

TimeGrid find_grid(const std::vector<Moment>& moments, bool are_numbers) {
    if (are_numbers) {
        return grid_of_numbers(moments);
    }
    std::vector<std::int64_t> times;
    std::vector<std::int64_t> months;
    std::vector<std::int64_t> weekdays;
    for (const Moment& moment : moments) {
        times.push_back(moment.local_us);
        months.push_back(months_of(moment.local_us));
        weekdays.push_back(weekday_number(moment.local_us));
    }
    TimeGrid best = grid_of(times, {.unit = StepUnit::kMicroseconds});
    if (is_weekdays(moments)) {
        TimeGrid grid = grid_of(weekdays, {.unit = StepUnit::kWeekdays});
        // Weekly and longer steps are times.
        if (grid.step.count == 1 && is_better(grid, best)) {
            best = std::move(grid);
        }
    }
    if (const auto day = common_day(moments)) {
        TimeGrid grid = grid_of(months, {.unit = StepUnit::kMonths, .day_of_month = *day});
        if (!is_better(best, grid)) {
            best = std::move(grid);
        }
    }
    return best;
}

Moment moment_after(const Moment& origin, const TimeStep& step, std::int64_t count) {
    Moment moment = origin;
    const std::int64_t of_day = us_of_day(origin.local_us);
    switch (step.unit) {
        case StepUnit::kMonths: {
            const std::chrono::year_month month =
                month_at(months_of(origin.local_us) + step.count * count);
            const unsigned day = std::min(step.day_of_month, last_day_of(month));
            moment.local_us = to_us(month / std::chrono::day(day)) + of_day;
            break;
        }
        case StepUnit::kWeekdays:
            moment.local_us =
                us_of_weekday(weekday_number(origin.local_us) + step.count * count) + of_day;
            break;
        case StepUnit::kMicroseconds: moment.local_us += step.count * count; break;
        default: moment.number += step.number * static_cast<double>(count);
    }
    return moment;
}

std::string name_of(const TimeStep& step) {
    switch (step.unit) {
        case StepUnit::kMonths:
            if (step.count % 12 == 0) {
                return plural(step.count / 12, "yearly", "years");
            }
            return step.count == 3 ? "quarterly" : plural(step.count, "monthly", "months");
        case StepUnit::kWeekdays: return "on weekdays";
        case StepUnit::kMicroseconds: return name_of_time(step.count);
        default: return fmt::format("in steps of {:g}", step.number);
    }
}

std::int64_t season_of(const TimeStep& step) {
    switch (step.unit) {
        case StepUnit::kMonths:
            return step.count < 12 && 12 % step.count == 0 ? 12 / step.count : 1;
        case StepUnit::kWeekdays: return 5;
        case StepUnit::kMicroseconds:
            return step.count == kMicrosecondsADay
                       ? 7
                       : (step.count * 24 == kMicrosecondsADay ? 24 : 1);
        default: return 1;
    }
}

}  // namespace pumice::data
