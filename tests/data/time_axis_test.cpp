// SPDX-License-Identifier: Apache-2.0
#include "pumice/data.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice::data {

using Labels = std::vector<std::string>;

TEST_CASE("time axis: months, quarters, days, hours and numbers go on") {
    CHECK(TimeAxis("f", {"1960-11", "1960-12"}).next(2) == Labels{"1961-01", "1961-02"});
    CHECK(TimeAxis("f", {"1960-11", "1960-12"}).season_length() == 12);
    const TimeAxis quarters("f", {"2020-07-01", "2020-10-01"});
    CHECK(quarters.next(1) == Labels{"2021-01-01"});
    CHECK(quarters.season_length() == 4);
    const TimeAxis days("f", {"2024-02-27", "2024-02-28"});
    CHECK(days.next(2) == Labels{"2024-02-29", "2024-03-01"});
    CHECK(days.season_length() == 7);
    const TimeAxis hours("f", {"1969-12-31T22:00", "1969-12-31T23:00"});
    CHECK(hours.next(1) == Labels{"1970-01-01T00:00"});
    CHECK(hours.season_length() == 24);
    CHECK(TimeAxis("f", {"1.5", "2.0", "2.5"}).next(1) == Labels{"3"});
    CHECK(TimeAxis("f", {"1959", "1960"}).season_length() == 1);
}

TEST_CASE("time axis: calendar months keep the time of day") {
    const TimeAxis minutes("f", {"2020-01-01 05:00", "2020-02-01 05:00"});
    CHECK(minutes.next(1) == Labels{"2020-03-01 05:00"});
    CHECK(minutes.season_length() == 12);
    CHECK(TimeAxis("f", {"2020-11-15T23:59:58", "2020-12-15T23:59:58"}).next(1) ==
          Labels{"2021-01-15T23:59:58"});
    // Times that differ are no calendar months, but 31 days and an hour.
    CHECK(TimeAxis("f", {"2020-01-01 05:00", "2020-02-01 06:00"}).next(1) ==
          Labels{"2020-03-03 07:00"});
}

TEST_CASE("time axis: months that are too short have their last day") {
    CHECK(TimeAxis("f", {"2020-07-31", "2020-08-31"}).next(3) ==
          Labels{"2020-09-30", "2020-10-31", "2020-11-30"});
    CHECK(TimeAxis("f", {"2019-12-30", "2020-01-30"}).next(2) ==
          Labels{"2020-02-29", "2020-03-30"});
    // Month ends stay month ends, whatever day the rows have.
    const TimeAxis ends("f", {"2021-01-31", "2021-02-28", "2021-03-31", "2021-04-30"});
    CHECK(ends.next(2) == Labels{"2021-05-31", "2021-06-30"});
    CHECK(ends.season_length() == 12);
    CHECK(TimeAxis("f", {"2020-06-30", "2020-09-30"}).next(2) ==
          Labels{"2020-12-31", "2021-03-31"});
    CHECK(TimeAxis("f", {"2020-01-30", "2020-02-29", "2020-03-30"}).next(1) ==
          Labels{"2020-04-30"});
    CHECK(TimeAxis("f", {"2022-02-28", "2023-02-28"}).next(1) == Labels{"2024-02-29"});
    CHECK(TimeAxis("f", {"2021-01-31", "2021-02-28", "2021-03-28"}).next(1) ==
          Labels{"2021-04-25"});
}

TEST_CASE("time axis: labels go on in their own form") {
    struct Case {
        Labels labels;
        Labels next;
        std::int64_t season;
    };

    const std::vector<Case> cases = {
        {{"20230130", "20230131"}, {"20230201", "20230202"}, 7},
        {{"20230130.0", "20230131.0"}, {"20230201"}, 7},
        {{"202311", "202312"}, {"202401"}, 12},
        {{"20231231230000", "20240101000000"}, {"20240101010000"}, 24},
        {{"1959", "1960"}, {"1961", "1962"}, 1},
        {{"1700000000", "1700003600"}, {"1700007200"}, 24},
        {{"1700000000.25", "1700003600.25"}, {"1700007200.25"}, 24},
        {{"1700006400000", "1700092800000"}, {"1700179200000"}, 7},
        {{"1700006400000000000", "1700092800000000000"}, {"1700179200000000000"}, 7},
        {{"45322", "45323"}, {"45324"}, 7},
        {{"45322.25", "45322.5"}, {"45322.75"}, 1},
        {{"44957", "44985", "45016"}, {"45046"}, 12},  // the ends of three months
        {{"0", "1", "2"}, {"3", "4"}, 1},
        {{"0.1", "0.2", "0.3"}, {"0.4", "0.5"}, 1},
        {{"2024Q3", "2024Q4"}, {"2025Q1"}, 4},
        {{"Q3 2024", "Q4 2024"}, {"Q1 2025"}, 4},
        {{"Jan 2024", "Feb 2024"}, {"Mar 2024", "Apr 2024"}, 12},
        {{"JAN-24", "FEB-24"}, {"MAR-24"}, 12},
        {{"31 January 2024", "29 February 2024"}, {"31 March 2024"}, 12},
        {{"March 1, 2024", "April 1, 2024"}, {"May 1, 2024"}, 12},
        {{"30.01.2024", "31.01.2024"}, {"01.02.2024"}, 7},
        {{"30.1.2024", "31.1.2024"}, {"1.2.2024"}, 7},
        {{"30/01/2024", "31/01/2024"}, {"01/02/2024"}, 7},
        {{"1/30/2024", "1/31/2024"}, {"2/1/2024"}, 7},
        {{"1/30/24 11:00 PM", "1/31/24 12:00 AM"}, {"1/31/24 01:00 AM"}, 24},
        {{"11/2023", "12/2023"}, {"01/2024"}, 12},
        {{"2024-01-31T23:00Z", "2024-02-01T00:00Z"}, {"2024-02-01T01:00Z"}, 24},
        {{"2024-01-01 00:00:00.5 UTC", "2024-01-01 00:00:01.0 UTC"},
         {"2024-01-01 00:00:01.5 UTC"},
         1},
        {{"20240101T2300", "20240102T0000"}, {"20240102T0100"}, 24},
        // The clock goes forward; hours do not, days do.
        {{"2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00"}, {"2024-03-31T04:00+02:00"}, 24},
        // A weekend is left out.
        {{"2024-01-04", "2024-01-05", "2024-01-08"}, {"2024-01-09", "2024-01-10"}, 5},
        {{"2024-01-11",
          "2024-01-12",
          "2024-01-15",
          "2024-01-16",
          "2024-01-17",
          "2024-01-18",
          "2024-01-19"},
         {"2024-01-22"},
         5},
    };
    for (const Case& each : cases) {
        INFO(each.labels[0]);
        const TimeAxis axis("f", each.labels);
        CHECK(axis.next(static_cast<std::int64_t>(each.next.size())) == each.next);
        CHECK(axis.season_length() == each.season);
    }
}

TEST_CASE("time axis: day and month that can be swapped are refused") {
    test::check_throws<FileError>(
        [] {
            TimeAxis("f", {"01/02/2024", "02/02/2024"});
        },
        "fits %d/%m/%Y and %m/%d/%Y");
    test::check_throws<FileError>([] { TimeAxis("f", {"1-2-2024", "2-2-2024"}); }, "fits");
    CHECK(TimeAxis("f", {"01/02/2024", "13/02/2024"}).next(1) == Labels{"25/02/2024"});
}

TEST_CASE("time axis: errors name the row") {
    test::check_throws<FileError>([] { TimeAxis("f.csv", {"2020-01"}); }, "wants two");
    test::check_throws<FileError>(
        [] {
            TimeAxis("f.csv", {"2020-01", "soon"});
        },
        "row 3: the time 'soon'");
    test::check_throws<FileError>([] { TimeAxis("f.csv", {"2020-01-01", "2020-13-01"}); }, "row 3");
    test::check_throws<FileError>(
        [] {
            TimeAxis("f.csv", {"2020-01", "2020-02", "2020-04"});
        },
        "row 4: the time '2020-04' breaks the step");
    Labels labels;
    for (int month = 0; month < 60; ++month) {
        labels.push_back(std::to_string(2000 + month / 12) + (month % 12 < 9 ? "-0" : "-") +
                         std::to_string(month % 12 + 1));
    }
    labels.erase(labels.begin() + 40);
    test::check_throws<FileError>([&] { TimeAxis("f.csv", labels); },
                                  "row 42: the time '2003-06' breaks the step");
}

}  // namespace pumice::data
