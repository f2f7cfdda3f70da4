// SPDX-License-Identifier: Apache-2.0
#include "pumice/host_tensor.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace pumice;

namespace {

template <class Target, class Source>
std::vector<Target> convert(const std::vector<Source>& values, HostDType source, HostDType target) {
    std::vector<Target> out(values.size());
    convert_host(reinterpret_cast<const std::byte*>(values.data()),
                 source,
                 reinterpret_cast<std::byte*>(out.data()),
                 target,
                 static_cast<std::int64_t>(values.size()));
    return out;
}

double half_value(std::uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const int mantissa = bits & 1023;
    const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
    if (exponent == 31) {
        return mantissa != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
    }
    return exponent == 0 ? sign * std::ldexp(mantissa, -24)
                         : sign * std::ldexp(1024 + mantissa, exponent - 25);
}

}  // namespace

TEST_CASE("host_convert: every half widens to its value and comes back") {
    std::vector<std::uint16_t> bits(65536);
    for (std::size_t i = 0; i < bits.size(); ++i) {
        bits[i] = static_cast<std::uint16_t>(i);
    }
    const auto wide = convert<float>(bits, HostDType::kF16, HostDType::kF32);
    const auto back = convert<std::uint16_t>(wide, HostDType::kF32, HostDType::kF16);
    int wrong = 0;
    for (std::size_t i = 0; i < bits.size(); ++i) {
        const double wanted = half_value(bits[i]);
        if (std::isnan(wanted)) {
            wrong += std::isnan(wide[i]) && std::isnan(half_value(back[i])) ? 0 : 1;
        } else {
            wrong += wide[i] == wanted && back[i] == bits[i] ? 0 : 1;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("host_convert: halves round to nearest, ties to even") {
    // Between 1 and its successor 1 + 2^-10: a tie, above and below it; then an odd tie.
    const std::vector<double> values = {1.0 + 0x1p-11,
                                        1.0 + 0x1p-11 + 0x1p-40,
                                        1.0 + 0x1p-11 - 0x1p-40,
                                        1.0 + 3 * 0x1p-11,
                                        65519.9,
                                        65520.0,
                                        0x1p-25,
                                        0x1p-25 + 0x1p-60,
                                        -0.0};
    const std::vector<std::uint16_t> wanted = {
        0x3c00, 0x3c01, 0x3c00, 0x3c02, 0x7bff, 0x7c00, 0x0000, 0x0001, 0x8000};
    CHECK(convert<std::uint16_t>(values, HostDType::kF64, HostDType::kF16) == wanted);
}

TEST_CASE("host_convert: bfloat16 rounds to nearest, ties to even, and NaN stays NaN") {
    const std::vector<float> values = {1.0F + 0x1p-8F,
                                       1.0F + 3 * 0x1p-8F,
                                       1.0F + 0x1p-8F + 0x1p-20F,
                                       std::numeric_limits<float>::max(),
                                       std::bit_cast<float>(0x7f800001U)};
    const auto got = convert<std::uint16_t>(values, HostDType::kF32, HostDType::kBF16);
    CHECK(got[0] == 0x3f80);
    CHECK(got[1] == 0x3f82);
    CHECK(got[2] == 0x3f81);
    CHECK(got[3] == 0x7f80);
    CHECK((got[4] & 0x7fffU) > 0x7f80U);
    const auto wide = convert<float>(got, HostDType::kBF16, HostDType::kF32);
    CHECK(wide[2] == 1.0078125F);
}

TEST_CASE("host_convert: an int64 that int32 cannot hold is named") {
    std::vector<std::int64_t> values = {0, -2147483648LL, 2147483647LL, 3, 4, 3000000000LL};
    test::check_throws<DTypeError>(
        [&] { convert<std::int32_t>(values, HostDType::kI64, HostDType::kI32); },
        "element 5 is 3000000000, which int32 cannot hold");
    values.pop_back();
    const auto got = convert<std::int32_t>(values, HostDType::kI64, HostDType::kI32);
    CHECK(got[1] == std::numeric_limits<std::int32_t>::min());
    CHECK(got[2] == std::numeric_limits<std::int32_t>::max());
}

TEST_CASE("host_convert: floats truncate toward zero, what does not fit is named") {
    const std::vector<float> values = {1.9F, -1.9F, 127.9F, -128.9F};
    const auto got = convert<std::int8_t>(values, HostDType::kF32, HostDType::kI8);
    CHECK(got == std::vector<std::int8_t>{1, -1, 127, -128});
    test::check_throws<DTypeError>(
        [] {
            convert<std::int8_t>(std::vector<float>{0.0F, 128.0F}, HostDType::kF32, HostDType::kI8);
        },
        "element 1 is 128, which int8 cannot hold");
    test::check_throws<DTypeError>(
        [] {
            convert<std::int32_t>(
                std::vector<double>{std::nan("")}, HostDType::kF64, HostDType::kI32);
        },
        "element 0 is nan");
    test::check_throws<DTypeError>(
        [] {
            convert<std::uint8_t>(std::vector<std::int32_t>{-1}, HostDType::kI32, HostDType::kU8);
        },
        "element 0 is -1, which uint8 cannot hold");
}

TEST_CASE("host_convert: booleans become 0 and 1, from any byte") {
    const std::vector<std::uint8_t> bytes = {0, 1, 2, 255};
    const std::vector<std::uint8_t> wanted = {0, 1, 1, 1};
    CHECK(convert<std::uint8_t>(bytes, HostDType::kBoolean, HostDType::kBoolean) == wanted);
    CHECK(convert<float>(bytes, HostDType::kBoolean, HostDType::kF32)[3] == 1.0F);
    CHECK(convert<std::uint8_t>(std::vector<float>{0.0F, 0.5F, -0.0F},
                                HostDType::kF32,
                                HostDType::kBoolean) == std::vector<std::uint8_t>{0, 1, 0});
}

TEST_CASE("host_convert: float64 rounds once to float32") {
    const std::vector<double> values = {1.0 / 3.0, 1e300, -1e-300};
    const auto got = convert<float>(values, HostDType::kF64, HostDType::kF32);
    CHECK(got[0] == static_cast<float>(1.0 / 3.0));
    CHECK(std::isinf(got[1]));
    CHECK(got[2] == 0.0F);
    convert_host(nullptr, HostDType::kF64, nullptr, HostDType::kF32, 0);
}
