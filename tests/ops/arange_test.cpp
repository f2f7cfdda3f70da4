// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

using namespace pumice;
using test::check_throws;

TEST_CASE("arange: integers") {
    CHECK(arange(5).to_vector<int>() == std::vector<int>{0, 1, 2, 3, 4});
    CHECK(arange(5).dtype() == kInt32);
    CHECK(arange(2, 9, 3).to_vector<int>() == std::vector<int>{2, 5, 8});
    CHECK(arange(3, -4, -3).to_vector<int>() == std::vector<int>{3, 0, -3});
    CHECK(arange(0).numel() == 0);
    CHECK(arange(4, 5, 1000000000000).to_vector<int>() == std::vector<int>{4});
    CHECK(arange(0, 7, 1, kInt8).to_vector<int>() == std::vector<int>{0, 1, 2, 3, 4, 5, 6});
    CHECK(arange(-2147483648LL, 2147483647, 4294967294LL).to_vector<std::int64_t>() ==
          std::vector<std::int64_t>{-2147483648LL, 2147483646});
    const auto many = arange(70001).to_vector<int>();
    CHECK(many[70000] == 70000);
    CHECK(arange(1.9, 4.9, 1.5, kInt32).to_vector<int>() == std::vector<int>{1, 2, 3});
}

TEST_CASE("arange: floats") {
    const Tensor x = arange(0, 1, 0.1);
    CHECK(x.dtype() == kFloat32);
    std::vector<double> wanted;
    for (int i = 0; i < 10; ++i) {
        wanted.push_back(0.1 * i);
    }
    test::check_close(x, wanted);
    CHECK(arange(3.0).to_vector<float>() == std::vector<float>{0, 1, 2});
    CHECK(arange(0, 2, 0.5, kFloat16).to_vector<float>() == std::vector<float>{0, 0.5, 1, 1.5});
    check_throws<ArgumentError>([] { arange(0.0, 1e-200, -1e-200); }, "[arange] step");
    check_throws<ArgumentError>([] { arange(1e-200, 0.0, 1e-200); }, "[arange] step");
    CHECK(arange(0.0, 1e-200, 1e-200).numel() == 1);
    CHECK(arange(1.0, 1.0, -1.0).numel() == 0);
    CHECK(arange(0, 2, 1, TensorOptions(kFloat32, true)).requires_grad());
}

TEST_CASE("arange: errors") {
    check_throws<ArgumentError>([] { arange(0, 1, 0); }, "[arange] step must be finite, not zero");
    check_throws<ArgumentError>([] { arange(0, 1, -1); }, "[arange] step");
    check_throws<ArgumentError>([] { arange(0, 1.0 / 0.0, 1); }, "[arange] step");
    check_throws<DTypeError>([] { arange(0, 2, 1, kBool); }, "[arange] dtype must be");
    check_throws<DTypeError>([] { arange(0, 300, 1, kUInt8); },
                             "[arange] uint8 cannot hold the value 299");
    check_throws<ShapeError>([] { arange(0.0, 1e10, 1.0); }, "[arange] at most");
}
