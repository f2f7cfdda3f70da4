// SPDX-License-Identifier: Apache-2.0
#include "pumice/data.h"
#include "pumice/error.h"
#include "pumice/io.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace pumice::data {

namespace {

// Splits text into records; the record's index counts from 1 for messages.
class CsvReader {
public:
    CsvReader(const std::string& path, const std::string& text) : path_(path), text_(text) {
        constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
        if (text.starts_with(kByteOrderMark)) {
            at_ = kByteOrderMark.size();
        }
    }

    // False at the end. Blank lines are passed over.
    bool next(std::vector<std::string>& fields) {
        while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) {
            ++at_;
        }
        fields.clear();
        if (at_ >= text_.size()) {
            return false;
        }
        ++row_;
        do {
            fields.push_back(read_field(fields.size() + 1));
        } while (take(','));
        take('\r');
        take('\n');
        return true;
    }

    [[nodiscard]] std::int64_t row() const noexcept { return row_; }

private:
    bool take(char wanted) {
        const bool is_there = at_ < text_.size() && text_[at_] == wanted;
        at_ += is_there ? 1 : 0;
        return is_there;
    }

    std::string read_field(std::size_t column) {
        if (take('"')) {
            return read_quoted(column);
        }
        const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
        std::string field = text_.substr(at_, end - at_);
        at_ = end;
        return field;
    }

    std::string read_quoted(std::size_t column) {
        std::string field;
        while (at_ < text_.size()) {
            const char letter = text_[at_++];
            if (letter != '"') {
                field += letter;
            } else if (take('"')) {
                field += '"';
            } else {
                check_field_end(column);
                return field;
            }
        }
        throw FileError(
            path_, fmt::format("row {}, column {}: a quoted field is not closed", row_, column));
    }

    void check_field_end(std::size_t column) const {
        if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\r' && text_[at_] != '\n') {
            throw FileError(path_,
                            fmt::format("row {}, column {}: '{}' follows a closing quote, wanted a "
                                        "comma or the end of the line",
                                        row_,
                                        column,
                                        text_[at_]));
        }
    }

    const std::string& path_;
    const std::string& text_;
    std::size_t at_ = 0;
    std::int64_t row_ = 0;
};

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string::npos
               ? std::string()
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_missing(const std::string& field) {
    std::string lower = field;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char letter) {
        return static_cast<char>(std::tolower(letter));
    });
    return lower.empty() || lower == "na" || lower == "nan" || lower == "null" || lower == "n/a";
}

}  // namespace

CsvTable::CsvTable(std::string path) : path_(std::move(path)) {
    const std::string text = io::read_file(path_);
    CsvReader reader(path_, text);
    if (!reader.next(names_)) {
        throw FileError(path_, "is empty, wanted a header line and rows");
    }
    for (std::string& name : names_) {
        name = trimmed(name);
    }
    std::vector<std::string> fields;
    while (reader.next(fields)) {
        if (fields.size() != names_.size()) {
            throw FileError(path_,
                            fmt::format("row {} has {} fields, the header has {}",
                                        reader.row(),
                                        fields.size(),
                                        names_.size()));
        }
        rows_.push_back(fields);
    }
}

bool CsvTable::has_column(const std::string& name) const noexcept {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
}

std::size_t CsvTable::index_of(const std::string& name) const {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) {
        throw FileError(
            path_,
            fmt::format("has no column '{}'; its columns are: {}", name, fmt::join(names_, ", ")));
    }
    return static_cast<std::size_t>(found - names_.begin());
}

std::vector<std::string> CsvTable::text_column(const std::string& name) const {
    const std::size_t index = index_of(name);
    std::vector<std::string> column;
    for (const std::vector<std::string>& row : rows_) {
        column.push_back(trimmed(row[index]));
    }
    return column;
}

std::vector<double> CsvTable::number_column(const std::string& name) const {
    const std::vector<std::string> texts = text_column(name);
    std::vector<double> numbers;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string& text = texts[i];
        if (is_missing(text)) {
            numbers.push_back(std::numeric_limits<double>::quiet_NaN());
            continue;
        }
        double number = 0.0;
        const char* begin = text.data() + (text.front() == '+' ? 1 : 0);
        const auto [end, failure] = std::from_chars(begin, text.data() + text.size(), number);
        if (failure != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
            // The header is row 1.
            throw FileError(
                path_,
                fmt::format("row {}, column '{}': '{}' is no finite number", i + 2, name, text));
        }
        numbers.push_back(number);
    }
    return numbers;
}

}  // namespace pumice::data
