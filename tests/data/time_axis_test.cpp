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

TEST_CASE("time axis: errors name the row") {
    test::check_throws<FileError>([] { TimeAxis("f.csv", {"2020-01"}); }, "wants two");
    test::check_throws<FileError>([] { TimeAxis("f.csv", {"2020-01", "soon"}); }, "row 3: 'soon'");
    test::check_throws<FileError>([] { TimeAxis("f.csv", {"2020-01-01", "2020-13-01"}); }, "row 3");
    test::check_throws<FileError>(
        [] {
            TimeAxis("f.csv", {"2020-01", "2020-02", "2020-04"});
        },
        "row 4: the time '2020-04' breaks the step");
}

}  // namespace pumice::data
