// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "data/time_format.h"
#include "data/time_step.h"
#include "series/roles.h"
#include "series/table.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pumice::series {

/// How a table becomes a series. Empty texts: by the contents; of `aggregate` and `fill`: refuse.
struct SeriesOptions {
    TableOptions table;
    RoleOptions roles;
    std::string aggregate;  ///< of rows with one time: mean, sum, median, first, last, min, max
    std::string fill;       ///< of times without a row and empty values: missing, zero, previous,
                            ///< linear
};

/// A series with even steps, oldest value first.
struct Series {
    std::string path;
    std::string column;
    std::string time;                 ///< names of its columns, or empty
    std::vector<double> values;       ///< NaN where missing
    std::vector<std::int64_t> lines;  ///< of the file; 0 for what was filled in
    std::vector<std::string> notes;   ///< what was supposed or changed
    std::string first_label;          ///< as the file has it
    data::TimeFormat format;
    data::TimeStep step;
    data::Moment first;

    /// The time of a value, past the last one too; without time columns it counts from 1.
    [[nodiscard]] std::string label(std::size_t index) const;
    /// Where it stands on an axis: seconds since 1970 by its own clock, or the number.
    [[nodiscard]] double place(std::size_t index) const;
    /// "monthly"; "no time column" if there is none.
    [[nodiscard]] std::string frequency() const;

    [[nodiscard]] bool has_dates() const { return format.coding != data::TimeCoding::kNumber; }
};

/// Reads, sorts and evens a series.
/// @throws FileError naming the line of a value that is no number, of a time that cannot be read, is
///         there twice or leaves a gap, where no option says what to do; and as read_table,
///         choose_roles; ArgumentError for an option that is none, or that
///         wants a time column where there is none
Series read_series(const std::string& path, const SeriesOptions& options);

/// As read_series, of a table that is there.
Series make_series(const Table& table, const SeriesOptions& options);

/// The values so far from all others that they alone would set the scale: at most one in fifty,
/// each at least 20 times as far from the median as any other value. Ascending indices.
std::vector<std::size_t> find_outliers(const std::vector<double>& values);

}  // namespace pumice::series
