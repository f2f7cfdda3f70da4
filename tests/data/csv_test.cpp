// SPDX-License-Identifier: Apache-2.0
#include "pumice/data.h"
#include "pumice/io.h"

#include "support/harness.h"
#include "support/scratch.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>

namespace pumice::data {

TEST_CASE("csv: quotes, CRLF, byte-order mark and missing values") {
    const test::Scratch scratch;
    const std::string path =
        scratch.write("a.csv", "\xEF\xBB\xBFname,value\r\n\"a, \"\"b\"\"\",1.5\r\nc,NA\nd,\n");
    const CsvTable table(path);
    CHECK(table.column_names() == std::vector<std::string>{"name", "value"});
    CHECK(table.text_column("name") == std::vector<std::string>{"a, \"b\"", "c", "d"});
    const std::vector<double> values = table.number_column("value");
    CHECK(values[0] == 1.5);
    CHECK(std::isnan(values[1]));
    CHECK(std::isnan(values[2]));
}

TEST_CASE("csv: errors name file, row and column") {
    const test::Scratch scratch;
    const std::string nowhere = scratch.path_below_file("x.csv");
    test::check_throws<FileError>([&] { CsvTable{nowhere}; }, nowhere);
    test::check_throws<FileError>([&] { CsvTable(scratch.write("empty.csv", "")); }, "is empty");
    test::check_throws<FileError>([&] { CsvTable(scratch.write("short.csv", "a,b\n1,2\n3\n")); },
                                  "line 3 has 1 fields, the header has 2");
    test::check_throws<FileError>([&] { CsvTable(scratch.write("open.csv", "a\n\"1\n")); },
                                  "not closed");
    test::check_throws<FileError>([&] { CsvTable(scratch.write("open.csv", "a,b\n1,\"2\n")); },
                                  "line 2, column 2: a quoted field is not closed");
    for (const char* line : {"\"1\"2", "3,\"1\"2", "\"1\" ,3", "\"1\"\"\"2,3"}) {
        INFO(line);
        const std::string path = scratch.write("after.csv", std::string("a,b\n5,6\n") + line);
        test::check_throws<FileError>([&] { CsvTable{path}; }, path + "] line 3, column ");
        test::check_throws<FileError>([&] { CsvTable{path}; }, "follows a closing quote");
    }
    test::check_throws<FileError>([&] { CsvTable(scratch.write("head.csv", "a,\"b\"c\n1,2\n")); },
                                  "line 1, column 2: 'c' follows a closing quote");
    const CsvTable table(scratch.write("bad.csv", "a,b\n1,2\n1,x7\n"));
    test::check_throws<FileError>([&] { table.number_column("c"); },
                                  "no column 'c'; its columns are: a, b");
    test::check_throws<FileError>([&] { table.number_column("b"); },
                                  "line 3, column 'b': 'x7' is no finite number");
    const CsvTable infinite(scratch.write("inf.csv", "a\ninf\n"));
    test::check_throws<FileError>([&] { infinite.number_column("a"); }, "line 2");
}

TEST_CASE("csv: lines are the file's, whatever lies between the rows") {
    const std::vector<CsvRecord> records =
        parse_csv("f",
                  "\r\n# it's 5\" wide\na;b\r\n\"1\r\n2\";x\n\n3;#4\r5;6",
                  {.separator = ';', .comment = '#'});
    REQUIRE(records.size() == 4);
    CHECK(records[0].line == 3);
    CHECK(records[1].line == 4);
    CHECK(records[1].fields == std::vector<std::string>{"1\r\n2", "x"});
    CHECK(records[2].line == 7);
    CHECK(records[2].fields == std::vector<std::string>{"3", "#4"});
    CHECK(records[3].line == 8);
    const test::Scratch scratch;
    const CsvTable table(scratch.write("a.csv", "a\n\n1\n\n\nx\n"));
    CHECK(table.line_of(1) == 6);
    test::check_throws<FileError>([&] { table.number_column("a"); }, "line 6, column 'a'");
}

}  // namespace pumice::data
