// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// Tables and time columns.
namespace pumice::data {

/// A CSV file with a header line, as text. Quoted fields, CRLF and a byte-order mark are understood
/// (RFC 4180); the separator is a comma, blank lines are passed over and not counted as rows.
class CsvTable {
public:
    /// Reads the whole file.
    /// @throws FileError for a file that cannot be read or has no header; naming the row (the header
    ///         is row 1) of an unclosed quote, of text after a closing one, or of another length
    ///         than the header's
    explicit CsvTable(std::string path);

    /// As given.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// The header's fields, without spaces around them.
    [[nodiscard]] const std::vector<std::string>& column_names() const noexcept { return names_; }

    /// Rows below the header.
    [[nodiscard]] std::int64_t row_count() const noexcept {
        return static_cast<std::int64_t>(rows_.size());
    }

    /// Whether the header has this name (case counts).
    [[nodiscard]] bool has_column(const std::string& name) const noexcept;

    /// A column's fields, without spaces around them; of two columns of one name, the first.
    /// @throws FileError for an unknown column, listing those there are
    [[nodiscard]] std::vector<std::string> text_column(const std::string& name) const;
    /// Numbers; an empty field, NA, N/A, NaN or null, in any case, is NaN (missing).
    /// @throws FileError for an unknown column; naming row and column of a field that is no finite
    ///         number
    [[nodiscard]] std::vector<double> number_column(const std::string& name) const;

private:
    [[nodiscard]] std::size_t index_of(const std::string& name) const;

    std::string path_;
    std::vector<std::string> names_;
    std::vector<std::vector<std::string>> rows_;
};

/// Continues a time column: by calendar months or years where the dates step so, by days or
/// seconds else, by the mean step for numeric columns (which need not step evenly). Calendar months
/// keep the time of day and the day, which is the month's last where a month is too short; dates
/// that are all at the end of their month stay there.
class TimeAxis {
public:
    /// Dates as YYYY-MM, YYYY-MM-DD or YYYY-MM-DD[T ]hh:mm[:ss]; or numbers; at least two.
    /// @throws FileError naming the row that cannot be read or breaks the step
    TimeAxis(const std::string& path, const std::vector<std::string>& labels);

    /// Labels of the `count` steps after the last, in the format of the last row.
    [[nodiscard]] std::vector<std::string> next(std::int64_t count) const;
    /// Steps a year or a week that the sampling suggests: 12 for months, 4 for quarters, 7 for
    /// days, 24 for hours, else 1.
    [[nodiscard]] std::int64_t season_length() const noexcept;

private:
    enum class Unit : std::uint8_t { kMonths, kSeconds, kNumber };
    enum class Format : std::uint8_t { kMonth, kDay, kMinute, kSecond, kNumber };

    void read_dates(const std::string& path, const std::vector<std::string>& labels);
    [[nodiscard]] std::string label(std::int64_t days, std::int64_t seconds_of_day) const;

    Unit unit_ = Unit::kNumber;
    Format format_ = Format::kNumber;
    char separator_ = ' ';
    std::int64_t last_ = 0;            ///< months since year 0 or seconds since 1970
    unsigned day_of_month_ = 1;        ///< of monthly dates; 31 stands for the last
    std::int64_t seconds_of_day_ = 0;  ///< of monthly dates
    std::int64_t step_ = 1;
    double last_number_ = 0.0;
    double number_step_ = 1.0;
};

}  // namespace pumice::data
