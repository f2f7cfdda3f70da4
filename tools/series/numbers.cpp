// SPDX-License-Identifier: Apache-2.0
#include "series/numbers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace pumice::series {

namespace {

constexpr std::array<std::string_view, 13> kMissing = {
    "", "na", "n/a", "#n/a", "nan", "null", "nil", "none", "missing", "-", "--", ".", "?"};

// Spaces that do not break lines, and the typographic apostrophe.
constexpr std::array<std::string_view, 5> kGroupMarks = {" ", "'", "\u00A0", "\u202F", "\u2019"};

bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

std::size_t digit_count(std::string_view text) {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) {
        ++count;
    }
    return count;
}

// The mark that the text begins with and that may part thousands; empty if none.
std::string_view group_mark(std::string_view text, char decimal) {
    if (text.starts_with(decimal == '.' ? ',' : '.')) {
        return text.substr(0, 1);
    }
    for (const std::string_view mark : kGroupMarks) {
        if (text.starts_with(mark)) {
            return text.substr(0, mark.size());
        }
    }
    return {};
}

// Moves the whole part's digits to `plain`; false where the groups are not of three.
bool take_whole_part(std::string_view& text, char decimal, std::string& plain) {
    const std::size_t first = digit_count(text);
    plain += text.substr(0, first);
    text.remove_prefix(first);
    const std::string_view mark = group_mark(text, decimal);
    if (mark.empty()) {
        return true;
    }
    if (first == 0 || first > 3) {
        return false;
    }
    while (text.starts_with(mark)) {
        text.remove_prefix(mark.size());
        if (digit_count(text) != 3) {
            return false;
        }
        plain += text.substr(0, 3);
        text.remove_prefix(3);
    }
    return true;
}

Numbers read_with(const std::vector<std::string>& cells, char decimal) {
    Numbers numbers;
    numbers.decimal = decimal;
    numbers.misfit = cells.size();
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const auto number = parse_number(cells[i], decimal);
        numbers.values.push_back(number.value_or(std::numeric_limits<double>::quiet_NaN()));
        numbers.count += number ? 1 : 0;
        if (!number && !is_missing(cells[i])) {
            numbers.misfit = std::min(numbers.misfit, i);
        }
    }
    return numbers;
}

bool is_same(const Numbers& a, const Numbers& b) {
    return std::equal(
        a.values.begin(), a.values.end(), b.values.begin(), b.values.end(), [](double x, double y) {
            return x == y || (std::isnan(x) && std::isnan(y));
        });
}

}  // namespace

bool is_missing(std::string_view cell) {
    std::string lower(cell);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char letter) {
        return static_cast<char>(std::tolower(letter));
    });
    return std::find(kMissing.begin(), kMissing.end(), lower) != kMissing.end();
}

std::optional<double> parse_number(std::string_view cell, char decimal) {
    constexpr std::string_view kMinusSign = "\u2212";
    std::string plain;
    if (cell.starts_with('-') || cell.starts_with(kMinusSign)) {
        plain = "-";
        cell.remove_prefix(cell[0] == '-' ? 1 : kMinusSign.size());
    } else if (cell.starts_with('+')) {
        cell.remove_prefix(1);
    }
    const bool begins = !cell.empty() && (is_digit(cell[0]) || cell[0] == decimal);
    if (!begins || !take_whole_part(cell, decimal, plain)) {
        return std::nullopt;
    }
    if (cell.starts_with(decimal)) {
        plain += '.';
        cell.remove_prefix(1);
    }
    plain += cell;
    double number = 0.0;
    const char* end = plain.data() + plain.size();
    const auto [stop, failure] = std::from_chars(plain.data(), end, number);
    return failure == std::errc() && stop == end && std::isfinite(number)
               ? std::optional<double>(number)
               : std::nullopt;
}

Numbers read_numbers(const std::vector<std::string>& cells, char separator, char decimal) {
    if (decimal != '\0') {
        return read_with(cells, decimal);
    }
    Numbers point = read_with(cells, '.');
    Numbers comma = read_with(cells, ',');
    if (point.count != comma.count) {
        return point.count > comma.count ? point : comma;
    }
    point.is_ambiguous = separator != ',' && !is_same(point, comma);
    return point;
}

}  // namespace pumice::series
