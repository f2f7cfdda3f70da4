// SPDX-License-Identifier: Apache-2.0
// Patterns of times: how one label is read and written.
#include "data/time_format.h"

#include "pumice/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cmath>
#include <utility>

namespace pumice::data {

namespace {

constexpr std::array<std::string_view, 12> kMonths = {"January",
                                                      "February",
                                                      "March",
                                                      "April",
                                                      "May",
                                                      "June",
                                                      "July",
                                                      "August",
                                                      "September",
                                                      "October",
                                                      "November",
                                                      "December"};

// Of RFC 822 and of Europe; hours from UTC.
constexpr std::array<std::pair<std::string_view, int>, 20> kZones = {
    {{"Z", 0},    {"UTC", 0},  {"GMT", 0},  {"WET", 0},  {"WEST", 1}, {"BST", 1},  {"CET", 1},
     {"CEST", 2}, {"EET", 2},  {"EEST", 3}, {"MSK", 3},  {"JST", 9},  {"EST", -5}, {"EDT", -4},
     {"CST", -6}, {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}}};

constexpr std::string_view kConversions = "YymdjbBqHIMSpz";

char lower(char letter) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
}

bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

bool is_letter(char letter) {
    return std::isalpha(static_cast<unsigned char>(letter)) != 0;
}

bool starts_alike(std::string_view text, std::string_view word) {
    return text.size() >= word.size() &&
           std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) {
               return lower(a) == lower(b);
           });
}

// What a label says before it is a moment.
struct Parts {
    int year = 1970;
    unsigned month = 1;
    unsigned day = 1;
    int day_of_year = 0;
    int hour = 0;
    int minute = 0;
    std::int64_t second_us = 0;
    int half = 0;  ///< 1 AM, 2 PM
    std::int64_t offset_s = 0;

    [[nodiscard]] std::optional<Moment> moment() const;
};

std::optional<Moment> Parts::moment() const {
    const std::chrono::year_month_day date{
        std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    const bool is_twelve = half != 0;
    // 24:00 is the end of the day.
    const bool is_clock = is_twelve ? hour >= 1 && hour <= 12
                                    : hour < 24 || (hour == 24 && minute == 0 && second_us == 0);
    if (!date.ok() || !is_clock || minute > 59 || second_us >= 60 * kMicrosecondsASecond ||
        day_of_year > (date.year().is_leap() ? 366 : 365)) {
        return std::nullopt;
    }
    const int full_hour = is_twelve ? hour % 12 + (half == 2 ? 12 : 0) : hour;
    Moment moment;
    moment.local_us = to_us(date) + std::max(day_of_year - 1, 0) * kMicrosecondsADay +
                      (full_hour * 3600LL + minute * 60LL) * kMicrosecondsASecond + second_us;
    moment.offset_us = offset_s * kMicrosecondsASecond;
    return moment;
}

class LabelReader {
public:
    LabelReader(std::string_view label, TimeFormat& format) : text_(label), format_(format) {}

    // Whether the whole label is a date by the pattern, with or without a clock behind it.
    bool read() {
        const std::string_view pattern = format_.pattern;
        bool has_day = false;
        bool has_clock = false;
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            if (pattern[i] != '%') {
                if (!read_literal(pattern[i])) {
                    return false;
                }
                continue;
            }
            const char code = pattern[++i];
            // Digits without anything between them have all their places.
            const bool is_exact = i + 1 < pattern.size() && pattern[i + 1] == '%';
            const bool is_after = i >= 3 && pattern[i - 3] == '%';
            if (!read_code(code, is_exact || is_after)) {
                return false;
            }
            has_day = has_day || code == 'd' || code == 'j';
            has_clock = has_clock || code == 'H' || code == 'I';
        }
        if (!text_.empty() && has_day && !has_clock && !read_clock()) {
            return false;
        }
        return text_.empty();
    }

    [[nodiscard]] const Parts& parts() const noexcept { return parts_; }

private:
    bool take(char wanted) {
        if (text_.empty() || lower(text_[0]) != lower(wanted)) {
            return false;
        }
        text_.remove_prefix(1);
        return true;
    }

    bool read_literal(char letter) {
        if (!take(letter)) {
            return false;
        }
        while (letter == ' ' && take(' ')) {
        }
        return true;
    }

    template <typename Number>
    bool read_digits(int least, int most, Number& number) {
        int count = 0;
        std::int64_t value = 0;
        while (count < most && !text_.empty() && is_digit(text_[0])) {
            value = value * 10 + (text_[0] - '0');
            text_.remove_prefix(1);
            ++count;
        }
        number = static_cast<Number>(value);
        return count >= least;
    }

    bool read_code(char code, bool is_exact) {
        switch (code) {
            case 'Y': return read_digits(4, 4, parts_.year);
            case 'y':
                if (!read_digits(2, 2, parts_.year)) {
                    return false;
                }
                parts_.year += parts_.year < 69 ? 2000 : 1900;  // as POSIX
                return true;
            case 'm': return read_padded(is_exact, parts_.month);
            case 'd': return read_padded(is_exact, parts_.day);
            case 'j': return read_digits(3, 3, parts_.day_of_year) && parts_.day_of_year > 0;
            case 'b':
            case 'B': return read_month_name();
            case 'q':
                return read_digits(1, 1, parts_.month) && parts_.month >= 1 && parts_.month <= 4 &&
                       (parts_.month = parts_.month * 3 - 2) != 0;
            case 'H':
            case 'I': return read_digits(is_exact ? 2 : 1, 2, parts_.hour);
            case 'M': return read_digits(2, 2, parts_.minute);
            case 'S': return read_second();
            case 'p': return read_half();
            default: return read_zone();
        }
    }

    bool read_padded(bool is_exact, unsigned& number) {
        const std::size_t before = text_.size();
        if (!read_digits(is_exact ? 2 : 1, 2, number)) {
            return false;
        }
        if (before - text_.size() == 1) {
            format_.is_padded = false;
        }
        return true;
    }

    bool read_month_name() {
        std::size_t length = 0;
        while (length < text_.size() && is_letter(text_[length])) {
            ++length;
        }
        for (unsigned month = 0; month < kMonths.size(); ++month) {
            const std::string_view name = kMonths[month];
            const bool is_full = length == name.size();
            const bool is_short = length == 3 || (length == 4 && starts_alike(text_, "sept"));
            if ((is_full || is_short) && length <= name.size() &&
                starts_alike(text_, name.substr(0, length))) {
                format_.has_full_months = format_.has_full_months || (is_full && length > 3);
                format_.has_upper_months = std::isupper(static_cast<unsigned char>(text_[1])) != 0;
                parts_.month = month + 1;
                text_.remove_prefix(length);
                take('.');
                return true;
            }
        }
        return false;
    }

    bool read_second() {
        std::int64_t second = 0;
        if (!read_digits(2, 2, second)) {
            return false;
        }
        parts_.second_us = second * kMicrosecondsASecond;
        const bool has_fraction =
            text_.size() > 1 && (text_[0] == '.' || text_[0] == ',') && is_digit(text_[1]);
        if (!has_fraction) {
            return true;
        }
        text_.remove_prefix(1);
        const std::size_t before = text_.size();
        std::int64_t unit = kMicrosecondsASecond;
        while (!text_.empty() && is_digit(text_[0])) {
            unit /= 10;
            parts_.second_us += (text_[0] - '0') * unit;
            text_.remove_prefix(1);
        }
        format_.fraction_digits =
            std::max(format_.fraction_digits, static_cast<int>(before - text_.size()));
        return true;
    }

    bool read_half() {
        const std::string_view before = text_;
        take(' ');
        parts_.half = starts_alike(text_, "am") ? 1 : (starts_alike(text_, "pm") ? 2 : 0);
        if (parts_.half == 0) {
            text_ = before;
            return false;
        }
        text_.remove_prefix(2);
        format_.day_half = before.substr(0, before.size() - text_.size());
        return true;
    }

    bool read_zone() {
        const std::string_view before = text_;
        take(' ');
        if (!read_zone_name() && !read_offset()) {
            text_ = before;
            return false;
        }
        format_.zone = before.substr(0, before.size() - text_.size());
        format_.has_zone = true;
        return true;
    }

    bool read_zone_name() {
        std::size_t length = 0;
        while (length < text_.size() && is_letter(text_[length])) {
            ++length;
        }
        for (const auto& [name, hours] : kZones) {
            if (name.size() == length && starts_alike(text_, name)) {
                parts_.offset_s = hours * 3600LL;
                text_.remove_prefix(length);
                return true;
            }
        }
        return false;
    }

    bool read_offset() {
        const int sign = take('+') ? 1 : (take('-') ? -1 : 0);
        int hours = 0;
        int minutes = 0;
        if (sign == 0 || !read_digits(2, 2, hours)) {
            return false;
        }
        const bool has_colon = take(':');
        const bool has_minutes = has_colon || (!text_.empty() && is_digit(text_[0]));
        if ((has_minutes && !read_digits(2, 2, minutes)) || hours > 15 || minutes > 59) {
            return false;
        }
        parts_.offset_s = sign * (hours * 3600LL + minutes * 60LL);
        return true;
    }

    // T or spaces, hh[:mm[:ss[.fraction]]] or hhmm[ss], AM or PM, a zone.
    bool read_clock() {
        const std::string_view before = text_;
        take(',');
        if (!take('T') && !take(' ')) {
            return false;
        }
        while (take(' ')) {
        }
        format_.clock_separator = before.substr(0, before.size() - text_.size());
        if (!read_digits(1, 2, parts_.hour)) {
            return false;
        }
        format_.clock_fields = 1;
        format_.is_clock_compact = !text_.empty() && is_digit(text_[0]);
        if (take(':') || format_.is_clock_compact) {
            if (!read_digits(2, 2, parts_.minute)) {
                return false;
            }
            format_.clock_fields = 2;
            const bool has_second =
                format_.is_clock_compact ? !text_.empty() && is_digit(text_[0]) : take(':');
            if (has_second) {
                if (!read_second()) {
                    return false;
                }
                format_.clock_fields = 3;
            }
        }
        read_half();
        return text_.empty() || read_zone();
    }

    std::string_view text_;
    TimeFormat& format_;
    Parts parts_;
};

std::string month_name(const TimeFormat& format, unsigned month) {
    std::string name(kMonths[month - 1]);
    if (!format.has_full_months) {
        name.resize(3);
    }
    if (format.has_upper_months) {
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char letter) {
            return static_cast<char>(std::toupper(letter));
        });
    }
    return name;
}

std::string write_second(const TimeFormat& format, std::int64_t of_minute_us) {
    std::string text = fmt::format("{:02}", of_minute_us / kMicrosecondsASecond);
    if (format.fraction_digits > 0) {
        std::string digits = fmt::format("{:06}", of_minute_us % kMicrosecondsASecond);
        digits.resize(static_cast<std::size_t>(format.fraction_digits), '0');
        text += "." + digits;
    }
    return text;
}

std::string write_half(const TimeFormat& format, std::int64_t hour) {
    std::string text = format.day_half;
    const bool is_lower = text.back() == 'm';
    text[text.size() - 2] = hour < 12 ? (is_lower ? 'a' : 'A') : (is_lower ? 'p' : 'P');
    return text;
}

// One conversion of the pattern.
std::string write_code(const TimeFormat& format, char code, std::int64_t us) {
    const std::chrono::year_month_day date = date_of(us);
    const auto year = static_cast<int>(date.year());
    const auto month = static_cast<unsigned>(date.month());
    const auto day = static_cast<unsigned>(date.day());
    const std::int64_t minutes = us_of_day(us) / (60 * kMicrosecondsASecond);
    const auto padded = [&](unsigned number) {
        return fmt::format("{:0{}}", number, format.is_padded ? 2 : 1);
    };
    switch (code) {
        case 'Y': return fmt::format("{:04}", year);
        case 'y': return fmt::format("{:02}", year % 100);
        case 'm': return padded(month);
        case 'd': return padded(day);
        case 'j':
            return fmt::format(
                "{:03}",
                day_of(us) -
                    day_of(to_us(date.year() / std::chrono::January / std::chrono::day(1))) + 1);
        case 'b':
        case 'B': return month_name(format, month);
        case 'q': return fmt::format("{}", (month + 2) / 3);
        case 'H': return fmt::format("{:02}", minutes / 60);
        case 'I': return fmt::format("{:02}", (minutes / 60 + 11) % 12 + 1);
        case 'M': return fmt::format("{:02}", minutes % 60);
        case 'S': return write_second(format, us_of_day(us) % (60 * kMicrosecondsASecond));
        case 'p': return write_half(format, minutes / 60);
        default: return format.zone;
    }
}

std::string write_text(const TimeFormat& format, std::int64_t us) {
    std::string text;
    for (std::size_t i = 0; i < format.pattern.size(); ++i) {
        const char letter = format.pattern[i];
        text +=
            letter == '%' ? write_code(format, format.pattern[++i], us) : std::string(1, letter);
    }
    if (format.clock_fields == 0) {
        return text;
    }
    const std::string colon = format.is_clock_compact ? "" : ":";
    text += format.clock_separator + write_code(format, format.day_half.empty() ? 'H' : 'I', us);
    text += format.clock_fields > 1 ? colon + write_code(format, 'M', us) : "";
    text += format.clock_fields > 2 ? colon + write_code(format, 'S', us) : "";
    text += format.day_half.empty() ? "" : write_code(format, 'p', us);
    return text + format.zone;
}

// Whole numbers have no fraction; others are rounded to the decimals that the labels have.
std::string write_number(double number, int decimals) {
    const double unit = std::pow(10.0, decimals);
    const double rounded = std::round(number * unit) / unit;
    return fmt::format("{}", std::isfinite(rounded) ? rounded : number);
}

}  // namespace

std::optional<Moment> read_label(std::string_view label, TimeFormat& format) {
    TimeFormat learnt = format;
    LabelReader reader(label, learnt);
    std::optional<Moment> moment = reader.read() ? reader.parts().moment() : std::nullopt;
    if (moment) {
        format = std::move(learnt);
    }
    return moment;
}

std::string write_label(const TimeFormat& format, const Moment& moment) {
    constexpr std::int64_t kExcelEpochDays = 25569;  // 1970-01-01
    constexpr int kExcelDecimals = 8;                // a millisecond
    switch (format.coding) {
        case TimeCoding::kText: return write_text(format, moment.local_us);
        case TimeCoding::kExcelDays:
            return write_number(
                static_cast<double>(moment.local_us) / static_cast<double>(kMicrosecondsADay) +
                    static_cast<double>(kExcelEpochDays),
                kExcelDecimals);
        case TimeCoding::kSeconds:
            return write_number(
                static_cast<double>(moment.local_us) / static_cast<double>(kMicrosecondsASecond),
                format.decimals);
        case TimeCoding::kMilliseconds: return fmt::format("{}", moment.local_us / 1000);
        case TimeCoding::kMicroseconds: return fmt::format("{}", moment.local_us);
        case TimeCoding::kNanoseconds: return fmt::format("{}000", moment.local_us);
        default: return write_number(moment.number, format.decimals);
    }
}

void check_pattern(const std::string& pattern) {
    bool has_conversion = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            continue;
        }
        ++i;
        if (i == pattern.size() || kConversions.find(pattern[i]) == std::string_view::npos) {
            throw ArgumentError("date format",
                                fmt::format("wanted conversions of %Y %y %m %d %j %b %B %q %H %I "
                                            "%M %S %p %z; got '{}'",
                                            pattern));
        }
        has_conversion = true;
    }
    if (!has_conversion) {
        throw ArgumentError("date format",
                            fmt::format("wanted a conversion such as %Y; got '{}'", pattern));
    }
}

}  // namespace pumice::data
