// SPDX-License-Identifier: Apache-2.0
// pumice memory: who lives where and when in one pass of a model, beside the lower bound.
#include "pumice/memory.h"

#include "pumice/graph.h"
#include "pumice/io.h"
#include "pumice/pumice.h"

#include "commands.h"
#include "memory_picture.h"
#include "subjects.h"
#include "traced_memory.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace pumice::command {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string model;
    std::string mode = "inference";
    std::string picture;
    std::string trace;
    bool as_json = false;
};

struct Figures {
    TracedMemory memory;
    std::uint64_t peak_bytes = 0;
    std::uint64_t lower_bound_bytes = 0;

    [[nodiscard]] double ratio() const {
        return lower_bound_bytes == 0
                   ? 1.0
                   : static_cast<double>(peak_bytes) / static_cast<double>(lower_bound_bytes);
    }
};

/// The trace's file: where it is wanted, else one that goes away.
class TraceFile {
public:
    explicit TraceFile(const std::string& wanted)
        : path_(wanted.empty() ? (std::filesystem::temp_directory_path() /
                                  fmt::format("pumice_memory_{}.jsonl", ::getpid()))
                                     .string()
                               : wanted),
          is_wanted_(!wanted.empty()) {}

    ~TraceFile() {
        std::error_code ignored;
        if (!is_wanted_) {
            std::filesystem::remove(path_, ignored);
        }
    }

    TraceFile(const TraceFile&) = delete;
    TraceFile& operator=(const TraceFile&) = delete;
    TraceFile(TraceFile&&) = delete;
    TraceFile& operator=(TraceFile&&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
    bool is_wanted_;
};

void trace_plan(const Subject& subject, const std::string& path, Figures& figures) {
    const Plan plan = capture(subject.run, {subject.input});
    plan.dump_trace(path);
    figures.peak_bytes = plan.stats().planned_bytes;
    figures.lower_bound_bytes = plan.stats().lower_bound_bytes;
}

// The second pass: the first one compiles kernels and makes what the model keeps.
void trace_pass(const Subject& subject, const std::string& path, Figures& figures) {
    const auto pass = [&] { (void)subject.run(subject.input).to_host(); };
    pass();
    empty_cache();
    MemoryTrace trace;
    pass();
    trace.finish();
    trace.dump(path);
    figures.peak_bytes = trace.peak_bytes();
    figures.lower_bound_bytes = trace.lower_bound_bytes();
}

Figures measure(const Options& options) {
    manual_seed(1);
    const Subject subject = make_subject(options.model);
    const TraceFile file(options.trace);
    Figures figures;
    in_mode(options.mode, [&] {
        if (options.mode == "captured") {
            trace_plan(subject, file.path(), figures);
        } else {
            trace_pass(subject, file.path(), figures);
        }
    });
    figures.memory = read_traced_memory(file.path());
    return figures;
}

std::string title_of(const Figures& figures, const Options& options) {
    return fmt::format("{}, {}: peak {} bytes, lower bound {}, ratio {:.3f}",
                       options.model,
                       options.mode,
                       figures.peak_bytes,
                       figures.lower_bound_bytes,
                       figures.ratio());
}

void print_json(const Figures& figures, const Options& options) {
    const TracedMemory& memory = figures.memory;
    Json tenants = Json::array();
    for (const TracedTenant& tenant : memory.tenants) {
        tenants.push_back({{"id", tenant.id},
                           {"operator", tenant.op},
                           {"transient", tenant.is_transient},
                           {"buffer", tenant.buffer},
                           {"offset_bytes", tenant.offset_bytes},
                           {"size_bytes", tenant.size_bytes},
                           {"first_step", tenant.first_step},
                           {"end_step", tenant.end_step}});
    }
    const Json json = {{"model", options.model},
                       {"mode", options.mode},
                       {"step_count", memory.live_bytes.size()},
                       {"peak_bytes", figures.peak_bytes},
                       {"peak_step", memory.peak_step},
                       {"lower_bound_bytes", figures.lower_bound_bytes},
                       {"ratio", figures.ratio()},
                       {"live_bytes", memory.live_bytes},
                       {"needed_bytes", memory.needed_bytes},
                       {"tenants", tenants}};
    fmt::print("{}\n", json.dump());
}

// The largest ones that live at the peak.
std::vector<TracedTenant> peak_tenants(const TracedMemory& memory) {
    constexpr std::size_t kMost = 12;
    std::vector<TracedTenant> tenants;
    std::copy_if(memory.tenants.begin(),
                 memory.tenants.end(),
                 std::back_inserter(tenants),
                 [&](const TracedTenant& tenant) { return tenant.lives_at(memory.peak_step); });
    std::stable_sort(tenants.begin(), tenants.end(), [](const auto& a, const auto& b) {
        return a.size_bytes > b.size_bytes;
    });
    tenants.resize(std::min(tenants.size(), kMost));
    return tenants;
}

void print_text(const Figures& figures, const Options& options) {
    const TracedMemory& memory = figures.memory;
    fmt::print("{}\n{} storages in {} steps; the largest at the peak, step {}:\n",
               title_of(figures, options),
               memory.tenants.size(),
               memory.live_bytes.size(),
               memory.peak_step);
    fmt::print("{:<24} {:>12} {:>7} {:>12} {:>6} {:>6}\n",
               "written by",
               "bytes",
               "buffer",
               "offset",
               "from",
               "until");
    for (const TracedTenant& tenant : peak_tenants(memory)) {
        fmt::print("{:<24} {:>12} {:>7} {:>12} {:>6} {:>6}\n",
                   tenant.op,
                   tenant.size_bytes,
                   tenant.buffer,
                   tenant.offset_bytes,
                   tenant.first_step,
                   tenant.end_step);
    }
    if (!options.picture.empty()) {
        fmt::print("picture: {}\n", options.picture);
    }
    if (!options.trace.empty()) {
        fmt::print("trace: {}\n", options.trace);
    }
}

void run(const Options& options) {
    const Figures figures = measure(options);
    if (!options.picture.empty()) {
        io::write_file(options.picture,
                       draw_memory_picture(
                           title_of(figures, options), figures.memory, figures.lower_bound_bytes));
    }
    if (options.as_json) {
        print_json(figures, options);
    } else {
        print_text(figures, options);
    }
}

}  // namespace

void add_memory(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("memory", "who lives where and when in one pass of a model");
    const auto options = std::make_shared<Options>();
    add_subject_options(*command, options->model, options->mode);
    command->add_option("--picture", options->picture, "SVG of addresses and live bytes");
    command->add_option("--trace", options->trace, "JSON lines, for the program lower_bound");
    command->add_flag("--json", options->as_json);
    command->callback([options] { run(*options); });
}

}  // namespace pumice::command
