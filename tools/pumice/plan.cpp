// SPDX-License-Identifier: Apache-2.0
#include "pumice/plan.h"

#include "pumice/error.h"
#include "pumice/io.h"

#include "commands.h"
#include "csv_field.h"
#include "memory_map.h"
#include "plan_csv.h"
#include "standard_streams.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
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

std::string to_csv(const PlanRows& rows, const MemoryPlan& plan) {
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

void print_json(const PlanRows& rows,
                const MemoryPlan& plan,
                const Options& options,
                double taken_s) {
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
void print_text(const PlanRows& rows,
                const MemoryPlan& plan,
                const Options& options,
                double taken_s) {
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
    const PlanRows rows = read_plan_rows(options.file);
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
