// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/reduction_reference.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace pumice;
using namespace pumice::test;

namespace {

double index_of_largest(const std::vector<double>& group) {
    return static_cast<double>(std::max_element(group.begin(), group.end()) - group.begin());
}

double index_of_smallest(const std::vector<double>& group) {
    return static_cast<double>(std::min_element(group.begin(), group.end()) - group.begin());
}

}  // namespace

TEST_CASE("argmax, argmin: reference over shapes; the first of equals wins" *
          doctest::test_suite("long")) {
    for (const Dims& sizes : {Dims{1},
                              Dims{7},
                              Dims{3, 257},
                              Dims{257, 3},
                              Dims{4, 5, 6},
                              Dims{2, 30011},
                              Dims{70001, 2}}) {
        for (std::int64_t dim = 0; dim < sizes.count(); ++dim) {
            CAPTURE(to_string(sizes));
            CAPTURE(dim);
            // Few distinct values: ties everywhere.
            const Tensor x = random_tensor(sizes, 0.0, 20.0, 9, kInt32);
            CHECK(argmax(x, dim).dtype() == kInt32);
            check_close(argmax(x, dim), reduced(x, {dim}, index_of_largest));
            check_close(argmin(x, dim), reduced(x, {dim}, index_of_smallest));
        }
        const Tensor x = random_tensor(sizes);
        check_close(argmax(x), reduced(x, {}, index_of_largest));
        check_close(argmin(x), reduced(x, {}, index_of_smallest));
    }
    for (const DType dtype : {kFloat32, kFloat16, kBFloat16, kInt8, kUInt8}) {
        CAPTURE(to_string(dtype));
        const Tensor x = random_tensor({11, 57}, 0.0, 20.0, 9, kInt32).to(dtype);
        check_close(argmax(x, 1), reduced(x, {1}, index_of_largest));
        check_close(argmin(x, 0), reduced(x, {0}, index_of_smallest));
    }
}

TEST_CASE("argmax, argmin: the first NaN wins; infinities") {
    for (const std::int64_t count : {8, 9000}) {
        std::vector<float> values = random_values(count);
        values[5] = NAN;
        values[7] = NAN;
        values[0] = INFINITY;
        values[1] = -INFINITY;
        const Tensor x = from_values<float>(values, {count}, kFloat32);
        CHECK(argmax(x).item() == 5);
        CHECK(argmin(x).item() == 5);
    }
    CHECK(argmax(full({5}, -INFINITY)).item() == 0);
    CHECK(argmin(full({5}, INFINITY)).item() == 0);
    CHECK(argmax(full({5}, -2147483647 - 1, kInt32)).item() == 0);
}

TEST_CASE("argmax: keepdim, views, modes") {
    const Tensor x = random_tensor({3, 4, 5});
    CHECK(argmax(x, 1).sizes() == Dims{3, 5});
    CHECK(argmax(x, 1, true).sizes() == Dims{3, 1, 5});
    CHECK(argmin(x, {}, true).sizes() == Dims{1, 1, 1});
    CHECK(argmin(x).sizes() == Dims{});
    const Tensor turned = permute(x, {2, 0, 1});
    check_close(argmax(turned), reduced(turned, {}, index_of_largest));
    check_close(argmax(turned, 0), reduced(turned, {0}, index_of_largest));
    CHECK(argmax(scalar_tensor(3.0)).item() == 0);
    check_modes([](const auto& in) { return argmax(in[0], 2); }, {x});
    check_modes([](const auto& in) { return argmin(in[0]); }, {x});
}

TEST_CASE("argmax, argmin: errors") {
    check_throws<ShapeError>(
        [] {
            argmax(zeros({2, 0}), 1);
        },
        "[argmax] each reduced dim must have an extent above 0");
    check_throws<ArgumentError>([] { argmin(zeros({2}), 1); },
                                "[argmin] dim must be in [-1, 1); got 1");
    check_throws<DTypeError>([] { argmax(zeros({2}, kBool)); },
                             "[argmax] x must have a numeric dtype; got x [2] bool");
}
