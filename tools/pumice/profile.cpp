// SPDX-License-Identifier: Apache-2.0
// pumice profile: the device's time in a model, by operator.
#include "pumice/graph.h"
#include "pumice/profiler.h"
#include "pumice/pumice.h"

#include "commands.h"
#include "subjects.h"
#include "vk/device.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>

namespace pumice::command {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string model;
    std::string mode = "inference";
    std::string output;
    int passes = 5;
    bool as_json = false;
};

// After a pass that is not timed: it compiles kernels and fills caches.
void profile_passes(const std::function<void()>& pass,
                    const Options& options,
                    std::optional<Profiler>& profiler) {
    pass();
    synchronize();
    profiler.emplace();
    for (int i = 0; i < options.passes; ++i) {
        pass();
    }
    profiler->stop();
}

void profile(const Subject& subject, const Options& options, std::optional<Profiler>& profiler) {
    in_mode(options.mode, [&] {
        if (options.mode == "captured") {
            const Plan plan = capture(subject.run, {subject.input});
            profile_passes([&] { (void)plan(subject.input)[0].to_host(); }, options, profiler);
        } else {
            profile_passes([&] { (void)subject.run(subject.input).to_host(); }, options, profiler);
        }
    });
}

void print_json(const Profiler& profiler, const Options& options) {
    Json rows = Json::array();
    for (const ProfileRow& row : profiler.summary()) {
        rows.push_back({{"operator", row.label},
                        {"count", row.count},
                        {"total_us", row.total_us},
                        {"mean_us", row.mean_us},
                        {"share", row.share}});
    }
    const Json json = {{"model", options.model},
                       {"mode", options.mode},
                       {"device", vk::device().info().name},
                       {"passes", options.passes},
                       {"event_count", profiler.events().size()},
                       {"lost_count", profiler.lost_count()},
                       {"span_us", profiler.span_us()},
                       {"operators", rows}};
    fmt::print("{}\n", json.dump(2));
}

void print_text(const Profiler& profiler, const Options& options) {
    fmt::print("{}, {}, on {}: {} events in {} passes over {:.1f} us of the device's clock\n",
               options.model,
               options.mode,
               vk::device().info().name,
               profiler.events().size(),
               options.passes,
               profiler.span_us());
    fmt::print("{}", profiler.table());
    if (!options.output.empty()) {
        fmt::print("trace: {}\n", options.output);
    }
}

void run(const Options& options) {
    manual_seed(1);
    const Subject subject = make_subject(options.model);
    std::optional<Profiler> profiler;
    profile(subject, options, profiler);
    if (!options.output.empty()) {
        profiler->write(options.output);
    }
    if (options.as_json) {
        print_json(*profiler, options);
    } else {
        print_text(*profiler, options);
    }
}

}  // namespace

void add_profile(CLI::App& app) {
    CLI::App* command = app.add_subcommand("profile", "the device's time in a model, by operator");
    const auto options = std::make_shared<Options>();
    add_subject_options(*command, options->model, options->mode);
    command->add_option("--passes", options->passes, "timed passes")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command->add_option("--output", options->output, "trace for chrome://tracing or Perfetto");
    command->add_flag("--json", options->as_json);
    command->callback([options] { run(*options); });
}

}  // namespace pumice::command
