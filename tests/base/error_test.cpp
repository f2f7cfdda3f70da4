// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"

#include "pumice/data.h"

#include "series/series.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <string_view>

using namespace pumice;

namespace {

std::string text_of(std::string_view message) {
    return ArgumentError("op", message).what();
}

}  // namespace

TEST_CASE("error: a message longer than a screen is cut between characters") {
    CHECK(text_of(std::string(2000, 'a')) == "[op] " + std::string(2000, 'a'));
    CHECK(text_of(std::string(5000, 'a')) ==
          "[op] " + std::string(2000, 'a') + " ... (3000 more bytes)");
    std::string greek = "a";
    for (int i = 0; i < 2000; ++i) {
        greek += "\u03b1";  // two bytes each
    }
    CHECK(text_of(greek) == "[op] " + greek.substr(0, 1999) + " ... (2002 more bytes)");
    CHECK(text_of(std::string(3000, '\x80')) == "[op]  ... (3000 more bytes)");
}

TEST_CASE("error: a file of many columns is refused in a few lines") {
    const std::string path = PUMICE_TEST_DATA_DIR "/fuzz/csv/many_columns";
    const auto length_of = [](const std::function<void()>& read) {
        try {
            read();
        } catch (const Error& error) {
            return std::string_view(error.what()).size();
        }
        return std::size_t{0};
    };
    for (const std::size_t length :
         {length_of([&] { static_cast<void>(data::CsvTable(path).text_column("missing")); }),
          length_of([&] { static_cast<void>(series::read_series(path, {})); })}) {
        CHECK(length > 0);
        CHECK(length < 2500);
    }
}
