// SPDX-License-Identifier: Apache-2.0
// pumice bench chain: a chain of elementwise operators, call by call and captured, and what a call
// costs the host.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "commands.h"
#include "libtorch_overhead.h"
#include "timing.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

// Host time of a call of `fn`, device calls as no-ops.
double host_ns(const std::function<void()>& fn) {
    vk::Device& device = vk::device();
    synchronize();
    vk::install_null_execution(device);
    const double ns = best_ns(2000, fn);
    vk::restore(device);
    return ns;
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
    const std::vector<double> ms = time_by_turns(
        {[&] { (void)fn(x, y); }, [&] { (void)plain(x, y); }, [&] { (void)fused(x, y); }},
        options.rounds);
    const double eager_host_ns = host_ns([&] { (void)fn(x, y); }) / options.operators;
    const nlohmann::ordered_json libtorch = libtorch_overhead(100000);
    const nlohmann::ordered_json libtorch_host_ns =
        libtorch.is_null() ? libtorch : libtorch["inference_add"];
    const nlohmann::ordered_json json = {{"operators", options.operators},
                                         {"elements", options.elements},
                                         {"eager_ms", ms[0]},
                                         {"captured_ms", ms[1]},
                                         {"fused_ms", ms[2]},
                                         {"fused_kernels", fused.stats().kernel_count},
                                         {"speedup", ms[0] / ms[2]},
                                         {"eager_host_ns_an_operator", eager_host_ns},
                                         {"libtorch_inference_add_ns", libtorch_host_ns}};
    if (options.as_json) {
        fmt::print("{}\n", json.dump(2));
        return;
    }
    fmt::print("{} elementwise operators on {} elements, median of {}\n",
               options.operators,
               options.elements,
               options.rounds);
    fmt::print("eager           {:>8.2f} ms\n", ms[0]);
    fmt::print("captured        {:>8.2f} ms\n", ms[1]);
    fmt::print("captured, fused {:>8.2f} ms, {:.1f} x faster than eager\n", ms[2], ms[0] / ms[2]);
    fmt::print("host time of an eager operator, null execution: {:.0f} ns; {}\n",
               eager_host_ns,
               libtorch.is_null() ? "LibTorch not built: tools/setup --bench"
                                  : fmt::format("LibTorch's inference_add {:.0f}",
                                                libtorch_host_ns.get<double>()));
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
