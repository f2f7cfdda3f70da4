// SPDX-License-Identifier: Apache-2.0
// pumice bench memory: what training steps, grad, no_grad, inference and captured replays of the
// same models take.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "commands.h"
#include "subjects.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pumice::command {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::vector<std::string> models;
    std::string forecaster = PUMICE_MODEL_DIR;
    int passes = 5;
    bool as_json = false;
};

struct Figures {
    double latency_ms = 0.0;
    std::uint64_t peak_bytes = 0;
    std::uint64_t lower_bound_bytes = 0;
    std::uint64_t reserved_bytes = 0;
    std::uint64_t driver_allocations = 0;
    std::uint64_t barriers = 0;
    std::uint64_t kernels = 0;
    double host_ns_a_kernel = 0.0;
};

double median_ms(int passes, const std::function<void()>& pass) {
    std::vector<double> taken;
    for (int i = 0; i < passes; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        pass();
        const std::chrono::duration<double, std::milli> one =
            std::chrono::steady_clock::now() - begin;
        taken.push_back(one.count());
    }
    std::nth_element(taken.begin(), taken.begin() + passes / 2, taken.end());
    return taken[static_cast<std::size_t>(passes) / 2];
}

// Host time alone: the device's calls do nothing.
double host_ms(int passes, const std::function<void()>& pass) {
    vk::Device& device = vk::device();
    synchronize();
    vk::install_null_execution(device);
    const double taken = median_ms(passes, pass);
    vk::restore(device);
    return taken;
}

void measure_passes(const Options& options, const std::function<void()>& pass, Figures& figures) {
    pass();
    const MemoryStats before = memory_stats();
    figures.latency_ms = median_ms(options.passes, pass);
    const MemoryStats after = memory_stats();
    const auto passes = static_cast<std::uint64_t>(options.passes);
    figures.driver_allocations = after.driver_allocation_count - before.driver_allocation_count;
    figures.barriers = (after.barrier_count - before.barrier_count) / passes;
    figures.kernels = (after.dispatch_count - before.dispatch_count) / passes;
    figures.reserved_bytes = after.reserved_bytes;
    figures.host_ns_a_kernel = host_ms(options.passes, pass) * 1e6 /
                               static_cast<double>(std::max<std::uint64_t>(figures.kernels, 1));
}

void trace_pass(const std::function<void()>& pass, Figures& figures) {
    MemoryTrace trace;
    pass();
    trace.finish();
    figures.peak_bytes = trace.peak_bytes();
    figures.lower_bound_bytes = trace.lower_bound_bytes();
}

// A whole training step, and the modes of a forward pass.
std::vector<std::string> measured_modes() {
    std::vector<std::string> modes = {"step"};
    modes.insert(modes.end(), kModes.begin(), kModes.end());
    return modes;
}

// Forward, backward, and the gradients let go of: what an optimizer would read lives at the peak.
void run_step(const Subject& subject) {
    Tensor loss = mean(square(subject.run(subject.input)));
    loss.backward();
    (void)loss.detach().to_host();
    for (Tensor parameter : subject.parameters) {
        parameter.set_grad({});
    }
}

Figures measure(const std::string& mode, const Subject& subject, const Options& options) {
    Figures figures;
    empty_cache();
    in_mode(mode, [&] {
        if (mode == "captured") {
            const Plan plan = capture(subject.run, {subject.input});
            const PlanStats stats = plan.stats();
            figures.peak_bytes = stats.planned_bytes;
            figures.lower_bound_bytes = stats.lower_bound_bytes;
            measure_passes(
                options, [&] { (void)plan(subject.input)[0].to_host(); }, figures);
            return;
        }
        const std::function<void()> forward = [&] { (void)subject.run(subject.input).to_host(); };
        const std::function<void()> pass = mode == "step" ? [&] { run_step(subject); } : forward;
        pass();
        trace_pass(pass, figures);
        measure_passes(options, pass, figures);
    });
    return figures;
}

Json to_json(const Figures& figures) {
    return {{"latency_ms", figures.latency_ms},
            {"peak_bytes", figures.peak_bytes},
            {"lower_bound_bytes", figures.lower_bound_bytes},
            {"reserved_bytes", figures.reserved_bytes},
            {"driver_allocations", figures.driver_allocations},
            {"barriers", figures.barriers},
            {"kernels", figures.kernels},
            {"host_ns_a_kernel", figures.host_ns_a_kernel}};
}

// What the project's sources promise, as parts saved.
Json ratios(const std::map<std::string, Figures>& by_mode) {
    const auto saved = [&](const char* mode, const char* than, double Figures::*field) {
        return 1.0 - by_mode.at(mode).*field / (by_mode.at(than).*field);
    };
    const auto saved_bytes = [&](const char* mode, const char* than) {
        return 1.0 - static_cast<double>(by_mode.at(mode).peak_bytes) /
                         static_cast<double>(by_mode.at(than).peak_bytes);
    };
    return {
        {"latency_saved_inference_grad", saved("inference", "grad", &Figures::latency_ms)},
        {"memory_saved_inference_grad", saved_bytes("inference", "grad")},
        {"latency_saved_inference_no_grad", saved("inference", "no_grad", &Figures::latency_ms)},
        {"memory_saved_inference_no_grad", saved_bytes("inference", "no_grad")},
        {"speedup_captured_inference",
         by_mode.at("inference").latency_ms / by_mode.at("captured").latency_ms},
        {"promised",
         {{"latency_saved_inference_grad", "0.25 to 0.40"},
          {"memory_saved_inference_grad", "0.15 to 0.30"},
          {"latency_saved_inference_no_grad", "0.02 to 0.05"},
          {"memory_saved_inference_no_grad", "0.05 to 0.10"},
          {"speedup_captured_inference", "1.5 to 2"}}}};
}

void print_rows(const std::string& model, const std::map<std::string, Figures>& by_mode) {
    for (const std::string& mode : measured_modes()) {
        const Figures& figures = by_mode.at(mode);
        fmt::print(
            "{:<11} {:<10} {:>10.2f} {:>12} {:>12} {:>7.3f} {:>13} {:>6} {:>8} {:>8} {:>8.0f}\n",
            model,
            mode,
            figures.latency_ms,
            figures.peak_bytes,
            figures.lower_bound_bytes,
            static_cast<double>(figures.peak_bytes) /
                static_cast<double>(std::max<std::uint64_t>(figures.lower_bound_bytes, 1)),
            figures.reserved_bytes,
            figures.driver_allocations,
            figures.barriers,
            figures.kernels,
            figures.host_ns_a_kernel);
    }
}

void run_memory(const Options& options) {
    Json json;
    if (!options.as_json) {
        fmt::print("{:<11} {:<10} {:>10} {:>12} {:>12} {:>7} {:>13} {:>6} {:>8} {:>8} {:>8}\n",
                   "model",
                   "mode",
                   "ms",
                   "peak bytes",
                   "lower bound",
                   "ratio",
                   "reserved",
                   "driver",
                   "barriers",
                   "kernels",
                   "host ns");
    }
    for (const std::string& model : options.models) {
        manual_seed(1);
        const Subject subject = make_sample(model, options.forecaster);
        std::map<std::string, Figures> by_mode;
        for (const std::string& mode : measured_modes()) {
            by_mode[mode] = measure(mode, subject, options);
            json[model][mode] = to_json(by_mode[mode]);
        }
        json[model]["ratios"] = ratios(by_mode);
        if (!options.as_json) {
            print_rows(model, by_mode);
        }
    }
    if (options.as_json) {
        fmt::print("{}\n", json.dump(2));
    }
}

}  // namespace

void add_bench_memory(CLI::App& bench) {
    CLI::App* command = bench.add_subcommand("memory",
                                             "latency, peak and lower bound of models in a "
                                             "training step, grad, no_grad, inference, captured");
    const auto options = std::make_shared<Options>();
    options->models = kSamples;
    command->add_option("--models", options->models, "which, separated by commas")
        ->delimiter(',')
        ->check(CLI::IsMember(kSamples))
        ->capture_default_str();
    command->add_option("--passes", options->passes, "timed passes a mode; the median counts")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command->add_option("--model-dir", options->forecaster, "the forecaster's folder");
    command->add_flag("--json", options->as_json);
    command->callback([options] { run_memory(*options); });
}

}  // namespace pumice::command
