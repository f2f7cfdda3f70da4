// SPDX-License-Identifier: Apache-2.0
// pumice bench start: how long a fresh process takes to its first result, where nothing was ever
// compiled (cold) and where an earlier process compiled the same (warm).
#include "pumice/error.h"
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "commands.h"
#include "subjects.h"
#include "timing.h"
#include "vk/device.h"
#include "vk/pipelines.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace pumice::command {

namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string> kModels = {"forecaster", "resnet18"};
const std::vector<std::string> kStartModes = {"inference", "captured"};

struct Options {
    int rounds = 3;
    bool as_json = false;
    std::vector<std::string> models = kModels;
    // Of a process that measures itself for another one:
    std::string model;
    std::string mode = "inference";
    std::int64_t since_ns = 0;
};

std::int64_t now_ns() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

double ms_since(std::int64_t begin_ns) {
    return static_cast<double>(now_ns() - begin_ns) / 1e6;
}

// A model's first result in this process, and a line of JSON about it.
void run_once(const Options& options) {
    const InferenceMode guard;
    static_cast<void>(vk::device());
    const double device_ms = ms_since(options.since_ns);
    const Subject subject = make_sample(options.model, default_model_folder());
    synchronize();
    std::optional<Plan> plan;
    const auto run = [&] {
        if (options.mode != "captured") {
            static_cast<void>(subject.run(subject.input).to_host());
            return;
        }
        if (!plan) {
            plan = capture([&](const Tensor& x) { return subject.run(x); }, {subject.input});
        }
        static_cast<void>((*plan)(subject.input)[0].to_host());
    };
    const vk::CompileStats before = vk::device().pipelines().compile_stats();
    const std::int64_t begin_ns = now_ns();
    run();
    const double first_ms = ms_since(begin_ns);
    const double start_ms = ms_since(options.since_ns);
    const vk::CompileStats after = vk::device().pipelines().compile_stats();
    const double again_ms = time_by_turns({run}, 5)[0];
    const Json json = {{"device_ms", device_ms},
                       {"start_ms", start_ms},
                       {"first_ms", first_ms},
                       {"again_ms", again_ms},
                       {"driver_ms", static_cast<double>(after.driver_ns - before.driver_ns) / 1e6},
                       {"pipelines", after.pipeline_count - before.pipeline_count}};
    fmt::print("{}\n", json.dump());
}

// A folder for the caches of Pumice and of the drivers, which dies with it.
class CacheFolder {
public:
    CacheFolder() {
        path_ = (std::filesystem::temp_directory_path() / "pumice_start.XXXXXX").string();
        if (::mkdtemp(path_.data()) == nullptr) {
            throw FileError(path_, "cannot be made");
        }
    }

    CacheFolder(const CacheFolder&) = delete;
    CacheFolder& operator=(const CacheFolder&) = delete;
    CacheFolder(CacheFolder&&) = delete;
    CacheFolder& operator=(CacheFolder&&) = delete;

    ~CacheFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    // Assignments in front of a command of the shell.
    [[nodiscard]] std::string environment() const {
        std::string text = "PUMICE_CACHE= ";
        for (const char* name :
             {"XDG_CACHE_HOME", "MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH"}) {
            text += fmt::format("{}='{}' ", name, path_);
        }
        return text;
    }

private:
    std::string path_;
};

Json run_process(const CacheFolder& caches, const std::string& model, const std::string& mode) {
    const std::string command = fmt::format("{}'{}' bench start --once {} --mode {} --since {}",
                                            caches.environment(),
                                            std::filesystem::canonical("/proc/self/exe").string(),
                                            model,
                                            mode,
                                            now_ns());
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string text;
    std::array<char, 256> buffer{};
    while (pipe != nullptr && std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
        text += buffer.data();
    }
    if (pipe == nullptr || ::pclose(pipe) != 0) {
        throw UnsupportedError("bench", fmt::format("a process failed: {}", command));
    }
    return Json::parse(text);
}

// Each figure's median.
Json median_of(const std::vector<Json>& runs) {
    Json medians;
    for (const auto& [name, value] : runs[0].items()) {
        std::vector<double> values;
        for (const Json& run : runs) {
            values.push_back(run[name].get<double>());
        }
        std::sort(values.begin(), values.end());
        medians[name] = values[values.size() / 2];
    }
    return medians;
}

void print_row(const std::string& name, const Json& figures) {
    fmt::print("{:<30}", name);
    for (const auto& [key, value] : figures.items()) {
        fmt::print("{:>11.1f}", value.get<double>());
    }
    fmt::print("\n");
}

void run_start(const Options& options) {
    Json json = {{"device", vk::device().info().name}};
    if (!options.as_json) {
        fmt::print("{}; ms but for pipelines, medians of {}\n",
                   json["device"].get<std::string>(),
                   options.rounds);
        fmt::print("{:<30}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}\n",
                   "",
                   "device",
                   "start",
                   "first",
                   "again",
                   "driver",
                   "pipelines");
    }
    for (const std::string& model : options.models) {
        for (const std::string& mode : kStartModes) {
            std::map<std::string, std::vector<Json>> runs;
            for (int round = 0; round < options.rounds; ++round) {
                const CacheFolder caches;
                runs["cold"].push_back(run_process(caches, model, mode));
                runs["warm"].push_back(run_process(caches, model, mode));
            }
            for (const auto& [cache, its_runs] : runs) {
                json[model][mode][cache] = median_of(its_runs);
                if (!options.as_json) {
                    print_row(model + " " + mode + " " + cache, json[model][mode][cache]);
                }
            }
        }
    }
    if (options.as_json) {
        fmt::print("{}\n", json.dump(2));
    }
}

}  // namespace

void add_bench_start(CLI::App& bench) {
    CLI::App* command = bench.add_subcommand(
        "start", "time to the first result in a fresh process, with and without caches");
    const auto options = std::make_shared<Options>();
    command->add_option("--rounds", options->rounds, "processes of each kind")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_flag("--json", options->as_json);
    command->add_option("--model", options->models, "of these models")
        ->check(CLI::IsMember(kModels))
        ->capture_default_str();
    CLI::Option* const once =
        command->add_option("--once", options->model, "measures this process, for one that asks")
            ->check(CLI::IsMember(kModels));
    command->add_option("--mode", options->mode)->check(CLI::IsMember(kStartModes))->needs(once);
    command->add_option("--since", options->since_ns, "when that one started this process")
        ->needs(once);
    command->callback([options, once] {
        if (once->empty()) {
            run_start(*options);
        } else {
            run_once(*options);
        }
    });
}

}  // namespace pumice::command
