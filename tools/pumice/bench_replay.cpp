// SPDX-License-Identifier: Apache-2.0
// pumice bench replay: what a replay of a captured graph costs the host, with null execution.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "commands.h"
#include "timing.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>

namespace pumice::command {

namespace {

struct Options {
    int operators = 1000;
    int replays = 2000;
    bool as_json = false;
};

// One kernel an operator: fused, the chain would be a few.
Plan capture_chain(int operators, const Tensor& x) {
    return capture(
        [operators](const Tensor& in) {
            Tensor y = in;
            for (int i = 0; i < operators; ++i) {
                y = mul(std::move(y), 1.0 + 1e-3 * i);
            }
            return y;
        },
        {x},
        {.fuse_elementwise = false});
}

// A changed input, a replay, a host's read of the output.
double replay_ns(int operators, int replays) {
    const Tensor x = ones({4});
    const Plan plan = capture_chain(operators, x);
    return best_ns(replays, [&] { (void)plan(x)[0].to_vector<float>(); });
}

double eager_ns(int operators, int replays) {
    const Tensor x = ones({4});
    return best_ns(std::max(1, replays / 10), [&] {
        Tensor y = x;
        for (int i = 0; i < operators; ++i) {
            y = mul(std::move(y), 1.0 + 1e-3 * i);
        }
        (void)y.to_vector<float>();
    });
}

void run_replay(const Options& options) {
    vk::Device& device = vk::device();
    const InferenceMode guard;
    synchronize();
    vk::install_null_execution(device);
    const double one = replay_ns(1, options.replays);
    const double many = replay_ns(options.operators, options.replays);
    const double eager = eager_ns(options.operators, options.replays);
    vk::restore(device);
    const double slope = (many - one) / std::max(1, options.operators - 1);
    if (options.as_json) {
        const nlohmann::ordered_json json = {{"operators", options.operators},
                                             {"replay_of_one_ns", one},
                                             {"replay_ns", many},
                                             {"ns_an_operator", slope},
                                             {"eager_ns", eager}};
        fmt::print("{}\n", json.dump(2));
        return;
    }
    fmt::print("host time of a replay with an input and a read output, null execution\n");
    fmt::print("1 operator      {:>10.0f} ns\n", one);
    fmt::print(
        "{:<6} operators{:>10.0f} ns, {:.2f} an operator more\n", options.operators, many, slope);
    fmt::print("the same, eager {:>10.0f} ns\n", eager);
}

}  // namespace

void add_bench_replay(CLI::App& bench) {
    CLI::App* command =
        bench.add_subcommand("replay",
                             "host cost of replaying a captured graph, device calls as "
                             "no-ops");
    const auto options = std::make_shared<Options>();
    command->add_option("--operators", options->operators, "length of the captured chain")
        ->check(CLI::Range(2, 100000))
        ->capture_default_str();
    command->add_option("--replays", options->replays, "replays a round")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_flag("--json", options->as_json);
    command->callback([options] { run_replay(*options); });
}

}  // namespace pumice::command
