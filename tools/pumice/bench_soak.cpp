// SPDX-License-Identifier: Apache-2.0
// pumice bench soak: what a long run of mixed work holds after its warm-up and at its end.
#include "pumice/error.h"

#include "commands.h"
#include "soak/soak.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace pumice::command {

namespace {

struct Settings {
    soak::Options soak;
    bool as_json = false;
};

nlohmann::ordered_json to_json(const soak::Holding& holding) {
    return {{"reserved_bytes", holding.reserved_bytes},
            {"live_bytes", holding.live_bytes},
            {"host_bytes", holding.host_bytes},
            {"driver_allocations", holding.driver_allocations}};
}

void print_row(const char* when, const soak::Holding& holding) {
    fmt::print("{:<14} {:>14} {:>12} {:>14} {:>8}\n",
               when,
               holding.reserved_bytes,
               holding.live_bytes,
               holding.host_bytes,
               holding.driver_allocations);
}

void print(const Settings& settings, const soak::Report& report) {
    if (settings.as_json) {
        const nlohmann::ordered_json json = {{"passes", settings.soak.passes},
                                             {"warm_up_passes", settings.soak.warm_up_passes},
                                             {"seed", settings.soak.seed},
                                             {"warm", to_json(report.warm)},
                                             {"end", to_json(report.end)},
                                             {"most_reserved_bytes", report.most_reserved_bytes},
                                             {"has_grown", report.has_grown()}};
        fmt::print("{}\n", json.dump(2));
        return;
    }
    fmt::print("{} passes of mixed work, {} of them warm-up, null execution\n",
               settings.soak.passes,
               settings.soak.warm_up_passes);
    fmt::print("{:<14} {:>14} {:>12} {:>14} {:>8}\n", "", "reserved", "live", "host", "driver");
    print_row("after warm-up", report.warm);
    print_row("at the end", report.end);
}

void run_soak(const Settings& settings) {
    vk::Device& device = vk::device();
    synchronize();
    vk::install_null_execution(device);
    const soak::Report report = soak::run(settings.soak);
    vk::restore(device);
    print(settings, report);
    if (report.has_grown()) {
        throw InternalError("soak",
                            fmt::format("reserved memory grew from {} bytes after the warm-up to "
                                        "{}",
                                        report.warm.reserved_bytes,
                                        report.most_reserved_bytes));
    }
}

}  // namespace

void add_bench_soak(CLI::App& bench) {
    CLI::App* command = bench.add_subcommand(
        "soak",
        "memory held over many passes of mixed work, device calls as no-ops; exit code 1 if it "
        "grows");
    const auto settings = std::make_shared<Settings>();
    command->add_option("--passes", settings->soak.passes)
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--warm-up", settings->soak.warm_up_passes, "passes before the first look")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--rows", settings->soak.most_rows, "of the largest batches")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--seed", settings->soak.seed, "of what the passes draw")
        ->capture_default_str();
    command->add_flag("--json", settings->as_json);
    command->callback([settings] { run_soak(*settings); });
}

}  // namespace pumice::command
