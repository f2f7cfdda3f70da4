// SPDX-License-Identifier: Apache-2.0
#include "soak/soak.h"

#include "pumice/error.h"
#include "pumice/graph.h"
#include "pumice/nn/layers.h"
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pumice::soak {

namespace {

constexpr std::int64_t kWidth = 24;
constexpr std::int64_t kPhasePasses = 250;
constexpr std::int64_t kCapturePasses = 500;  // passes from one new capture to the next

// Resident memory from the kernel's account of this process.
std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t total_pages = 0;
    std::uint64_t resident_pages = 0;
    file >> total_pages >> resident_pages;
    return file ? resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

Holding holding_now() {
    const MemoryStats stats = memory_stats();
    return {.reserved_bytes = stats.reserved_bytes,
            .live_bytes = stats.live_bytes,
            .host_bytes = resident_bytes(),
            .driver_allocations = stats.driver_allocation_count};
}

// SplitMix64 (Steele, Lea and Flood, 2014): the same sizes with every library.
class Draw {
public:
    explicit Draw(std::uint64_t seed) : state_(seed) {}

    /// In [0, count).
    std::int64_t below(std::int64_t count) {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t bits = state_;
        bits = (bits ^ (bits >> 30U)) * 0xbf58476d1ce4e5b9U;
        bits = (bits ^ (bits >> 27U)) * 0x94d049bb133111ebU;
        bits ^= bits >> 31U;
        return static_cast<std::int64_t>(bits % static_cast<std::uint64_t>(count));
    }

private:
    std::uint64_t state_;
};

class NetImpl : public nn::Module {
public:
    NetImpl() {
        up = register_module("up", nn::Linear(kWidth, 2 * kWidth));
        norm = register_module("norm", nn::LayerNorm(Dims{2 * kWidth}));
        down = register_module("down", nn::Linear(2 * kWidth, kWidth));
    }

    /// [N, kWidth] -> [N, kWidth]
    Tensor forward(const Tensor& x) {
        return add(x, softmax(down->forward(gelu(norm->forward(up->forward(x)))), -1));
    }

    nn::Linear up = nullptr;
    nn::LayerNorm norm = nullptr;
    nn::Linear down = nullptr;
};

using Net = nn::ModuleHolder<NetImpl>;

/// A plan with arguments for it.
struct Captured {
    Plan plan;
    Tensor argument;
};

class Run {
public:
    explicit Run(const Options& options)
        : options_(options), draw_(options.seed), sgd_(net_->parameters(), {.lr = 1e-3}) {
        for (Captured& captured : captured_) {
            capture_into(captured, options_.most_rows);
        }
    }

    void pass(std::int64_t number) {
        set_phase(number);
        if (number % kPhasePasses == kPhasePasses / 2) {
            take_most();
        }
        if (number % kCapturePasses == kCapturePasses - 1) {
            capture_into(captured_[static_cast<std::size_t>(draw_.below(kPlanCount))],
                         1 + draw_.below(options_.most_rows));
        }
        switch (draw_.below(8)) {
            case 0: train(); break;
            case 1: leave_graph(); break;
            case 2: finish_graph(); break;
            case 3: no_grad([this] { read(net_->forward(randn({rows(), kWidth}))); }); break;
            case 4: inference_mode([this] { read(net_->forward(randn({rows(), kWidth}))); }); break;
            case 5: replay(); break;
            case 6: update_in_place(); break;
            default: keep_another(); break;
        }
        look_at_views();
    }

private:
    static constexpr std::int64_t kPlanCount = 3;

    // Up in one half of a phase, down in the other.
    void set_phase(std::int64_t number) {
        const std::int64_t at = number % kPhasePasses;
        const std::int64_t height = std::min(at, kPhasePasses - at) * 2;
        most_rows_ = std::max<std::int64_t>(1, options_.most_rows * height / kPhasePasses);
    }

    std::int64_t rows() { return 1 + draw_.below(most_rows_); }

    static void read(const Tensor& x) { (void)x.to_host(); }

    Tensor loss_of(const Tensor& x) { return mean(square(net_->forward(x))); }

    void train() {
        sgd_.zero_grad(draw_.below(2) == 0);
        const Tensor loss = loss_of(randn({rows(), kWidth}));
        loss.backward();
        sgd_.step();
        read(loss.detach());
    }

    // Saved tensors that outlive their pass.
    void leave_graph() { waiting_loss_ = loss_of(randn({rows(), kWidth})); }

    // The parameters may have been stepped since, which backward refuses; then the graph is
    // dropped.
    void finish_graph() {
        Tensor loss = std::exchange(waiting_loss_, {});
        if (!loss.defined()) {
            return;
        }
        try {
            loss.backward();
        } catch (const GradModeError&) {
            return;
        }
        read(loss.detach());
    }

    void capture_into(Captured& captured, std::int64_t row_count) {
        captured = {};
        inference_mode([&] {
            captured.argument = randn({row_count, kWidth});
            captured.plan = capture([this](const Tensor& x) { return net_->forward(x); },
                                    {captured.argument},
                                    {.plan_time_limit_s = 0.0});
        });
    }

    void replay() {
        const Captured& captured = captured_[static_cast<std::size_t>(draw_.below(kPlanCount))];
        inference_mode([&] { read(captured.plan(captured.argument)[0]); });
    }

    void update_in_place() {
        const std::int64_t row_count = rows();
        no_grad([&] {
            Tensor state = zeros({row_count, kWidth});
            for (int i = 0; i < 4; ++i) {
                Tensor part = slice(state, 0, draw_.below(row_count));
                add_(part, 1.0);
                mul_(state, 0.5);
            }
            copy_(state, tensor(std::vector<float>(kWidth, 1.0F)).expand({row_count, kWidth}));
            read(state);
        });
        Tensor x = randn({row_count, kWidth});
        x.set_requires_grad(true);
        Tensor y = mul(x, 2.0);
        Tensor half = slice(y, 1, 0, kWidth / 2);
        relu_(half);
        sum(y).backward();
        read(x.grad());
    }

    void look_at_views() {
        inference_mode(draw_.below(2) == 0, [this] {
            const Tensor x = randn({rows(), 4, 6});
            const std::vector<Tensor> parts = chunk(permute(x, {1, 0, 2}), 2, -1);
            const Tensor joined = cat({parts[1], parts[0]}, -1).reshape({-1, 12});
            read(add(transpose(joined, 0, 1), slice(joined, 1, 0, 1).reshape({1, -1})));
        });
    }

    // Tensors of both kinds, and of any size, that stay for many passes.
    void keep_another() { keep(draw_.below(kKeptCount), {rows(), 1 + draw_.below(kMostWidth)}); }

    void keep(std::int64_t place, const Dims& sizes) {
        Tensor& kept = kept_[static_cast<std::size_t>(place)];
        kept.reset();
        inference_mode(place % 2 == 0, [&] { kept = ones(sizes); });
    }

    // The most that any pass may hold, so that the warm-up has seen it: without it, a run that
    // draws higher sizes later would need more, and not because of what it did before.
    void take_most() {
        for (std::int64_t place = 0; place < kKeptCount; ++place) {
            keep(place, {options_.most_rows, kMostWidth});
        }
        for (Captured& captured : captured_) {
            capture_into(captured, options_.most_rows);
        }
        const Tensor x = randn({options_.most_rows, kWidth});
        waiting_loss_ = loss_of(x);
        sgd_.zero_grad();
        loss_of(x).backward();
        inference_mode([&] { read(net_->forward(randn({options_.most_rows, kWidth}))); });
    }

    static constexpr std::int64_t kKeptCount = 24;
    static constexpr std::int64_t kMostWidth = 100;

    const Options options_;
    Draw draw_;
    std::int64_t most_rows_ = 1;
    Net net_;
    optim::SGD sgd_;
    std::array<Captured, kPlanCount> captured_;
    std::array<Tensor, kKeptCount> kept_;
    Tensor waiting_loss_;
};

void check(const Options& options) {
    if (options.warm_up_passes < 1 || options.passes <= options.warm_up_passes) {
        throw ArgumentError("soak",
                            fmt::format("needs more passes than the warm-up's {}, and one there "
                                        "at least; got {}",
                                        options.warm_up_passes,
                                        options.passes));
    }
    if (options.most_rows < 1) {
        throw ArgumentError("soak",
                            fmt::format("most_rows must be positive; got {}", options.most_rows));
    }
}

}  // namespace

Report run(const Options& options) {
    check(options);
    Run work(options);
    Report report;
    for (std::int64_t number = 0; number < options.passes; ++number) {
        work.pass(number);
        if (number + 1 == options.warm_up_passes) {
            report.warm = holding_now();
        }
        if (number >= options.warm_up_passes) {
            report.most_reserved_bytes =
                std::max(report.most_reserved_bytes, memory_stats().reserved_bytes);
        }
    }
    report.end = holding_now();
    return report;
}

}  // namespace pumice::soak
