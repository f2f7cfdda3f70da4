// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "commands.h"
#include "dispatch/decide.h"
#include "dispatch/state.h"
#include "libtorch_overhead.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace pumice::command {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::int64_t calls = 1000000;
    bool as_json = false;
};

using Run = std::function<void(std::int64_t)>;  // runs that many calls

struct Column {
    const char* name;
    Run run;
};

// ns a call of each column, best of several rounds: the machine's noise only ever adds. The columns
// take turns, so that they meet the same noise.
std::vector<double> time_calls(std::int64_t calls, const std::vector<Column>& columns) {
    constexpr int kRounds = 25;
    const std::int64_t calls_a_round = calls / kRounds + 1;
    std::vector<double> best(columns.size(), 1e30);
    for (const Column& column : columns) {
        column.run(calls_a_round);
    }
    for (int round = 0; round < kRounds; ++round) {
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const auto begin = std::chrono::steady_clock::now();
            columns[i].run(calls_a_round);
            const std::chrono::duration<double, std::nano> taken =
                std::chrono::steady_clock::now() - begin;
            best[i] = std::min(best[i], taken.count() / static_cast<double>(calls_a_round));
        }
    }
    return best;
}

void add_calls(const Tensor& a, const Tensor& b, std::int64_t calls) {
    for (std::int64_t i = 0; i < calls; ++i) {
        const Tensor c = add(a, b);
    }
}

void view_calls(const Tensor& a, std::int64_t calls) {
    for (std::int64_t i = 0; i < calls; ++i) {
        const Tensor c = a.view({2, 2});
    }
}

// ns of decide() with the thread's state read, over calls of every form and mode that do not throw.
double measure_decide(std::int64_t calls) {
    std::array<dispatch::CallTraits, 16> traits{};
    for (std::size_t i = 0; i < traits.size(); ++i) {
        traits[i].form = i % 4 == 3 ? dispatch::Form::kInPlace : static_cast<dispatch::Form>(i % 2);
        traits[i].has_normal_operand = i % 3 != 0;
        traits[i].has_differentiable_r = traits[i].form != dispatch::Form::kInPlace && i % 5 < 2;
        traits[i].target_requires_grad = traits[i].has_differentiable_r;
    }
    std::int64_t sum = 0;
    const Run run = [&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) {
            const dispatch::Decision decision =
                dispatch::decide("bench",
                                 traits[static_cast<std::size_t>(i) % traits.size()],
                                 dispatch::thread_state.autograd,
                                 dispatch::thread_state.is_persistent_forced);
            sum += static_cast<std::int64_t>(decision.record) +
                   static_cast<std::int64_t>(decision.creation) +
                   static_cast<std::int64_t>(decision.storage) +
                   static_cast<std::int64_t>(decision.output_is_inference);
        }
    };
    const double taken = time_calls(calls, {{"decide", run}})[0];
    // Or the loop would not be run: the sum of small non-negative numbers is not negative.
    return sum < 0 ? 0.0 : taken;
}

// The same keys as tools/overhead_libtorch.cpp prints.
Json measure(std::int64_t calls) {
    const Tensor a = ones({4});
    const Tensor b = ones({4});
    Tensor r = ones({4});
    r.set_requires_grad(true);
    const auto [ia, ib] = inference_mode([] { return std::pair(ones({4}), ones({4})); });
    const auto in_inference = [](const Run& run) -> Run {
        return [run](std::int64_t count) {
            const InferenceMode guard;
            run(count);
        };
    };
    const auto in_no_grad = [](const Run& run) -> Run {
        return [run](std::int64_t count) {
            const NoGradGuard guard;
            run(count);
        };
    };
    const auto adds = [](const Tensor& x, const Tensor& y) -> Run {
        return [x, y](std::int64_t count) { add_calls(x, y, count); };
    };
    const auto views = [](const Tensor& x) -> Run {
        return [x](std::int64_t count) { view_calls(x, count); };
    };
    const std::vector<Column> columns = {
        {"inference_add", in_inference(adds(ia, ib))},
        {"inference_view", in_inference(views(ia))},
        {"no_grad_add", in_no_grad(adds(a, b))},
        {"no_grad_view", in_no_grad(views(a))},
        {"grad_add", adds(a, b)},
        {"grad_recorded", adds(r, b)},
        {"grad_view", views(a)},
    };
    const std::vector<double> taken = time_calls(calls, columns);
    Json figures;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        figures[columns[i].name] = taken[i];
    }
    return figures;
}

void run_overhead(const Options& options) {
    vk::Device& device = vk::device();
    synchronize();
    vk::install_null_execution(device);
    const MemoryStats before = memory_stats();
    const Json ours = measure(options.calls);
    const MemoryStats after = memory_stats();
    vk::restore(device);
    const double decide_ns = measure_decide(options.calls);
    const Json theirs = libtorch_overhead(options.calls);
    if (options.as_json) {
        Json json = ours;
        json["decide"] = decide_ns;
        json["calls_a_column"] = options.calls;
        json["dispatches"] = after.dispatch_count - before.dispatch_count;
        json["submits"] = after.submit_count - before.submit_count;
        json["barriers"] = after.barrier_count - before.barrier_count;
        json["driver_allocations"] = after.driver_allocation_count - before.driver_allocation_count;
        json["libtorch"] = theirs;
        fmt::print("{}\n", json.dump(2));
        return;
    }
    fmt::print("ns a call, {} calls a column, 4 floats, null execution\n", options.calls);
    for (const auto& [name, value] : ours.items()) {
        fmt::print("{:<16} {:>8.1f}{}\n",
                   name,
                   value.get<double>(),
                   theirs.is_null()
                       ? ""
                       : fmt::format("   LibTorch {:>8.1f}", theirs[name].get<double>()));
    }
    fmt::print("decide() alone {:.1f}\n", decide_ns);
    fmt::print("dispatches {}, submits {}, barriers {}, driver allocations {}\n",
               after.dispatch_count - before.dispatch_count,
               after.submit_count - before.submit_count,
               after.barrier_count - before.barrier_count,
               after.driver_allocation_count - before.driver_allocation_count);
    if (theirs.is_null()) {
        fmt::print("LibTorch: not built; run tools/setup --bench and build again\n");
    }
}

}  // namespace

void add_bench(CLI::App& app) {
    CLI::App* bench = app.add_subcommand("bench", "measurements");
    bench->require_subcommand(1);
    CLI::App* command =
        bench->add_subcommand("overhead", "host cost of one operator, device calls as no-ops");
    const auto options = std::make_shared<Options>();
    command->add_option("--calls", options->calls, "calls a column")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_flag("--json", options->as_json);
    command->callback([options] { run_overhead(*options); });
    add_bench_memory(*bench);
    add_bench_chain(*bench);
    add_bench_fusion(*bench);
    add_bench_replay(*bench);
    add_bench_soak(*bench);
    add_bench_start(*bench);
}

}  // namespace pumice::command
