// SPDX-License-Identifier: Apache-2.0
// Which text is a record, a field, a missing value, and what a malformed line is told.
#include "pumice/data.h"
#include "pumice/error.h"
#include "pumice/io.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

namespace pumice::data {

namespace {

class CsvReader {
public:
    CsvReader(const std::string& path, std::string_view text, const CsvSyntax& syntax)
        : path_(path), text_(text), syntax_(syntax), field_end_{syntax.separator, '\r', '\n'} {
        constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
        if (text.starts_with(kByteOrderMark)) {
            at_ = kByteOrderMark.size();
        }
    }

    // False at the end. Blank and comment lines are passed over.
    bool next(CsvRecord& record) {
        while (take_line_end() || take_comment()) {
        }
        record = {.line = line_, .fields = {}};
        if (at_ >= text_.size()) {
            return false;
        }
        do {
            record.fields.push_back(read_field(record.fields.size() + 1));
        } while (take(syntax_.separator));
        take_line_end();
        return true;
    }

private:
    bool take(char wanted) {
        const bool is_there = at_ < text_.size() && text_[at_] == wanted;
        at_ += is_there ? 1 : 0;
        return is_there;
    }

    bool take_line_end() {
        const bool has_return = take('\r');
        if (!take('\n') && !has_return) {
            return false;
        }
        ++line_;
        return true;
    }

    bool take_comment() {
        if (syntax_.comment == '\0' || !take(syntax_.comment)) {
            return false;
        }
        at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
        return true;
    }

    std::string read_field(std::size_t column) {
        if (take('"')) {
            return read_quoted(column);
        }
        const std::size_t end = std::min(
            text_.find_first_of(std::string_view(field_end_.data(), field_end_.size()), at_),
            text_.size());
        std::string field(text_.substr(at_, end - at_));
        at_ = end;
        return field;
    }

    std::string read_quoted(std::size_t column) {
        const std::int64_t first_line = line_;
        std::string field;
        while (at_ < text_.size()) {
            const std::size_t begin = at_;
            if (take_line_end()) {
                field += text_.substr(begin, at_ - begin);
                continue;
            }
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
            path_,
            fmt::format("line {}, column {}: a quoted field is not closed", first_line, column));
    }

    void check_field_end(std::size_t column) const {
        if (at_ < text_.size() &&
            std::find(field_end_.begin(), field_end_.end(), text_[at_]) == field_end_.end()) {
            throw FileError(path_,
                            fmt::format("line {}, column {}: '{}' follows a closing quote, wanted "
                                        "'{}' or the end of the line",
                                        line_,
                                        column,
                                        text_[at_],
                                        syntax_.separator));
        }
    }

    const std::string& path_;
    std::string_view text_;
    CsvSyntax syntax_;
    std::array<char, 3> field_end_;
    std::size_t at_ = 0;
    std::int64_t line_ = 1;
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

std::vector<CsvRecord> parse_csv(const std::string& path,
                                 std::string_view text,
                                 const CsvSyntax& syntax) {
    CsvReader reader(path, text, syntax);
    std::vector<CsvRecord> records;
    for (CsvRecord record; reader.next(record);) {
        records.push_back(std::move(record));
    }
    return records;
}

CsvTable::CsvTable(std::string path) : path_(std::move(path)) {
    rows_ = parse_csv(path_, io::read_file(path_));
    if (rows_.empty()) {
        throw FileError(path_, "is empty, wanted a header line and rows");
    }
    for (const std::string& name : rows_[0].fields) {
        names_.push_back(trimmed(name));
    }
    rows_.erase(rows_.begin());
    for (const CsvRecord& row : rows_) {
        if (row.fields.size() != names_.size()) {
            throw FileError(path_,
                            fmt::format("line {} has {} fields, the header has {}",
                                        row.line,
                                        row.fields.size(),
                                        names_.size()));
        }
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
    for (const CsvRecord& row : rows_) {
        column.push_back(trimmed(row.fields[index]));
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
            throw FileError(
                path_,
                fmt::format(
                    "line {}, column '{}': '{}' is no finite number", rows_[i].line, name, text));
        }
        numbers.push_back(number);
    }
    return numbers;
}

}  // namespace pumice::data
