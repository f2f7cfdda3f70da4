// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "data/moment.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pumice::data {

/// What the labels of a time column are.
enum class TimeCoding : std::uint8_t {
    kText,  ///< a date by TimeFormat::pattern, and perhaps a time of day and an offset from UTC
    kExcelDays,
    kSeconds,
    kMilliseconds,
    kMicroseconds,
    kNanoseconds,
    kNumber  ///< no date: a row's number or another count
};

/// How labels are written. Of text, all but the pattern is learnt from labels.
struct TimeFormat {
    TimeCoding coding = TimeCoding::kText;
    /// As strftime's: %Y %y %m %d %j %b %B %q (quarter) %H %I %M %S (with a fraction) %p %z.
    std::string pattern;
    bool is_padded = true;  ///< months and days have two digits
    bool has_full_months = false;
    bool has_upper_months = false;
    int clock_fields = 0;  ///< behind the date: hour, minute, second
    std::string clock_separator = " ";
    bool is_clock_compact = false;  ///< 235959
    int fraction_digits = 0;
    std::string day_half;  ///< what is before AM or PM and one of them, or empty
    std::string zone;      ///< what is behind the clock, as written
    bool has_zone = false;
    int decimals = 0;  ///< of numbers
};

/// Reads a label by `format.pattern`. Nothing where it does not fit or is no date. What the label
/// tells about the format is added to `format`.
std::optional<Moment> read_label(std::string_view label, TimeFormat& format);

/// The label of a moment. The zone is the format's own: the moment has its offset.
std::string write_label(const TimeFormat& format, const Moment& moment);

/// @throws ArgumentError for a pattern with a conversion that is none of TimeFormat's, or none
void check_pattern(const std::string& pattern);

}  // namespace pumice::data
