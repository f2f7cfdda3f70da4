// SPDX-License-Identifier: Apache-2.0
#include "plan_csv.h"

#include "pumice/data.h"
#include "pumice/error.h"

#include "plan/buffer_fault.h"

#include <fmt/format.h>

#include <charconv>
#include <unordered_set>

namespace pumice::command {

namespace {

[[noreturn]] void refuse_row(const data::CsvTable& table, std::size_t i, const std::string& why) {
    throw FileError(table.path(),
                    fmt::format("line {}: {}", table.line_of(static_cast<std::int64_t>(i)), why));
}

template <typename Number>
std::vector<Number> whole_numbers(const data::CsvTable& table, const std::string& name) {
    const std::vector<std::string> texts = table.text_column(name);
    std::vector<Number> numbers(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const char* end = texts[i].data() + texts[i].size();
        const auto [stop, failure] = std::from_chars(texts[i].data(), end, numbers[i]);
        if (failure == std::errc::result_out_of_range) {
            refuse_row(table, i, fmt::format("{} is out of range: {}", name, texts[i]));
        }
        if (failure != std::errc() || stop != end) {
            const std::string_view wanted =
                std::is_signed_v<Number> ? "a whole number" : "a whole number from 0";
            refuse_row(table, i, fmt::format("{} must be {}; got '{}'", name, wanted, texts[i]));
        }
    }
    return numbers;
}

void check_rows(const data::CsvTable& table, const PlanRows& rows) {
    if (const auto fault = plan::find_fault(rows.buffers)) {
        refuse_row(table, fault->index, fault->reason);
    }
    std::unordered_set<std::string> seen;
    for (std::size_t i = 0; i < rows.ids.size(); ++i) {
        if (!seen.insert(rows.ids[i]).second) {
            refuse_row(table, i, fmt::format("id '{}' is there twice", rows.ids[i]));
        }
    }
}

}  // namespace

PlanRows read_plan_rows(const std::string& file) {
    const data::CsvTable table(file);
    const auto lowers = whole_numbers<std::int64_t>(table, "lower");
    const auto uppers = whole_numbers<std::int64_t>(table, "upper");
    const auto sizes = whole_numbers<std::uint64_t>(table, "size");
    std::vector<std::uint64_t> alignments(sizes.size(), 1);
    if (table.has_column("alignment")) {
        alignments = whole_numbers<std::uint64_t>(table, "alignment");
    }
    PlanRows rows = {table.text_column("id"), {}};
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        rows.buffers.push_back({lowers[i], uppers[i], sizes[i], alignments[i]});
    }
    check_rows(table, rows);
    return rows;
}

}  // namespace pumice::command
