// SPDX-License-Identifier: Apache-2.0
#include "series/table.h"

#include "pumice/error.h"

#include "data/time_reading.h"
#include "series/numbers.h"
#include "series/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

namespace pumice::series {

namespace {

using data::CsvRecord;

constexpr char kComment = '#';
constexpr std::size_t kMostTitles = 20;  // above a table, a row each

std::string trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t";
    const auto first = text.find_first_not_of(kBlank);
    return first == std::string_view::npos
               ? std::string()
               : std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

// The commonest length of the records; of two, the larger.
std::size_t common_width(const std::vector<CsvRecord>& records) {
    std::map<std::size_t, std::size_t> counts;
    for (const CsvRecord& record : records) {
        ++counts[record.fields.size()];
    }
    const auto most = std::max_element(
        counts.rbegin(), counts.rend(), [](auto a, auto b) { return a.second < b.second; });
    return most == counts.rend() ? 0 : most->first;
}

std::size_t title_count(const std::vector<CsvRecord>& records, std::size_t width) {
    std::size_t count = 0;
    while (count < records.size() && count < kMostTitles && records[count].fields.size() != width) {
        ++count;
    }
    return count;
}

// Empty fields past the table's width are what programs leave behind.
void trim_width(std::vector<CsvRecord>& records, std::size_t width) {
    for (CsvRecord& record : records) {
        while (record.fields.size() > width && trimmed(record.fields.back()).empty()) {
            record.fields.pop_back();
        }
    }
}

struct Cut {
    char separator = ',';
    std::vector<CsvRecord> records;
    std::size_t width = 0;
    double share = 0.0;  ///< of the rows below the titles, those of the table's width
};

Cut cut_by(const std::string& path, const std::string& text, char separator) {
    Cut cut;
    cut.separator = separator;
    cut.records = data::parse_csv(path, text, {.separator = separator, .comment = kComment});
    cut.width = common_width(cut.records);
    trim_width(cut.records, cut.width);
    const std::size_t titles = title_count(cut.records, cut.width);
    const auto fitting =
        std::count_if(cut.records.begin() + static_cast<std::ptrdiff_t>(titles),
                      cut.records.end(),
                      [&](const CsvRecord& record) { return record.fields.size() == cut.width; });
    cut.share = cut.records.size() == titles ? 0.0
                                             : static_cast<double>(fitting) /
                                                   static_cast<double>(cut.records.size() - titles);
    return cut;
}

// A comma is tried last: it is also in decimals, dates and titles.
Cut find_cut(const std::string& path, const std::string& text) {
    constexpr std::array kOthers = {'\t', ';', '|'};
    std::optional<Cut> best;
    for (const char separator : kOthers) {
        if (text.find(separator) == std::string::npos) {
            continue;
        }
        try {
            Cut cut = cut_by(path, text, separator);
            if (cut.width > 1 && (!best || cut.share > best->share)) {
                best = std::move(cut);
            }
        } catch (const FileError&) {
            continue;  // quotes that do not fit this separator
        }
    }
    if (best && best->share == 1.0) {
        return *std::move(best);
    }
    Cut comma = cut_by(path, text, ',');
    const bool is_comma = !best || (comma.width > 1 && comma.share >= best->share);
    return is_comma ? std::move(comma) : *std::move(best);
}

enum class CellKind : std::uint8_t { kMissing, kNumber, kDate, kText };

CellKind kind_of(const std::string& cell) {
    if (is_missing(cell)) {
        return CellKind::kMissing;
    }
    if (parse_number(cell, '.') || parse_number(cell, ',')) {
        return CellKind::kNumber;
    }
    return data::read_dates({cell}).empty() ? CellKind::kText : CellKind::kDate;
}

// The kind that most rows below have; missing cells count where all are.
CellKind kind_below(const std::vector<CsvRecord>& rows, std::size_t first, std::size_t column) {
    constexpr std::size_t kMostRows = 40;
    std::map<CellKind, std::size_t> counts;
    for (std::size_t i = first; i < std::min(rows.size(), first + kMostRows); ++i) {
        if (column < rows[i].fields.size()) {
            const CellKind kind = kind_of(rows[i].fields[column]);
            counts[kind] += kind == CellKind::kMissing ? 0 : 1;
        }
    }
    const auto most = std::max_element(
        counts.begin(), counts.end(), [](auto a, auto b) { return a.second < b.second; });
    return most == counts.end() || most->second == 0 ? CellKind::kMissing : most->first;
}

enum class RowKind : std::uint8_t { kHeader, kData, kUnclear };

// Years one after another, as tables have them that are wide.
bool has_years(const CsvRecord& record) {
    constexpr double kFirst = 1500;
    constexpr double kLast = 2200;
    std::vector<double> years;
    for (const std::string& cell : record.fields) {
        if (const auto number = parse_number(cell, '.')) {
            years.push_back(*number);
        }
    }
    for (std::size_t i = 1; i < years.size(); ++i) {
        if (years[i] != years[i - 1] + 1) {
            return false;
        }
    }
    return years.size() > 1 && years.front() >= kFirst && years.back() <= kLast;
}

// A header has text above numbers and dates, and a row does not.
RowKind row_kind(const std::vector<CsvRecord>& rows, std::size_t index) {
    bool has_name = false;   // text above a number
    bool has_title = false;  // text or nothing above a date
    bool has_number = false;
    bool has_text = false;
    for (std::size_t column = 0; column < rows[index].fields.size(); ++column) {
        const CellKind here = kind_of(rows[index].fields[column]);
        const CellKind below = kind_below(rows, index + 1, column);
        if (here == CellKind::kDate && below == CellKind::kDate) {
            return RowKind::kData;
        }
        has_name = has_name || (here == CellKind::kText && below == CellKind::kNumber);
        // A missing date is a row's, unless it is the first.
        const bool is_title = here == CellKind::kText || (here == CellKind::kMissing && index == 0);
        has_title = has_title || (is_title && below == CellKind::kDate);
        has_number = has_number || here == CellKind::kNumber || here == CellKind::kDate;
        has_text = has_text || here == CellKind::kText;
    }
    if (has_title || (has_text && (!has_number || has_years(rows[index])))) {
        return RowKind::kHeader;
    }
    return has_name ? (has_number ? RowKind::kUnclear : RowKind::kHeader) : RowKind::kData;
}

bool is_full(const CsvRecord& record) {
    return std::none_of(record.fields.begin(), record.fields.end(), [](const std::string& cell) {
        return cell.empty();
    });
}

// Above the rows: titles of the table's width, the header, perhaps units. -1: no header.
struct Head {
    std::ptrdiff_t header = -1;
    std::size_t row_count = 0;  ///< in all
};

Head find_head(const Table& table, const TableOptions& options) {
    if (options.has_header) {
        return *options.has_header ? Head{.header = 0, .row_count = 1} : Head{};
    }
    Head head;
    while (head.row_count < std::min(kMostTitles, table.rows.size())) {
        const RowKind kind = row_kind(table.rows, head.row_count);
        if (kind == RowKind::kUnclear && head.row_count == 0) {
            throw FileError(table.path,
                            fmt::format("line {} is neither a header nor a row like the others; "
                                        "say --header yes or no",
                                        table.rows[0].line));
        }
        if (kind != RowKind::kHeader) {
            break;
        }
        const auto index = static_cast<std::ptrdiff_t>(head.row_count);
        if (head.header < 0 || is_full(table.rows[head.row_count])) {
            head.header = index;
        }
        ++head.row_count;
    }
    // Text all the way down is a header and rows of text.
    return head.row_count == table.rows.size() && head.row_count > 1
               ? Head{.header = 0, .row_count = 1}
               : head;
}

// A header that is a comment: the last one above the rows.
std::vector<std::string> commented_names(const Table& table, const std::string& text) {
    std::string comment;
    for (std::size_t at = 0; at < text.size() && text[at] == kComment;) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        comment = text.substr(at + 1, end - at - 1);
        at = end + 1;
    }
    const std::vector<CsvRecord> records =
        comment.find('"') == std::string::npos
            ? data::parse_csv(table.path, comment, {.separator = table.separator})
            : std::vector<CsvRecord>();
    return records.size() == 1 && records[0].fields.size() == table.rows[0].fields.size()
               ? records[0].fields
               : std::vector<std::string>();
}

void name_columns(Table& table, const std::string& text, const TableOptions& options) {
    const Head head = find_head(table, options);
    if (head.header >= 0) {
        table.names = table.rows[static_cast<std::size_t>(head.header)].fields;
        if (head.row_count > 1) {
            table.notes.push_back(
                fmt::format("line {} is the header; passed over beside it: {} lines",
                            table.line_of(static_cast<std::size_t>(head.header)),
                            head.row_count - 1));
        }
    } else if (table.rows[0].fields.size() > 1) {
        table.names = commented_names(table, text);
    }
    if (table.names.empty()) {
        for (std::size_t i = 1; i <= table.rows[0].fields.size(); ++i) {
            table.names.push_back(fmt::format("column {}", i));
        }
        table.notes.emplace_back("there is no header");
    }
    for (std::string& name : table.names) {
        name = trimmed(name);
    }
    table.rows.erase(table.rows.begin(),
                     table.rows.begin() + static_cast<std::ptrdiff_t>(head.row_count));
}

// Columns without name and content go, those without a name alone get one.
void tidy_columns(Table& table) {
    for (std::size_t i = table.names.size(); i-- > 0;) {
        const bool is_used = !table.names[i].empty() ||
                             std::any_of(table.rows.begin(),
                                         table.rows.end(),
                                         [&](const auto& row) { return !row.fields[i].empty(); });
        if (!is_used) {
            const auto at = static_cast<std::ptrdiff_t>(i);
            table.names.erase(table.names.begin() + at);
            for (CsvRecord& row : table.rows) {
                row.fields.erase(row.fields.begin() + at);
            }
        } else if (table.names[i].empty()) {
            table.names[i] = fmt::format("column {}", i + 1);
        }
    }
}

}  // namespace

std::vector<std::string> Table::column(std::size_t index) const {
    std::vector<std::string> cells;
    for (const CsvRecord& row : rows) {
        cells.push_back(row.fields[index]);
    }
    return cells;
}

Table read_table(const std::string& path, const TableOptions& options) {
    const Text text = read_text(path);
    Table table = make_table(path, text.utf8, options);
    table.notes.insert(table.notes.begin(), text.notes.begin(), text.notes.end());
    return table;
}

Table make_table(const std::string& path, const std::string& text, const TableOptions& options) {
    Cut cut =
        options.separator == '\0' ? find_cut(path, text) : cut_by(path, text, options.separator);
    if (cut.records.empty()) {
        throw FileError(path, "is empty, wanted rows");
    }
    Table table;
    table.path = path;
    table.separator = cut.separator;
    const std::size_t titles = title_count(cut.records, cut.width);
    if (titles > 0) {
        table.notes.push_back(fmt::format("the first {} rows are no part of the table", titles));
    }
    table.rows.assign(
        std::make_move_iterator(cut.records.begin() + static_cast<std::ptrdiff_t>(titles)),
        std::make_move_iterator(cut.records.end()));
    for (CsvRecord& row : table.rows) {
        if (row.fields.size() != cut.width) {
            throw FileError(path,
                            fmt::format("line {} has {} fields, most rows have {}",
                                        row.line,
                                        row.fields.size(),
                                        cut.width));
        }
        for (std::string& cell : row.fields) {
            cell = trimmed(cell);
        }
    }
    name_columns(table, text, options);
    tidy_columns(table);
    return table;
}

}  // namespace pumice::series
