// SPDX-License-Identifier: Apache-2.0
#include "pumice/plan.h"

#include "pumice/data.h"
#include "pumice/error.h"
#include "pumice/io.h"

#include "commands.h"
#include "csv_field.h"
#include "memory_map.h"
#include "plan/buffer_fault.h"
#include "standard_streams.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace pumice::command {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string file;
    std::string output;
    std::string picture;
    std::optional<std::uint64_t> capacity_bytes;
    double time_limit_s = 20.0;
    int thread_count = 2;
    bool as_json = false;
};

struct Rows {
    std::vector<std::string> ids;
    std::vector<PlanBuffer> buffers;
};

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

void check_rows(const data::CsvTable& table, const Rows& rows) {
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

Rows read_rows(const std::string& file) {
    const data::CsvTable table(file);
    const auto lowers = whole_numbers<std::int64_t>(table, "lower");
    const auto uppers = whole_numbers<std::int64_t>(table, "upper");
    const auto sizes = whole_numbers<std::uint64_t>(table, "size");
    std::vector<std::uint64_t> alignments(sizes.size(), 1);
    if (table.has_column("alignment")) {
        alignments = whole_numbers<std::uint64_t>(table, "alignment");
    }
    Rows rows = {table.text_column("id"), {}};
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        rows.buffers.push_back({lowers[i], uppers[i], sizes[i], alignments[i]});
    }
    check_rows(table, rows);
    return rows;
}

std::string to_csv(const Rows& rows, const MemoryPlan& plan) {
    std::string csv = "id,lower,upper,size,offset\n";
    for (std::size_t i = 0; i < rows.buffers.size(); ++i) {
        const PlanBuffer& buffer = rows.buffers[i];
        csv += fmt::format("{},{},{},{},{}\n",
                           csv_field(rows.ids[i]),
                           buffer.lower,
                           buffer.upper,
                           buffer.size_bytes,
                           plan.offsets[i]);
    }
    return csv;
}

double ratio_of(std::uint64_t height_bytes, const MemoryPlan& plan) {
    return plan.lower_bound_bytes == 0
               ? 1.0
               : static_cast<double>(height_bytes) / static_cast<double>(plan.lower_bound_bytes);
}

std::string state_of(const MemoryPlan& plan, const Options& options) {
    if (plan.is_optimal) {
        return "optimal";
    }
    return options.capacity_bytes && plan.height_bytes <= *options.capacity_bytes
               ? "within the capacity"
               : "not known to be optimal";
}

void print_json(const Rows& rows, const MemoryPlan& plan, const Options& options, double taken_s) {
    Json json = {{"buffer_count", rows.buffers.size()},
                 {"height_bytes", plan.height_bytes},
                 {"lower_bound_bytes", plan.lower_bound_bytes},
                 {"ratio", ratio_of(plan.height_bytes, plan)},
                 {"optimal", plan.is_optimal},
                 {"proven_bound_bytes", plan.proven_bound_bytes},
                 {"heuristic_height_bytes", plan.heuristic_height_bytes},
                 {"heuristic_ratio", ratio_of(plan.heuristic_height_bytes, plan)},
                 {"nodes", plan.node_count},
                 {"seconds", taken_s}};
    if (options.capacity_bytes) {
        json["capacity_bytes"] = *options.capacity_bytes;
        json["fits"] = plan.height_bytes <= *options.capacity_bytes;
    }
    if (options.output.empty()) {
        json["offsets"] = plan.offsets;
    }
    fmt::print("{}\n", json.dump(2));
}

// Beside a CSV on stdout it goes to stderr.
void print_text(const Rows& rows, const MemoryPlan& plan, const Options& options, double taken_s) {
    if (options.output.empty()) {
        fmt::print("{}", to_csv(rows, plan));
    }
    fmt::print(options.output.empty() ? stderr : stdout,
               "{} buffers: height {} bytes, lower bound {}, ratio {:.4f} ({}); heuristic {:.4f}; "
               "{} nodes, {:.2f} s\n",
               rows.buffers.size(),
               plan.height_bytes,
               plan.lower_bound_bytes,
               ratio_of(plan.height_bytes, plan),
               state_of(plan, options),
               ratio_of(plan.heuristic_height_bytes, plan),
               plan.node_count,
               taken_s);
}

void check_capacity(const MemoryPlan& plan, const Options& options) {
    if (options.capacity_bytes && plan.height_bytes > *options.capacity_bytes) {
        throw UnsupportedError(
            options.file,
            fmt::format("{} in {} bytes; the best height is {}, the bound {}",
                        plan.proven_bound_bytes > *options.capacity_bytes
                            ? "no plan fits"
                            : fmt::format("{} s found no plan", options.time_limit_s),
                        *options.capacity_bytes,
                        plan.height_bytes,
                        plan.proven_bound_bytes));
    }
}

void run(const Options& options) {
    const Rows rows = read_rows(options.file);
    const auto begin = std::chrono::steady_clock::now();
    const MemoryPlan plan = plan_memory(rows.buffers,
                                        {.time_limit_s = options.time_limit_s,
                                         .capacity_bytes = options.capacity_bytes,
                                         .thread_count = options.thread_count});
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (!options.output.empty()) {
        io::write_file(options.output, to_csv(rows, plan));
    }
    if (!options.picture.empty()) {
        io::write_file(options.picture, draw_memory_map(rows.ids, rows.buffers, plan));
    }
    if (options.as_json) {
        print_json(rows, plan, options, taken.count());
    } else {
        print_text(rows, plan, options, taken.count());
    }
    finish_stdout();
    check_capacity(plan, options);
}

}  // namespace

void add_plan(CLI::App& app) {
    CLI::App* command = app.add_subcommand("plan", "offsets for buffers with known lifetimes");
    const auto options = std::make_shared<Options>();
    command->add_option("FILE", options->file, "CSV: id,lower,upper,size[,alignment]")->required();
    command->add_option("--capacity", options->capacity_bytes, "stop at a plan of so many bytes");
    command->add_option("--seconds", options->time_limit_s, "for the solver; 0: heuristic alone")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    command->add_option("--threads", options->thread_count)->capture_default_str();
    command->add_option("--output", options->output, "CSV: id,lower,upper,size,offset");
    command->add_option("--picture", options->picture, "SVG of the memory map");
    command->add_flag("--json", options->as_json);
    command->callback([options] { run(*options); });
}

}  // namespace pumice::command
