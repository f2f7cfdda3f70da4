// SPDX-License-Identifier: Apache-2.0
// pumice bench chain: a chain of elementwise operators, call by call and captured.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "commands.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace pumice::command {

namespace {

struct Options {
    int operators = 10;
    std::int64_t elements = 1000000;
    int rounds = 20;
    bool as_json = false;
};

// Cheap and dear operators by turns, that stay within floats.
Tensor chain(const Tensor& x, const Tensor& y, int operators) {
    Tensor z = x;
    for (int i = 0; i < operators; ++i) {
        switch (i % 5) {
            case 0: z = mul(std::move(z), y); break;
            case 1: z = add(std::move(z), 0.5); break;
            case 2: z = silu(std::move(z)); break;
            case 3: z = sub(std::move(z), y); break;
            default: z = relu(std::move(z)); break;
        }
    }
    return z;
}

double milliseconds(const std::function<void()>& run) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    synchronize();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
        .count();
}

double median(std::vector<double> times) {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

void run_chain(const Options& options) {
    const InferenceMode guard;
    const Tensor x = rand({options.elements});
    const Tensor y = rand({options.elements});
    const auto fn = [&](const Tensor& a, const Tensor& b) {
        return chain(a, b, options.operators);
    };
    const Plan fused = capture(fn, {x, y}, {.alias_outputs = true});
    const Plan plain = capture(fn, {x, y}, {.fuse_elementwise = false, .alias_outputs = true});
    std::vector<double> eager_ms;
    std::vector<double> plain_ms;
    std::vector<double> fused_ms;
    // By turns, so that whatever else the machine does meets all alike; the first round warms up.
    for (int round = 0; round <= options.rounds; ++round) {
        const double eager = milliseconds([&] { (void)fn(x, y); });
        const double replayed = milliseconds([&] { (void)plain(x, y); });
        const double joined = milliseconds([&] { (void)fused(x, y); });
        if (round > 0) {
            eager_ms.push_back(eager);
            plain_ms.push_back(replayed);
            fused_ms.push_back(joined);
        }
    }
    const nlohmann::ordered_json json = {{"operators", options.operators},
                                         {"elements", options.elements},
                                         {"eager_ms", median(eager_ms)},
                                         {"captured_ms", median(plain_ms)},
                                         {"fused_ms", median(fused_ms)},
                                         {"fused_kernels", fused.stats().kernel_count},
                                         {"speedup", median(eager_ms) / median(fused_ms)}};
    if (options.as_json) {
        fmt::print("{}\n", json.dump(2));
        return;
    }
    fmt::print("{} elementwise operators on {} elements, median of {}\n",
               options.operators,
               options.elements,
               options.rounds);
    fmt::print("eager           {:>8.2f} ms\n", median(eager_ms));
    fmt::print("captured        {:>8.2f} ms\n", median(plain_ms));
    fmt::print("captured, fused {:>8.2f} ms, {:.1f} x faster than eager\n",
               median(fused_ms),
               median(eager_ms) / median(fused_ms));
}

}  // namespace

void add_bench_chain(CLI::App& bench) {
    CLI::App* command = bench.add_subcommand(
        "chain", "a chain of elementwise operators: eager, captured, captured and fused");
    const auto options = std::make_shared<Options>();
    command->add_option("--operators", options->operators, "length of the chain")
        ->check(CLI::Range(1, 10000))
        ->capture_default_str();
    command->add_option("--elements", options->elements, "of each tensor")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--rounds", options->rounds, "timed runs of each")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_flag("--json", options->as_json);
    command->callback([options] { run_chain(*options); });
}

}  // namespace pumice::command
