// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/data.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pumice::series {

/// What a user knows about a table. Nothing, or '\0': as the text suggests.
struct TableOptions {
    char separator = '\0';
    std::optional<bool> has_header;
};

/// A table as people have them: rows of cells without spaces around them, all of one length.
struct Table {
    std::string path;
    char separator = ',';
    std::vector<std::string> names;  ///< the header's, or "column 1" and so on
    std::vector<data::CsvRecord> rows;
    std::vector<std::string> notes;  ///< what was passed over or supposed

    [[nodiscard]] std::vector<std::string> column(std::size_t index) const;

    [[nodiscard]] std::int64_t line_of(std::size_t row) const { return rows[row].line; }
};

/// Reads a file; read_text and make_table say how.
Table read_table(const std::string& path, const TableOptions& options = {});

/// Finds the separator (comma, semicolon, tab or bar), passes over lines that begin with '#' and
/// titles above the table, and decides whether the first row is a header: it is not if it reads as
/// the others do. Columns without name and content are left out.
/// @throws FileError for a text without a row, a row of another length, or a first row that is
///         neither a header nor like the others
Table make_table(const std::string& path,
                 const std::string& text,
                 const TableOptions& options = {});

}  // namespace pumice::series
