// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// Tables and time columns.
namespace PUMICE_API pumice {
namespace data {

/// How the text of a table is cut.
struct CsvSyntax {
    char separator = ',';
    char comment = '\0';  ///< lines that begin with it are passed over; '\0': none are
};

/// One record of a table.
struct CsvRecord {
    std::int64_t line = 0;  ///< where it begins, counting from 1
    std::vector<std::string> fields;
};

/// Cuts a text into records. Quoted fields, CRLF, lone CR and a byte-order mark are understood (RFC
/// 4180); blank lines are passed over. Records may have different numbers of fields.
/// @throws FileError naming path and line of an unclosed quote or of text after a closing one
std::vector<CsvRecord> parse_csv(const std::string& path,
                                 std::string_view text,
                                 const CsvSyntax& syntax = {});

/// A CSV file with a header line, as text; the separator is a comma.
class CsvTable {
public:
    /// Reads the whole file.
    /// @throws FileError for a file that cannot be read or has no header, and as parse_csv; naming
    ///         the line of a record of another length than the header's
    explicit CsvTable(std::string path);

    /// As given.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// The header's fields, without spaces around them.
    [[nodiscard]] const std::vector<std::string>& column_names() const noexcept { return names_; }

    /// Rows below the header.
    [[nodiscard]] std::int64_t row_count() const noexcept {
        return static_cast<std::int64_t>(rows_.size());
    }

    /// The line of the file where a row begins; rows count from 0, lines from 1.
    [[nodiscard]] std::int64_t line_of(std::int64_t row) const {
        return rows_[static_cast<std::size_t>(row)].line;
    }

    /// Whether the header has this name (case counts).
    [[nodiscard]] bool has_column(const std::string& name) const noexcept;

    /// A column's fields, without spaces around them; of two columns of one name, the first.
    /// @throws FileError for an unknown column, listing those there are
    [[nodiscard]] std::vector<std::string> text_column(const std::string& name) const;
    /// Numbers; an empty field, NA, N/A, NaN or null, in any case, is NaN (missing).
    /// @throws FileError for an unknown column; naming line and column of a field that is no finite
    ///         number
    [[nodiscard]] std::vector<double> number_column(const std::string& name) const;

private:
    [[nodiscard]] std::size_t index_of(const std::string& name) const;

    std::string path_;
    std::vector<std::string> names_;
    std::vector<CsvRecord> rows_;
};

/// Continues a time column. Dates are continued by calendar months or years if they step so, by
/// weekdays if they leave out each weekend, and by days or seconds otherwise; numbers by their mean
/// step (they need not step evenly). Calendar months keep the time of day and the day of the month,
/// or use the last day of a month that is too short. Dates that are all at the end of their month
/// stay there.
class TimeAxis {
public:
    /// At least two labels, ascending: dates with or without a time of day, a fraction of a second
    /// and an offset from UTC, with names of months, quarters, dates as numbers (20240131, 202401),
    /// or numbers. docs/forecast.md lists the forms.
    /// @throws FileError naming the row that cannot be read or breaks the step (the header is row
    ///         1), or saying that day and month can be swapped
    TimeAxis(const std::string& path, const std::vector<std::string>& labels);

    /// Labels of the `count` steps after the last, in the form of the labels.
    [[nodiscard]] std::vector<std::string> next(std::int64_t count) const;
    /// Steps a year, a week or a day that the sampling suggests: 12 for months, 4 for quarters, 7
    /// for days, 5 for weekdays, 24 for hours, else 1.
    [[nodiscard]] std::int64_t season_length() const noexcept;

private:
    struct PUMICE_HIDDEN Reading;
    std::shared_ptr<const Reading> reading_;
};

}  // namespace data
}  // namespace pumice
