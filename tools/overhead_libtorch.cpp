// SPDX-License-Identifier: Apache-2.0
// LibTorch's side of `pumice bench overhead`: the same calls, the same keys, JSON on stdout.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <torch/torch.h>

namespace {

double time_calls(std::int64_t calls, const std::function<void(std::int64_t)>& run) {
    constexpr int kRounds = 5;
    const std::int64_t calls_a_round = calls / kRounds;
    run(calls / 100 + 1);
    double best = 1e30;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        run(calls_a_round);
        const std::chrono::duration<double, std::nano> taken =
            std::chrono::steady_clock::now() - begin;
        best = std::min(best, taken.count() / static_cast<double>(calls_a_round));
    }
    return best;
}

void add_calls(const torch::Tensor& a, const torch::Tensor& b, std::int64_t calls) {
    for (std::int64_t i = 0; i < calls; ++i) {
        const torch::Tensor c = torch::add(a, b);
    }
}

void view_calls(const torch::Tensor& a, std::int64_t calls) {
    for (std::int64_t i = 0; i < calls; ++i) {
        const torch::Tensor c = a.view({2, 2});
    }
}

void print(const char* name, double value, const char* end) {
    std::printf("\"%s\": %.1f%s", name, value, end);
}

void print_all(std::int64_t calls) {
    torch::set_num_threads(1);
    const torch::Tensor a = torch::ones({4});
    const torch::Tensor b = torch::ones({4});
    const torch::Tensor r = torch::ones({4}, torch::requires_grad());
    std::printf("{");
    {
        const c10::InferenceMode guard;
        const torch::Tensor ia = torch::ones({4});
        const torch::Tensor ib = torch::ones({4});
        print("inference_add", time_calls(calls, [&](auto n) { add_calls(ia, ib, n); }), ", ");
        print("inference_view", time_calls(calls, [&](auto n) { view_calls(ia, n); }), ", ");
    }
    {
        const torch::NoGradGuard guard;
        print("no_grad_add", time_calls(calls, [&](auto n) { add_calls(a, b, n); }), ", ");
        print("no_grad_view", time_calls(calls, [&](auto n) { view_calls(a, n); }), ", ");
    }
    print("grad_add", time_calls(calls, [&](auto n) { add_calls(a, b, n); }), ", ");
    print("grad_recorded", time_calls(calls, [&](auto n) { add_calls(r, b, n); }), ", ");
    print("grad_view", time_calls(calls, [&](auto n) { view_calls(a, n); }), "}\n");
}

}  // namespace

int main(int argc, char** argv) {
    try {
        print_all(argc > 1 ? std::atoll(argv[1]) : 1000000);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "overhead_libtorch: %s\n", e.what());
        return 1;
    }
    return 0;
}
