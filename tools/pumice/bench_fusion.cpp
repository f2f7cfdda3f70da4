// SPDX-License-Identifier: Apache-2.0
// pumice bench fusion: chains of elementwise operators around other operators, call by call,
// captured as kernels of their own, and captured within the kernels of the others.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "commands.h"
#include "timing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pumice::command {

namespace {

struct Options {
    int rounds = 10;
    bool as_json = false;
};

struct Case {
    std::string name;
    std::vector<Dims> sizes;  ///< of the arguments
    std::function<Tensor(std::span<const Tensor>)> fn;
};

// Shapes of an encoder of BERT-base's size on 128 tokens, and of ResNet-18's first stage.
std::vector<Case> cases() {
    using Arguments = std::span<const Tensor>;
    return {
        {"linear + bias, gelu",
         {{128, 768}, {3072, 768}, {3072}},
         [](Arguments x) { return gelu(linear(x[0], x[1], x[2])); }},
        {"linear, residual",
         {{128, 3072}, {768, 3072}, {768}, {128, 768}},
         [](Arguments x) { return add(linear(x[0], x[1], x[2]), x[3]); }},
        {"conv2d, scale, shift, residual, relu",
         {{1, 64, 56, 56}, {64, 64, 3, 3}, {64, 1, 1}, {1, 64, 56, 56}},
         [](Arguments x) {
             return relu(add(add(mul(conv2d(x[0], x[1], {}, 1, 1), x[2]), x[2]), x[3]));
         }},
        {"scale, mask, softmax",
         {{12, 128, 128}, {128, 128}},
         [](Arguments x) { return softmax(add(mul(x[0], 0.125), x[1]), -1); }},
        {"add, layer_norm",
         {{128, 768}, {128, 768}},
         [](Arguments x) { return layer_norm(add(x[0], x[1]), {768}); }},
        {"layer_norm, silu",
         {{512, 768}},
         [](Arguments x) { return silu(layer_norm(x[0], {768})); }},
        {"squared difference, sum",
         {{1000, 1000}, {1000}},
         [](Arguments x) { return sum(square(sub(x[0], x[1])), {1}); }},
        {"exp, var", {{1000, 1000}}, [](Arguments x) { return var(exp(x[0]), {1}); }},
        {"attention from its parts",
         {{12, 128, 64}, {12, 128, 64}, {12, 128, 64}, {128, 128}},
         [](Arguments x) {
             const Tensor scores = mul(matmul(x[0], x[1].transpose(-1, -2)), 0.125);
             return matmul(softmax(add(scores, x[3]), -1), x[2]);
         }},
    };
}

void run_fusion(const Options& options) {
    const InferenceMode guard;
    nlohmann::ordered_json json;
    if (!options.as_json) {
        fmt::print("{:<38}{:>10}{:>10}{:>10}  kernels\n", "ms", "eager", "captured", "within");
    }
    for (const Case& each : cases()) {
        std::vector<Tensor> arguments;
        for (const Dims& sizes : each.sizes) {
            arguments.push_back(rand(sizes));
        }
        const auto fn = [&each](std::span<const Tensor> x) {
            return std::vector<Tensor>{each.fn(x)};
        };
        const Plan within = capture(fn, arguments, {.alias_outputs = true});
        const Plan apart = capture(
            fn,
            arguments,
            {.recognise_attention = false, .fuse_into_kernels = false, .alias_outputs = true});
        const std::vector<double> ms = time_by_turns({[&] { (void)fn(arguments); },
                                                      [&] { (void)apart.replay(arguments); },
                                                      [&] { (void)within.replay(arguments); }},
                                                     options.rounds);
        json[each.name] = {{"eager_ms", ms[0]},
                           {"captured_ms", ms[1]},
                           {"within_ms", ms[2]},
                           {"captured_kernels", apart.stats().kernel_count},
                           {"within_kernels", within.stats().kernel_count}};
        if (!options.as_json) {
            fmt::print("{:<38}{:>10.2f}{:>10.2f}{:>10.2f}  {} to {}\n",
                       each.name,
                       ms[0],
                       ms[1],
                       ms[2],
                       apart.stats().kernel_count,
                       within.stats().kernel_count);
        }
    }
    if (options.as_json) {
        fmt::print("{}\n", json.dump(2));
    }
}

}  // namespace

void add_bench_fusion(CLI::App& bench) {
    CLI::App* command =
        bench.add_subcommand("fusion", "elementwise operators within other operators' kernels");
    const auto options = std::make_shared<Options>();
    command->add_option("--rounds", options->rounds, "timed runs of each")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_flag("--json", options->as_json);
    command->callback([options] { run_fusion(*options); });
}

}  // namespace pumice::command
