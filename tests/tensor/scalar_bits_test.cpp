// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <limits>

using namespace pumice;
using test::check_throws;

TEST_CASE("Scalar: to_int truncates what int64 holds and refuses the rest") {
    CHECK(Scalar(-2.9).toLong() == -2);
    CHECK(Scalar(-2.9).toInt() == -2);
    CHECK(Scalar(0.1).toFloat() == 0.1F);
    CHECK(Scalar(0.5).toBool());
    CHECK(!Scalar(0).toBool());
    check_throws<DTypeError>([] { static_cast<void>(Scalar(std::int64_t{1} << 31).toInt()); },
                             "2147483648");
    CHECK(Scalar(true).toLong() == 1);
    CHECK(Scalar(-0x1p63).toLong() == std::numeric_limits<std::int64_t>::min());
    CHECK(Scalar(std::numeric_limits<std::int64_t>::max()).toLong() ==
          std::numeric_limits<std::int64_t>::max());
    using Double = std::numeric_limits<double>;
    for (const double value : {0x1p63, -0x1.0000000000001p63, 1e300, Double::infinity()}) {
        check_throws<DTypeError>([&] { static_cast<void>(Scalar(value).toLong()); },
                                 "[Scalar] int64 cannot hold the value");
    }
    check_throws<DTypeError>([] { static_cast<void>(Scalar(Double::quiet_NaN()).toLong()); },
                             "[Scalar] int64 cannot hold the value nan");
}

TEST_CASE("scalars that a dtype cannot hold are refused by name and value") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    check_throws<DTypeError>([&] { full({2}, nan, kInt32); },
                             "[full] int32 cannot hold the value nan");
    check_throws<DTypeError>(
        [&] {
            pad(zeros({2}, kInt8), {1, 1}, nan);
        },
        "[pad] int8 cannot hold the value nan");
    check_throws<DTypeError>([] { full({2}, 9007199254740993LL, kInt32); },
                             "[full] int32 cannot hold the value 9007199254740993");
}
