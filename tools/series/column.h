// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "series/roles.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pumice::series {

enum class ColumnKind : std::uint8_t {
    kEmpty,
    kNumber,
    kDate,
    kClock,
    kMonthName,
    kQuarter,
    kText
};

/// What the cells of a column are.
struct ColumnSeen {
    std::string name;
    ColumnKind kind = ColumnKind::kText;
    bool is_whole = false;     ///< numbers without fractions, none missing
    bool is_distinct = false;  ///< no number twice
    bool is_constant = false;
    bool is_even = false;        ///< ascending or descending with one step, of three rows at least
    bool is_row_number = false;  ///< 0, 1, 2 ... or 1, 2, 3 ...
    bool is_time = false;        ///< numbers that step as dates do
    double least = 0.0;
    double most = 0.0;
    std::string seen;  ///< for people

    [[nodiscard]] bool is_within(double low, double high) const {
        return is_whole && least >= low && most <= high;
    }
};

/// @param separator, options.decimal: read_numbers; options.date_format makes dates of what fits
ColumnSeen look_at(const std::string& name,
                   const std::vector<std::string>& cells,
                   char separator,
                   const RoleOptions& options);

}  // namespace pumice::series
