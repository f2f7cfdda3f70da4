// SPDX-License-Identifier: Apache-2.0
#include "series/series.h"

#include "pumice/error.h"

#include "support/harness.h"
#include "support/scratch.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace pumice::series {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// A file of tests/data/series and what is in it.
struct Kind {
    const char* file;
    const char* column;
    const char* time;
    const char* frequency;
    const char* first;
    const char* next;  // after the last
    std::vector<double> values;
    SeriesOptions options = {};
};

std::string path_of(const std::string& file) {
    return std::string(PUMICE_TEST_DATA_DIR) + "/series/" + file;
}

SeriesOptions with(const char* aggregate, const char* fill, const char* date_format = "") {
    SeriesOptions options;
    options.aggregate = aggregate;
    options.fill = fill;
    options.roles.date_format = date_format;
    return options;
}

void check(const Kind& kind) {
    INFO(kind.file);
    const Series series = read_series(path_of(kind.file), kind.options);
    CHECK(series.column == kind.column);
    CHECK(series.time == kind.time);
    CHECK(series.frequency() == kind.frequency);
    CHECK(series.first_label == kind.first);
    CHECK(series.label(series.values.size()) == kind.next);
    REQUIRE(series.values.size() == kind.values.size());
    for (std::size_t i = 0; i < kind.values.size(); ++i) {
        CHECK(((std::isnan(series.values[i]) && std::isnan(kind.values[i])) ||
               series.values[i] == kind.values[i]));
    }
}

void check_refused(const char* file, const std::string& text, const SeriesOptions& options = {}) {
    INFO(file);
    test::check_throws<Error>([&] { read_series(path_of(file), options); }, text);
}

}  // namespace

TEST_CASE("series: separators, marks in numbers, titles, headers, encodings") {
    const std::vector<Kind> kinds = {
        {"semicolon_decimal_comma.csv",
         "Umsatz",
         "Datum",
         "monthly",
         "2024-01",
         "2024-04",
         {1.5, 2.25, -3}},
        {"tab.tsv", "value", "date", "daily", "2024-01-01", "2024-01-04", {1.5, 2, 3}},
        {"bar.csv", "value", "date", "daily", "2024-01-01", "2024-01-04", {1.5, 2, 3}},
        {"thousands_quoted.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {1234.5, 12345, 999}},
        {"thousands_points.csv",
         "Wert",
         "Tag",
         "daily",
         "01.01.2024",
         "04.01.2024",
         {1234.5, 1012345, 12}},
        {"thousands_spaces.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {1234.5, 12345, 1000}},
        {"titles_comments.csv", "Amount", "Month", "monthly", "2024-01", "2024-04", {5, 6, 7}},
        {"commented_header.csv", "value", "date", "daily", "2024-01-01", "2024-01-04", {5, 6, 7}},
        {"unit_row.csv",
         "power",
         "time",
         "hourly",
         "2024-01-01 00:00",
         "2024-01-01 03:00",
         {5, 6, 7}},
        {"no_header.csv", "column 2", "column 1", "daily", "2024-01-01", "2024-01-04", {5, 6, 7}},
        {"no_header_values.csv", "column 1", "", "no time column", "1", "4", {5, 6, 7}},
        {"trailing_separators.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {5, 6, 7}},
        {"utf16le.csv", "größe", "date", "daily", "2024-01-01", "2024-01-04", {1.5, 2.5, 3.5}},
        {"utf16be.csv", "größe", "date", "daily", "2024-01-01", "2024-01-04", {1.5, 2.5, 3.5}},
        {"latin1.csv", "größe", "date", "daily", "2024-01-01", "2024-01-04", {1.5, 2.5, 3.5}},
        {"packed.csv.gz", "value", "date", "daily", "2024-01-01", "2024-01-04", {5, 6, 7}},
    };
    for (const Kind& kind : kinds) {
        check(kind);
    }
}

TEST_CASE("series: times by value, whatever they are called") {
    const std::vector<Kind> kinds = {
        {"epoch_seconds.csv", "value", "stamp", "hourly", "1700000000", "1700010800", {5, 6, 7}},
        {"epoch_milliseconds.csv",
         "value",
         "stamp",
         "daily",
         "1700006400000",
         "1700265600000",
         {5, 6, 7}},
        {"excel_days.csv", "value", "when", "daily", "45322", "45325", {5, 6, 7}},
        {"digits_day.csv", "y", "ds", "daily", "20230101", "20230104", {5, 6, 5}},
        {"digits_month.csv", "sales", "period", "monthly", "202311", "202402", {5, 6, 5}},
        {"row_numbers.csv", "sales", "n", "in steps of 1", "1", "4", {5, 6, 5}},
        {"row_numbers_zero.csv", "sales", "column 1", "in steps of 1", "0", "3", {5, 6, 5}},
        {"years.csv", "sales", "Jahr", "yearly", "1998", "2001", {5, 6, 5}},
        {"year_month.csv", "sales", "year month", "monthly", "2023-11", "2024-02", {5, 6, 7}},
        {"year_month_name.csv", "sales", "yr mo", "monthly", "2023-11", "2024-02", {5, 6, 7}},
        {"year_month_day.csv",
         "sales",
         "year month day",
         "daily",
         "2024-02-28",
         "2024-03-02",
         {5, 6, 7}},
        {"year_quarter.csv", "sales", "year quarter", "quarterly", "2023Q3", "2024Q2", {5, 6, 7}},
        {"date_clock.csv",
         "value",
         "date clock",
         "hourly",
         "2024-01-01 22:00",
         "2024-01-02 01:00",
         {5, 6, 7}},
        {"date_hour.csv",
         "value",
         "date hour",
         "hourly",
         "2024-01-01 23:00",
         "2024-01-02 02:00",
         {5, 6, 7}},
        {"id_beside.csv", "value", "date", "daily", "2024-01-01", "2024-01-04", {5, 6, 9}},
        {"quarters.csv", "value", "quarter", "quarterly", "2023-Q3", "2024-Q2", {5, 6, 7}},
        {"month_names.csv",
         "value",
         "month",
         "monthly",
         "November 2023",
         "February 2024",
         {5, 6, 7}},
        {"zone.csv",
         "value",
         "time",
         "hourly",
         "2024-01-01T22:00:00Z",
         "2024-01-02T01:00:00Z",
         {5, 6, 7}},
        {"fractions.csv",
         "value",
         "time",
         "every 0.25 seconds",
         "2024-01-01 00:00:00.000",
         "2024-01-01 00:00:00.750",
         {5, 6, 7}},
        {"offsets_dst.csv",
         "value",
         "time",
         "hourly",
         "2024-03-31T01:00:00+01:00",
         "2024-03-31T05:00:00+02:00",
         {5, 6, 7}},
        {"days_dst.csv",
         "value",
         "time",
         "daily",
         "2024-03-30T00:00:00+01:00",
         "2024-04-03T00:00:00+02:00",
         {5, 6, 7, 8}},
        {"day_first.csv", "value", "date", "daily", "30/01/2024", "02/02/2024", {5, 6, 7}},
        {"month_first.csv", "value", "date", "daily", "1/30/2024", "2/2/2024", {5, 6, 7}},
        {"day_or_month.csv",
         "value",
         "date",
         "daily",
         "01/02/2024",
         "04/02/2024",
         {5, 6, 7},
         with("", "", "%d/%m/%Y")},
        {"day_or_month.csv",
         "value",
         "date",
         "monthly",
         "01/02/2024",
         "04/02/2024",
         {5, 6, 7},
         with("", "", "%m/%d/%Y")},
    };
    for (const Kind& kind : kinds) {
        check(kind);
    }
    check_refused("day_or_month.csv", "--date-format '%d/%m/%Y' or '%m/%d/%Y'");
    check_refused("month_first.csv", "line 2: the time '1/30/2024'", with("", "", "%d/%m/%Y"));
    check_refused("quarters.csv", "wanted conversions of %Y", with("", "", "%Y-%K"));
}

TEST_CASE("series: rows out of order, twice, lacking") {
    const std::vector<Kind> kinds = {
        {"unsorted.csv", "value", "date", "daily", "2024-01-01", "2024-01-04", {5, 6, 7}},
        {"descending.csv", "value", "date", "daily", "2024-01-01", "2024-01-04", {5, 6, 7}},
        {"twice.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {5, 7, 7},
         with("mean", "")},
        {"twice.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {5, 14, 7},
         with("sum", "")},
        {"twice.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {5, 6, 7},
         with("first", "")},
        {"twice.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {5, 8, 7},
         with("last", "")},
        {"twice.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {5, 6, 7},
         with("min", "")},
        {"twice.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {5, 8, 7},
         with("max", "")},
        {"twice.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-04",
         {5, 7, 7},
         with("median", "")},
        {"gap.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-08",
         {5, kNone, 7, kNone, kNone, 10, 11},
         with("", "missing")},
        {"gap.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-08",
         {5, 0, 7, 0, 0, 10, 11},
         with("", "zero")},
        {"gap.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-08",
         {5, 5, 7, 7, 7, 10, 11},
         with("", "previous")},
        {"gap.csv",
         "value",
         "date",
         "daily",
         "2024-01-01",
         "2024-01-08",
         {5, 6, 7, 8, 9, 10, 11},
         with("", "linear")},
        {"month_gap.csv",
         "value",
         "month",
         "monthly",
         "2024-01",
         "2024-06",
         {5, 6, 7, 8, 9},
         with("", "linear")},
        {"weekdays.csv", "close", "date", "on weekdays", "2024-01-04", "2024-01-10", {5, 6, 7, 8}},
        {"local_dst.csv",
         "value",
         "time",
         "hourly",
         "2024-10-27 01:00",
         "2024-10-27 06:00",
         {5, 7, 9, 10, 11},
         with("mean", "linear")},
        {"missing.csv", "value", "date", "daily", "2024-01-01", "2024-01-04", {5, kNone, 7}},
    };
    for (const Kind& kind : kinds) {
        check(kind);
    }
    check_refused("twice.csv", "lines 3 and 4 have one time, '2024-01-02'; say --aggregate mean");
    check_refused("gap.csv", "line 5: before '2024-01-06' 2 times lack (daily); say --fill");
    check_refused("month_gap.csv", "line 4: before '2024-04' 1 times lack (monthly)");
    check_refused("twice.csv", "no such aggregate: 'mode'", with("mode", ""));
    check_refused("gap.csv", "no such fill: 'mean'", with("", "mean"));
    const Series series = read_series(path_of("descending.csv"), {});
    CHECK(series.notes == std::vector<std::string>{"the newest row came first; turned round"});
    CHECK(series.lines == std::vector<std::int64_t>{4, 3, 2});
}

TEST_CASE("series: files that are none are refused with their line") {
    const test::Scratch scratch;
    const auto refuse = [&](const std::string& text, const char* wanted) {
        INFO(text);
        const std::string path = scratch.write("a.csv", text);
        test::check_throws<Error>([&] { read_series(path, {}); }, wanted);
    };
    refuse("", "is empty");
    refuse("date,value\n", "has a header and no rows");
    refuse("date,value\n2024-01-01,5\n", "has 1 times, a time column wants two");
    refuse("a,b\n1,2\n1,2\n3\n", "line 4 has 1 fields, most rows have 2");
    refuse("date,value\n\n2024-01-01,5\n2024-01-02,x\n", "line 4, column 'value': 'x'");
    refuse("2024-01-01,x5\n2024-01-02,6\n2024-01-03,7\n", "line 1, column 'column 2': 'x5'");
    refuse("1,x5\n2,6\n3,7\n", "line 1 is neither a header nor a row");
    refuse("date,value\n2024-01-01,5\n2024-01-32,6\n2024-01-03,7\n",
           "line 3: the time '2024-01-32'");
    refuse("ds,y\n20240130,5\n20240131,6\n20240132,7\n",
           "line 4: the time '20240132' is none by '%Y%m%d'");
    refuse("date,value\n2024-W01,5\n2024-W02,6\n", "line 2: the time '2024-W01' is neither a date");
    refuse("ds,y\n20240101,5\n,6\n20240103,7\n", "line 3: the time ''");
    refuse(
        "date,value\n2024-01-01,5\n2024-01-02,6\n2024-01-03 12:00,7\n2024-01-04,8\n2024-01-05,8\n",
        "line 4: the time '2024-01-03 12:00' breaks the step of the others (daily)");
    refuse("t,value\n0,5\n1,6\n10.5,7\n", "line 4: the time '10.5' breaks the step");
    refuse("date,value\n2024-01-01,inf\n2024-01-02,6\n2024-01-03,7\n",
           "line 2, column 'value': 'inf'");
    refuse("date;value\n2024-01-01;1.234\n2024-01-02;5.678\n", "say --decimal");
    refuse("name\nx\ny\n", "there is no column of numbers");
    refuse("PK\x03\x04zip", "save the sheet as CSV");
    refuse("\x1F\x8B\x08", "the gzip file ends early");
    refuse("\x1F\x8B\x08 nonsense, not packed", "the gzip file is damaged");
    refuse(std::string("a\0b", 3), "it has bytes of 0");
    refuse(
        "\xFF\xFE"
        "a",
        "odd number of bytes");
    const std::string nowhere = scratch.path_below_file("x.csv");
    test::check_throws<FileError>([&] { read_series(nowhere, {}); }, nowhere);
}

TEST_CASE("series: options about the table") {
    const test::Scratch scratch;
    SeriesOptions options;
    options.roles.date_format = "%Y-W%m";
    const std::string weeks = scratch.write("w", "date,value\n2024-W01,5\n2024-W02,6\n");
    CHECK(read_series(weeks, options).label(2) == "2024-W03");
    options = {};
    options.roles.time = "none";
    CHECK(read_series(weeks, options).label(2) == "3");
    options.aggregate = "mean";
    test::check_throws<ArgumentError>([&] { read_series(weeks, options); }, "want a time column");
    options = {};
    options.table.has_header = false;
    options.table.separator = '|';
    CHECK(read_series(scratch.write("a", "7|x\n8|y\n"), options).values ==
          std::vector<double>{7, 8});
    options = {};
    options.roles.decimal = ',';
    const std::string path = scratch.write("b", "date;value\n2024-01;1.234\n2024-02;5.678\n");
    CHECK(read_series(path, options).values == std::vector<double>{1234, 5678});
    options.roles.decimal = '.';
    CHECK(read_series(path, options).values == std::vector<double>{1.234, 5.678});
}

TEST_CASE("series: what alone would set the scale is an outlier") {
    CHECK(find_outliers(read_series(path_of("outlier.csv"), {}).values) ==
          std::vector<std::size_t>{8});
    std::vector<double> values(150, 0.0);
    CHECK(find_outliers(values).empty());
    values[7] = 5.0;  // sales that are seldom
    CHECK(find_outliers(values).empty());
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<double>(i % 7);
    }
    CHECK(find_outliers(values).empty());
    values[3] = -1e6;
    values[99] = 1e5;
    values[50] = kNone;
    CHECK(find_outliers(values) == std::vector<std::size_t>{3, 99});
    values[10] = 1e5;
    values[11] = 1e5;
    values[12] = 1e5;  // more than one in fifty are no exception
    CHECK(find_outliers(values).empty());
    CHECK(find_outliers({1, 2, 1000}).empty());
    CHECK(find_outliers({}).empty());
}

}  // namespace pumice::series
