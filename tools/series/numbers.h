// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pumice::series {

/// A column of a table as numbers.
struct Numbers {
    std::vector<double> values;  ///< NaN where missing, or where the cell is no number
    std::size_t count = 0;       ///< cells that are numbers
    std::size_t misfit = 0;      ///< the first that is neither a number nor missing; else the rows
    char decimal = '.';          ///< mark before the fraction
    bool is_ambiguous = false;   ///< 1.234 or 1,234 throughout: a fraction or thousands
};

/// Whether a cell stands for a missing value: empty, NA, N/A, NaN, null, none, missing, '-' and '?'
/// and the like, in any case.
bool is_missing(std::string_view cell);

/// A finite number with `decimal` before its fraction; thousands are parted by the other mark, by
/// spaces or apostrophes, in threes. Nothing for any other text.
std::optional<double> parse_number(std::string_view cell, char decimal);

/// The cells with the mark that makes the most of them numbers, or with `decimal` unless it is
/// '\0'. Where both marks do and differ, the point counts in a table that is separated by commas;
/// else the column is ambiguous.
Numbers read_numbers(const std::vector<std::string>& cells, char separator, char decimal);

}  // namespace pumice::series
