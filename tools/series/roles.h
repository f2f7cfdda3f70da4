// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "series/table.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pumice::series {

/// How the cells of the time columns make a label.
enum class TimeJoin : std::uint8_t {
    kNone,       ///< no time column
    kAlone,      ///< one column
    kYearMonth,  ///< year, month
    kYearMonthDay,
    kYearQuarter,
    kDateClock,  ///< date, hh:mm[:ss]
    kDateHour    ///< date, hour from 0 or from 1
};

/// Which columns of a table are the time and the value.
struct Roles {
    TimeJoin join = TimeJoin::kNone;
    std::vector<std::size_t> time;
    std::size_t value = 0;
};

/// What a user asked for: names, or numbers from 1 where no column is called so; empty: by the
/// table's contents.
struct RoleOptions {
    std::string column;
    std::string time;         ///< "none": there is no time column
    std::string date_format;  ///< TimeFormat::pattern
    char decimal = '\0';      ///< read_numbers
};

/// Decides by the contents. Times are dates in text (or by the format asked for), else a year
/// beside a month, a quarter or a month and a day, else numbers that step as dates do (20240131,
/// 202401, years, seconds since 1970, Excel's days), else the row's numbers, else the only column
/// with an even step. The value is the only column of numbers that is left; calendar parts, ids,
/// constants and row numbers are no values beside others.
/// @throws FileError listing the columns with what is in them where that is not certain, and for
///         an unknown name
Roles choose_roles(const Table& table, const RoleOptions& options);

/// One label a row of the time columns.
std::vector<std::string> time_labels(const Table& table, const Roles& roles);

}  // namespace pumice::series
