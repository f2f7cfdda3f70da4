// SPDX-License-Identifier: Apache-2.0
#include "vk/timings.h"

#include <doctest/doctest.h>

#include <string>

namespace pumice::vk {
namespace {

TEST_CASE("timings: ticks become microseconds from the first") {
    TickClock clock(64, 2.0);
    CHECK(clock.microseconds(UINT64_MAX - 499) == 0.0);
    CHECK(clock.microseconds(UINT64_MAX) == doctest::Approx(0.998));
    CHECK(clock.microseconds(0) == doctest::Approx(1.0));  // around the end of 64 bits
    CHECK(clock.microseconds(500) == doctest::Approx(2.0));
}

TEST_CASE("timings: a counter of 36 bits wraps, and what is above it does not count") {
    constexpr std::uint64_t kTurn = std::uint64_t{1} << 36U;
    constexpr std::uint64_t kRubbish = std::uint64_t{0xABC} << 40U;
    TickClock clock(36, 1.0);
    CHECK(clock.microseconds(kTurn - 1000) == 0.0);
    CHECK(clock.microseconds(1000 + kRubbish) == doctest::Approx(2.0));
    CHECK(clock.microseconds(500) == doctest::Approx(1.5));  // a bit before the last
    CHECK(clock.microseconds(kTurn - 2000) == doctest::Approx(-1.0));
    double position_us = -1.0;
    std::uint64_t ticks = kTurn - 2000;
    for (int i = 0; i < 10; ++i) {  // over three turns, in steps below half of one
        ticks += kTurn / 3;
        position_us += static_cast<double>(kTurn / 3) * 1e-3;
        CHECK(clock.microseconds(ticks % kTurn) == doctest::Approx(position_us));
    }
}

TEST_CASE("timings: labels are cut to fit and end in a zero") {
    CHECK(std::string(to_label_text("softmax").data()) == "softmax");
    CHECK(std::string(to_label_text("").data()).empty());
    CHECK(std::string(to_label_text(std::string(200, 'x')).data()) == std::string(63, 'x'));
}

}  // namespace
}  // namespace pumice::vk
