// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace pumice::data {

inline constexpr std::int64_t kMicrosecondsASecond = 1'000'000;
inline constexpr std::int64_t kMicrosecondsADay = 86400 * kMicrosecondsASecond;

/// What a label of a time column stands for.
struct Moment {
    std::int64_t local_us = 0;   ///< since 1970 on the clock that wrote the label
    std::int64_t offset_us = 0;  ///< of that clock from UTC
    double number = 0.0;         ///< where the labels are plain numbers; the others are 0 then

    [[nodiscard]] std::int64_t utc_us() const noexcept { return local_us - offset_us; }
};

/// Days since 1970, rounded down.
inline std::int64_t day_of(std::int64_t us) noexcept {
    return us / kMicrosecondsADay - (us % kMicrosecondsADay < 0 ? 1 : 0);
}

inline std::int64_t us_of_day(std::int64_t us) noexcept {
    return us - day_of(us) * kMicrosecondsADay;
}

inline std::int64_t to_us(const std::chrono::year_month_day& date) noexcept {
    return std::chrono::sys_days(date).time_since_epoch().count() * kMicrosecondsADay;
}

inline std::chrono::year_month_day date_of(std::int64_t us) noexcept {
    return std::chrono::sys_days(std::chrono::days(static_cast<std::int32_t>(day_of(us))));
}

}  // namespace pumice::data
