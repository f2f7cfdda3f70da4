// SPDX-License-Identifier: Apache-2.0
#include "ops/reduce/reduction.h"

#include "pumice/error.h"

#include "support/harness.h"

#include <doctest/doctest.h>

using namespace pumice;
using namespace pumice::ops;
using pumice::test::check_throws;

TEST_CASE("reduction: no dims stand for all, negative ones count from the back") {
    CHECK(reduction_mask("sum", {}, 3) == 0b111);
    CHECK(reduction_mask("sum", {-1, 0}, 3) == 0b101);
    CHECK(reduction_mask("sum", {}, 0) == 0);
    CHECK(reduced_sizes({2, 3, 4}, 0b010, false) == Dims{2, 4});
    CHECK(reduced_sizes({2, 3, 4}, 0b010, true) == Dims{2, 1, 4});
    CHECK(reduced_numel({2, 3, 4}, 0b110) == 12);
}

TEST_CASE("reduction: wrong dims are refused") {
    check_throws<ArgumentError>(
        [] {
            reduction_mask("sum", {0, -2}, 2);
        },
        "[sum] each dim may appear once in dims; got [0, -2]");
    check_throws<ArgumentError>([] { reduction_mask("sum", {2}, 2); },
                                "[sum] dim must be in [-2, 2); got 2");
}
