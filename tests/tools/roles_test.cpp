// SPDX-License-Identifier: Apache-2.0
#include "series/roles.h"

#include "pumice/error.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice::series {

namespace {

// "time columns -> value", or the refusal.
std::string decide(const std::string& text, const RoleOptions& options = {}) {
    const Table table = make_table("f", text);
    const Roles roles = choose_roles(table, options);
    std::string decision;
    for (const std::size_t index : roles.time) {
        decision += table.names[index] + " ";
    }
    return decision + "-> " + table.names[roles.value];
}

}  // namespace

TEST_CASE("roles: the time and the value by what is in the columns") {
    struct Case {
        const char* text;
        const char* decision;
    };

    const std::vector<Case> cases = {
        {"y\n1\n2\n3\n", "-> y"},
        {"a,b\n2024-01-01,5\n2024-01-02,7\n", "a -> b"},
        {"b,a\n5,2024-01-01\n7,2024-01-02\n", "a -> b"},
        {"ds,y\n20230101,5\n20230102,6\n20230103,5\n", "ds -> y"},
        {"a,b\n20230101,5\n20230102,6\n", "a -> b"},
        {"b,a\n5,202301\n6,202302\n", "a -> b"},
        {"a,b\n1700000000,5\n1700003600,9\n1700007200,7\n", "a -> b"},
        {"a,b\n1700000000.5,5\n1700003600.5,9\n1700007200.5,7\n", "a -> b"},
        {"a,b\n1700006400000,5\n1700092800000,9\n1700179200000,7\n", "a -> b"},
        {"a,b\n45322,5\n45323,9\n45324,7\n", "a -> b"},
        {"a,b\n45322,5\n45351,9\n45382,7\n", "a -> b"},  // ends of months
        {"a,b\n45324,5\n45322,9\n45323,7\n", "a -> b"},  // not in order
        {"a,b\n1998,5\n1999,9\n2000,7\n", "a -> b"},
        {"a,b\n0,5\n1,9\n2,7\n", "a -> b"},
        {"a,b\n1,5\n2,9\n3,7\n", "a -> b"},
        {"a,b\n0.5,5\n1.0,9\n1.5,7\n", "a -> b"},  // the only even one
        {"t,b\n0,5\n1.1,9\n1.9,7\n", "t -> b"},    // called so
        {"a,b\n1,10\n2,20\n3,30\n", "a -> b"},     // row numbers before even ones
        {"year,month,sales\n2023,1,5\n2023,2,6\n2023,3,7\n", "year month -> sales"},
        {"a,b,c\n2022,12,5\n2023,1,9\n2023,2,7\n", "a b -> c"},
        {"year,month,sales\n2023,1,5\n2023,3,9\n2023,4,7\n", "year month -> sales"},  // a gap
        {"sales,day,month,year\n5,30,12,2022\n9,31,12,2022\n7,1,1,2023\n",
         "year month day -> sales"},
        {"year,quarter,sales\n2022,3,5\n2022,4,9\n2023,1,7\n", "year quarter -> sales"},
        {"year,q,sales\n2022,Q3,5\n2022,Q4,9\n2023,Q1,7\n", "year q -> sales"},
        {"date,time,value\n2024-01-01,23:00,5\n2024-01-02,00:00,9\n", "date time -> value"},
        {"date,hour,load\n2024-01-01,0,5\n2024-01-01,1,9\n", "date hour -> load"},
        {"date,hour,load\n2024-01-01,7,5\n2024-01-02,9,9\n2024-01-03,8,7\n", "date -> load"},
        {"date,pause,load\n2024-01-01 10:00,00:30,5\n2024-01-01 11:00,00:15,9\n", "date -> load"},
        {"date,year,month,load\n2024-01,2024,1,5\n2024-02,2024,2,9\n", "date -> load"},
        {"Unnamed: 0,date,load\n0,2024-01,5\n1,2024-02,9\n", "date -> load"},
        {"date,stamp,load\n2024-01-01,1704067200,5\n2024-01-02,1704153600,9\n2024-01-03,1704240000,"
         "6\n",
         "date -> load"},
        {"date,store,load\n2024-01,7,5\n2024-02,7,9\n", "date -> load"},
        {"date,store_id,load\n2024-01,7,5\n2024-02,8,9\n", "date -> load"},
        {"date,y,rain\n2024-01,7,5\n2024-02,8,9\n", "date -> y"},
        {"date,name,load\n2024-01,a,5\n2024-02,b,9\n", "date -> load"},
        {"date,load\n2024-01,1\n2024-02,2\n2024-03,3\n", "date -> load"},  // counts up, but is all
        {"date,price\n2024-01,45322\n2024-02,45323\n2024-03,45324\n", "date -> price"},
    };
    for (const Case& each : cases) {
        INFO(each.text);
        CHECK(decide(each.text) == each.decision);
    }
}

TEST_CASE("roles: what is not certain is refused with what is there") {
    const auto refuse = [](const char* text, const char* wanted) {
        INFO(text);
        test::check_throws<FileError>([&] { decide(text); }, wanted);
    };
    refuse("a,b\n3,5\n1,9\n2,7\n",
           "[f] it is not certain which column to forecast, choose with --column; the columns are: "
           "'a': numbers, 1 to 3; 'b': numbers, 5 to 9");
    refuse("date,open,close\n2024-01,5,6\n2024-02,9,8\n", "which column to forecast");
    refuse("date,store,item,sales\n2024-01,1,1,6\n2024-01,1,2,8\n2024-02,1,1,9\n",
           "which column to forecast");
    refuse("begin,end,load\n2024-01-01,2024-01-02,5\n2024-01-02,2024-01-03,9\n",
           "which column is the time, choose with --time; the columns are: 'begin': dates, "
           "2024-01-01 to 2024-01-02");
    refuse("a,b\n1,1\n2,2\n3,3\n", "which column is the time");
    refuse("a,b\n0.5,10\n1,20\n1.5,30\n", "which column is the time");
    refuse("a,b\n20230101,20230102\n20230102,20230103\n", "which column is the time");
    // Numbers thrown about are no dates, though they lie where dates do.
    refuse("a,b\n30123,5\n71234,9\n45678,7\n", "which column to forecast");
    refuse("a,b\n1600000000,5\n1512345678,9\n1699999999,7\n", "which column to forecast");
    refuse("Month,1958,1959\nJAN,340,360\nFEB,318,342\n",
           "the columns are: 'Month': months, JAN to FEB; '1958': numbers, 318 to 340; '1959'");
    refuse("a\nx\ny\n", "there is no column of numbers to forecast");
}

TEST_CASE("roles: columns asked for by name or number") {
    const auto asked = [](const char* column, const char* time = "") {
        RoleOptions options;
        options.column = column;
        options.time = time;
        return options;
    };
    const std::string text = "date,open,close\n2024-01,5,6\n2024-02,9,8\n";
    CHECK(decide(text, asked("close")) == "date -> close");
    CHECK(decide(text, asked("3")) == "date -> close");
    CHECK(decide(text, asked("close", "open")) == "open -> close");
    CHECK(decide(text, asked("close", "none")) == "-> close");
    test::check_throws<FileError>([&] { decide(text, asked("high")); },
                                  "there is no column 'high'; the columns are: 'date': dates");
    test::check_throws<FileError>([&] { decide(text, asked("4")); }, "there is no column '4'");
    test::check_throws<FileError>([&] { decide("a,a\n1,2\n1,2\n", asked("a")); },
                                  "2 columns are called 'a'");
}

}  // namespace pumice::series
