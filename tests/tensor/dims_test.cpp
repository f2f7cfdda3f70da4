// SPDX-License-Identifier: Apache-2.0
#include "pumice/dims.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <vector>

using namespace pumice;

TEST_CASE("dims: holds up to eight values") {
    const Dims dims{2, 3, 4};
    CHECK(dims.count() == 3);
    CHECK(dims[1] == 3);
    CHECK(dims.back() == 4);
    CHECK(numel(dims) == 24);
    CHECK(numel(Dims{}) == 1);
    CHECK(numel({5, 0}) == 0);
    CHECK(to_string(dims) == "[2, 3, 4]");
    CHECK(Dims::filled(2, 7) == Dims{7, 7});
    CHECK_FALSE(dims == Dims{2, 3});
}

TEST_CASE("dims: a ninth value is refused") {
    const std::vector<std::int64_t> nine(9, 1);
    test::check_throws<ShapeError>([&] { static_cast<void>(Dims(std::span(nine))); },
                                   "at most 8 dimensions; got 9");
    Dims eight = Dims::filled(8, 1);
    test::check_throws<ShapeError>([&] { eight.push_back(1); }, "at most 8 dimensions; got 9");
    CHECK(eight.count() == 8);
}

TEST_CASE("dims: insert and erase") {
    Dims dims{1, 3};
    dims.insert(1, 2);
    CHECK(dims == Dims{1, 2, 3});
    dims.insert(3, 4);
    CHECK(dims == Dims{1, 2, 3, 4});
    dims.erase(0);
    CHECK(dims == Dims{2, 3, 4});
    dims.pop_back();
    CHECK(dims == Dims{2, 3});
}
