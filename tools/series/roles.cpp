// SPDX-License-Identifier: Apache-2.0
#include "series/roles.h"

#include "pumice/error.h"

#include "data/time_reading.h"
#include "data/time_step.h"
#include "series/column.h"
#include "series/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <optional>
#include <string_view>

namespace pumice::series {

namespace {

constexpr double kFirstYear = 1500;
constexpr double kLastYear = 2200;

using Columns = std::vector<std::size_t>;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char letter) {
        return static_cast<char>(std::tolower(letter));
    });
    return text;
}

template <std::size_t kCount>
bool is_one_of(const std::string& name, const std::array<std::string_view, kCount>& names) {
    return std::find(names.begin(), names.end(), lower(name)) != names.end();
}

bool is_time_name(const std::string& name) {
    constexpr std::array<std::string_view, 14> kNames = {"time",
                                                         "date",
                                                         "datetime",
                                                         "timestamp",
                                                         "ds",
                                                         "dt",
                                                         "day",
                                                         "month",
                                                         "year",
                                                         "week",
                                                         "quarter",
                                                         "period",
                                                         "t",
                                                         "step"};
    return is_one_of(name, kNames);
}

bool is_value_name(const std::string& name) {
    constexpr std::array<std::string_view, 4> kNames = {"y", "value", "values", "target"};
    return is_one_of(name, kNames);
}

bool is_id_name(const std::string& name) {
    constexpr std::array<std::string_view, 8> kNames = {
        "id", "index", "idx", "nr", "no", "row", "key", "unnamed: 0"};
    return is_one_of(name, kNames) || lower(name).ends_with("_id");
}

bool is_year_name(const std::string& name) {
    constexpr std::array<std::string_view, 4> kNames = {"year", "yr", "jahr", "yyyy"};
    return is_one_of(name, kNames);
}

bool is_part_name(const std::string& name) {
    constexpr std::array<std::string_view, 16> kNames = {"month",
                                                         "mon",
                                                         "mo",
                                                         "day",
                                                         "weekday",
                                                         "dayofweek",
                                                         "day_of_week",
                                                         "dow",
                                                         "quarter",
                                                         "week",
                                                         "weekofyear",
                                                         "dayofyear",
                                                         "hour",
                                                         "minute",
                                                         "monat",
                                                         "mm"};
    return is_one_of(name, kNames);
}

bool is_calendar_part(const ColumnSeen& column) {
    constexpr double kMostDays = 366;
    return (is_part_name(column.name) && column.is_within(0, kMostDays)) ||
           (is_year_name(column.name) && column.is_within(kFirstYear, kLastYear));
}

std::string two_digits(const std::string& cell) {
    return cell.size() == 1 ? "0" + cell : cell;
}

std::string month_digits(const std::string& cell) {
    data::TimeFormat format;
    format.pattern = "%b";
    const auto moment = data::read_label(cell, format);
    format.pattern = "%m";
    return moment ? data::write_label(format, *moment) : two_digits(cell);
}

class Chooser {
public:
    Chooser(const Table& table, const RoleOptions& options) : table_(table), options_(options) {
        for (std::size_t i = 0; i < table.names.size(); ++i) {
            columns_.push_back(look_at(table.names[i], table.column(i), table.separator, options));
        }
    }

    Roles run() {
        if (!options_.column.empty()) {
            asked_value_ = find(options_.column);
        }
        Roles roles = options_.time.empty() ? choose_time() : asked_time();
        roles.value = asked_value_ ? *asked_value_ : choose_value(roles);
        return roles;
    }

private:
    [[noreturn]] void refuse(const std::string& what) const {
        std::string list;
        for (const ColumnSeen& column : columns_) {
            list += fmt::format("{} '{}': {}", list.empty() ? "" : ";", column.name, column.seen);
        }
        throw FileError(table_.path, what + "; the columns are:" + list);
    }

    [[nodiscard]] std::size_t find(const std::string& name) const {
        const auto count = std::count(table_.names.begin(), table_.names.end(), name);
        if (count > 1) {
            refuse(fmt::format("{} columns are called '{}', give the number of one", count, name));
        }
        if (count == 1) {
            return static_cast<std::size_t>(
                std::find(table_.names.begin(), table_.names.end(), name) - table_.names.begin());
        }
        const auto number = parse_number(name, '.');
        for (std::size_t i = 0; number && i < columns_.size(); ++i) {
            if (*number == static_cast<double>(i + 1)) {
                return i;
            }
        }
        refuse(fmt::format("there is no column '{}'", name));
    }

    [[nodiscard]] Roles asked_time() const {
        const bool is_none = options_.time == "none" &&
                             std::count(table_.names.begin(), table_.names.end(), "none") == 0;
        return is_none ? Roles{} : Roles{.join = TimeJoin::kAlone, .time = {find(options_.time)}};
    }

    // Of the columns that are not asked for as the value.
    template <typename Fits>
    [[nodiscard]] Columns those(Fits fits) const {
        Columns found;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (i != asked_value_ && fits(columns_[i])) {
                found.push_back(i);
            }
        }
        return found;
    }

    [[nodiscard]] Columns numbers() const {
        return those([](const ColumnSeen& column) { return column.kind == ColumnKind::kNumber; });
    }

    // Times that are numbers want another column to be the value.
    [[nodiscard]] bool has_other_value() const {
        return asked_value_.has_value() || numbers().size() > 1;
    }

    // The only one, or the only one that is called so.
    template <typename HasName>
    [[nodiscard]] std::optional<std::size_t> only(const Columns& found, HasName has_name) const {
        if (found.size() == 1) {
            return found[0];
        }
        Columns named;
        std::copy_if(found.begin(), found.end(), std::back_inserter(named), [&](std::size_t i) {
            return has_name(columns_[i].name);
        });
        return named.size() == 1 ? std::optional<std::size_t>(named[0]) : std::nullopt;
    }

    [[nodiscard]] Roles choose_time() const {
        const Columns dates =
            those([](const ColumnSeen& column) { return column.kind == ColumnKind::kDate; });
        if (dates.size() > 1) {
            refuse("it is not certain which column is the time, choose with --time");
        }
        if (dates.size() == 1) {
            return with_clock(dates[0]);
        }
        if (auto roles = choose_parts()) {
            return *roles;
        }
        // Text that is called a time is one with a fault, to be told with its line.
        const Columns faulty = those([](const ColumnSeen& column) {
            constexpr std::array<std::string_view, 6> kNames = {
                "date", "time", "datetime", "timestamp", "ds", "dt"};
            return is_one_of(column.name, kNames) &&
                   (column.kind == ColumnKind::kText || column.kind == ColumnKind::kClock);
        });
        if (faulty.size() == 1) {
            return {.join = TimeJoin::kAlone, .time = {faulty[0]}};
        }
        return has_other_value() ? choose_numbers() : Roles{};
    }

    // A time of day or an hour beside the date belongs to it, unless the date does without.
    [[nodiscard]] Roles with_clock(std::size_t date) const {
        Roles alone{.join = TimeJoin::kAlone, .time = {date}};
        const Columns clocks =
            those([](const ColumnSeen& column) { return column.kind == ColumnKind::kClock; });
        const Columns hours = those([](const ColumnSeen& column) {
            constexpr std::array<std::string_view, 4> kNames = {"hour", "hr", "stunde", "hod"};
            return is_one_of(column.name, kNames) && column.is_within(0, 24);
        });
        if (clocks.size() != 1 && hours.size() != 1) {
            return alone;
        }
        Roles joined = clocks.size() == 1
                           ? Roles{.join = TimeJoin::kDateClock, .time = {date, clocks[0]}}
                           : Roles{.join = TimeJoin::kDateHour, .time = {date, hours[0]}};
        const bool is_better =
            steps_as_dates(joined) || (are_dates(joined) && !steps_as_dates(alone));
        return is_better ? joined : alone;
    }

    // A year beside a month (and a day) or a quarter, where together they step as dates do or are
    // called so.
    [[nodiscard]] std::optional<Roles> choose_parts() const {
        const Columns years = those([](const ColumnSeen& column) {
            return column.is_within(kFirstYear, kLastYear) && !is_value_name(column.name);
        });
        const Columns months = those([](const ColumnSeen& column) {
            return column.kind == ColumnKind::kMonthName || column.is_within(1, 12);
        });
        const Columns quarters = those([](const ColumnSeen& column) {
            return column.kind == ColumnKind::kQuarter || column.is_within(1, 4);
        });
        // What is called so goes before what only looks so.
        std::vector<Roles> found = find_parts(years, months, quarters, true);
        if (found.empty()) {
            found = find_parts(years, months, quarters, false);
        }
        if (found.size() > 1) {
            refuse("it is not certain which columns are the time, choose one with --time");
        }
        return found.empty() ? std::nullopt : std::optional<Roles>(found[0]);
    }

    [[nodiscard]] std::vector<Roles> find_parts(const Columns& years,
                                                const Columns& months,
                                                const Columns& quarters,
                                                bool by_name) const {
        std::vector<Roles> found;
        for (const std::size_t year : years) {
            for (const std::size_t month : months) {
                add_parts(found, {.join = TimeJoin::kYearMonth, .time = {year, month}}, by_name);
                add_days(found, year, month, by_name);
            }
            for (const std::size_t quarter : quarters) {
                add_parts(
                    found, {.join = TimeJoin::kYearQuarter, .time = {year, quarter}}, by_name);
            }
        }
        return found;
    }

    void add_days(std::vector<Roles>& found,
                  std::size_t year,
                  std::size_t month,
                  bool by_name) const {
        for (const std::size_t day :
             those([](const ColumnSeen& column) { return column.is_within(1, 31); })) {
            if (day != month) {
                add_parts(
                    found, {.join = TimeJoin::kYearMonthDay, .time = {year, month, day}}, by_name);
            }
        }
    }

    [[nodiscard]] bool are_called_so(const Roles& roles) const {
        using Names = std::array<std::string_view, 4>;
        const auto is_called = [&](std::size_t i, const Names& names) {
            return is_one_of(columns_[roles.time[i]].name, names);
        };
        const bool is_quarter = roles.join == TimeJoin::kYearQuarter;
        return is_year_name(columns_[roles.time[0]].name) &&
               is_called(1,
                         is_quarter ? Names{"quarter", "qtr", "q", "quartal"}
                                    : Names{"month", "mon", "mo", "monat"}) &&
               (roles.time.size() < 3 || is_called(2, {"day", "dom", "mday", "tag"}));
    }

    [[nodiscard]] bool leaves_value(const Roles& roles) const {
        return asked_value_ ||
               std::any_of(columns_.begin(), columns_.end(), [&](const auto& column) {
                   return column.kind == ColumnKind::kNumber && !is_time(column, roles);
               });
    }

    [[nodiscard]] bool is_time(const ColumnSeen& column, const Roles& roles) const {
        const auto index = static_cast<std::size_t>(&column - columns_.data());
        return std::find(roles.time.begin(), roles.time.end(), index) != roles.time.end();
    }

    void add_parts(std::vector<Roles>& found, Roles roles, bool by_name) const {
        if (!leaves_value(roles) || !(by_name ? are_called_so(roles) : steps_as_dates(roles))) {
            return;
        }
        // A day makes the month finer; a month that does without one is whole.
        const auto month = std::find_if(found.begin(), found.end(), [&](const Roles& other) {
            return other.join == TimeJoin::kYearMonth && other.time[0] == roles.time[0] &&
                   other.time[1] == roles.time[1];
        });
        if (roles.join != TimeJoin::kYearMonthDay || month == found.end()) {
            found.push_back(std::move(roles));
        } else if (!steps_as_dates(*month)) {
            *month = std::move(roles);
        }
    }

    [[nodiscard]] bool are_dates(const Roles& roles) const {
        const auto readings = data::read_dates(time_labels(table_, roles));
        return !readings.empty() && readings[0].fit_count == table_.rows.size();
    }

    [[nodiscard]] bool steps_as_dates(const Roles& roles) const {
        const auto readings = data::read_dates(time_labels(table_, roles));
        if (readings.empty() || readings[0].fit_count < table_.rows.size() ||
            table_.rows.size() < 2) {
            return false;
        }
        std::vector<data::Moment> moments = readings[0].moments;
        std::sort(moments.begin(), moments.end(), [](const auto& a, const auto& b) {
            return a.local_us < b.local_us;
        });
        const data::TimeGrid grid = data::find_grid(moments, false);
        return grid.is_regular &&
               grid.places.back() < 2 * static_cast<std::int64_t>(moments.size());
    }

    [[nodiscard]] Roles choose_numbers() const {
        const auto may_be_time = [](const ColumnSeen& column) {
            return column.kind == ColumnKind::kNumber && !is_value_name(column.name);
        };
        const Columns times =
            those([&](const auto& column) { return may_be_time(column) && column.is_time; });
        const Columns named = those([&](const auto& column) {
            return may_be_time(column) && column.is_distinct && is_time_name(column.name);
        });
        const Columns rows =
            those([&](const auto& column) { return may_be_time(column) && column.is_row_number; });
        const Columns even =
            those([&](const auto& column) { return may_be_time(column) && column.is_even; });
        const auto is_counter = [](const std::string& name) {
            return is_time_name(name) || is_id_name(name);
        };
        for (const Columns* found : {&times, &named, &rows, &even}) {
            if (found->empty()) {
                continue;
            }
            if (const auto chosen = only(*found, is_counter)) {
                return {.join = TimeJoin::kAlone, .time = {*chosen}};
            }
            if (asked_value_ && found != &times) {
                return {};  // rows are numbered, which says the same
            }
            refuse("it is not certain which column is the time, choose with --time and --column");
        }
        return {};
    }

    [[nodiscard]] std::size_t choose_value(const Roles& roles) const {
        Columns found = those([&](const ColumnSeen& column) {
            return column.kind == ColumnKind::kNumber && !is_time(column, roles);
        });
        const bool has_time = roles.join != TimeJoin::kNone;
        const auto drop = [&](auto is_other) {
            Columns left;
            std::copy_if(found.begin(), found.end(), std::back_inserter(left), [&](std::size_t i) {
                return !is_other(columns_[i]);
            });
            found = left.empty() ? found : left;
        };
        drop(is_calendar_part);
        drop([&](const ColumnSeen& column) { return has_time && column.is_time; });
        drop([](const ColumnSeen& column) { return is_id_name(column.name); });
        drop([](const ColumnSeen& column) { return column.is_constant; });
        drop([](const ColumnSeen& column) { return column.is_row_number; });
        if (found.empty()) {
            refuse("there is no column of numbers to forecast");
        }
        if (const auto chosen = only(found, is_value_name)) {
            return *chosen;
        }
        refuse("it is not certain which column to forecast, choose with --column");
    }

    const Table& table_;
    const RoleOptions& options_;
    std::vector<ColumnSeen> columns_;
    std::optional<std::size_t> asked_value_;
};

}  // namespace

Roles choose_roles(const Table& table, const RoleOptions& options) {
    return Chooser(table, options).run();
}

std::vector<std::string> time_labels(const Table& table, const Roles& roles) {
    std::vector<std::string> labels;
    for (const data::CsvRecord& row : table.rows) {
        const auto cell = [&](std::size_t i) { return row.fields[roles.time[i]]; };
        switch (roles.join) {
            case TimeJoin::kNone: labels.emplace_back(); break;
            case TimeJoin::kAlone: labels.push_back(cell(0)); break;
            case TimeJoin::kYearMonth:
                labels.push_back(cell(0) + "-" + month_digits(cell(1)));
                break;
            case TimeJoin::kYearMonthDay:
                labels.push_back(cell(0) + "-" + month_digits(cell(1)) + "-" + two_digits(cell(2)));
                break;
            case TimeJoin::kYearQuarter:
                labels.push_back(cell(0) + (cell(1).size() == 1 ? "Q" : "") + cell(1));
                break;
            case TimeJoin::kDateClock: labels.push_back(cell(0) + " " + cell(1)); break;
            case TimeJoin::kDateHour:
                labels.push_back(cell(0) + " " + two_digits(cell(1)) + ":00");
                break;
        }
    }
    return labels;
}

}  // namespace pumice::series
