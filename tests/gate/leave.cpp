// SPDX-License-Identifier: Apache-2.0
// Leaves the process in one way while the driver compiles kernels that were just queued. The test
// tests/tools/leave_test.py runs each way many times and compares exit codes.
//   gate_leave WAY [SEED]      SEED: kernels that no cache has, for the number is compiled in
#include "pumice/graph.h"
#include "pumice/parallel.h"
#include "pumice/pumice.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using pumice::Tensor;

double seed = 1.0;

// Several kernels for the driver to compile; nothing waits.
Tensor queue_work() {
    Tensor x = pumice::full({33, 65}, seed);
    x = pumice::add(pumice::mul(x, seed), pumice::exp(x));
    return pumice::sum(x, {0}, true);
}

void start_work() {
    static_cast<void>(queue_work().to_host_async());
}

// Something that others do meanwhile.
void pause(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

[[noreturn]] void wait_for_the_end() {
    while (true) {
        pause(1000);
    }
}

int return_from_main() {
    start_work();
    return 3;
}

int return_after_an_error() {
    try {
        static_cast<void>(pumice::add(queue_work(), pumice::ones({7})));
    } catch (const pumice::ShapeError&) {
        return 4;
    }
    return 1;
}

int exit_from_main() {
    start_work();
    std::exit(5);
}

// A thread that has nothing to do with the engine ends the process, at some moment.
int exit_from_a_stranger() {
    static_cast<void>(pumice::ones({1}).item<float>());
    std::thread([] {
        pause(static_cast<int>(seed) % 16);
        std::exit(6);
    }).detach();
    for (int i = 0; i < 1000; ++i) {
        seed += 1.0 / 64.0;
        start_work();
    }
    wait_for_the_end();
}

int exit_from_a_worker() {
    std::thread([] {
        start_work();
        std::exit(7);
    }).detach();
    wait_for_the_end();
}

int exit_from_the_pool() {
    const auto result = pumice::launch([] {
        start_work();
        std::exit(8);
        return 0;
    });
    wait_for_the_end();
}

int exit_from_a_continuation() {
    const auto next = queue_work().to_host_async().then([](const pumice::HostTensor&) {
        start_work();
        std::exit(9);
        return 0;
    });
    wait_for_the_end();
}

int exit_from_a_hook() {
    Tensor x = pumice::ones({5}).set_requires_grad(true);
    x.register_hook([](const Tensor& gradient) -> Tensor {
        start_work();
        std::exit(10);
        return gradient;
    });
    pumice::sum(pumice::mul(x, x)).backward();
    return 1;
}

int return_beside_workers() {
    for (int i = 0; i < 3; ++i) {
        std::thread([] {
            while (true) {
                start_work();
            }
        }).detach();
    }
    pause(static_cast<int>(seed) % 16);
    return 11;
}

// Threads that compile: each capture has two kernels that no cache can have.
int return_beside_captures() {
    for (int i = 0; i < 2; ++i) {
        std::thread([i] {
            const Tensor x = pumice::ones({33, 65});
            for (int step = 1;; ++step) {
                const double number = seed + 0.5 * i + step / 64.0;
                const pumice::Plan plan = pumice::capture(
                    [number](const Tensor& y) {
                        const Tensor sums = pumice::sum(pumice::exp(pumice::mul(y, number)), {0});
                        return pumice::exp(pumice::mul(sums, -number));
                    },
                    {x});
                static_cast<void>(plan(x));
            }
        }).detach();
    }
    pause(20 + static_cast<int>(seed) % 16);
    return 19;
}

// The pool is at work that was posted before the device was there.
int return_beside_the_pool() {
    for (int i = 0; i < 2; ++i) {
        static_cast<void>(pumice::launch([] {
            for (int step = 0; step < 20; ++step) {
                start_work();
            }
            return 0;
        }));
    }
    start_work();
    return 12;
}

int return_with_statics() {
    static Tensor kept = queue_work();
    static auto future = queue_work().to_host_async();
    static std::optional<pumice::Plan> plan =
        pumice::capture([](const Tensor& x) { return pumice::exp(pumice::mul(x, seed)); }, {kept});
    static const auto results = (*plan)(kept);
    return 13;
}

// What is called after main finds no device, and says so.
int return_with_a_handler() {
    static const Tensor kept = queue_work();
    static_cast<void>(std::atexit([] {
        try {
            static_cast<void>(pumice::mul(kept, 2.0));
        } catch (const pumice::Error& error) {
            std::printf("%s\n", error.what());
        }
    }));
    start_work();
    return 14;
}

int leave_a_child() {
    start_work();
    const ::pid_t child = ::fork();
    if (child == 0) {
        std::exit(15);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int leave_quickly() {
    start_work();
    std::quick_exit(16);
}

int leave_at_once() {
    start_work();
    std::_Exit(17);
}

int throw_out_of_main() {
    start_work();
    throw std::runtime_error("out of main");
}

int return_without_work() {
    return static_cast<int>(pumice::ones({2}).numel()) + 16;
}

struct Way {
    std::string_view name;
    int (*leave)();
};

constexpr std::array<Way, 18> kWays = {{
    {"return", return_from_main},
    {"error", return_after_an_error},
    {"exit", exit_from_main},
    {"stranger", exit_from_a_stranger},
    {"worker", exit_from_a_worker},
    {"pool", exit_from_the_pool},
    {"continuation", exit_from_a_continuation},
    {"hook", exit_from_a_hook},
    {"beside_workers", return_beside_workers},
    {"beside_captures", return_beside_captures},
    {"beside_pool", return_beside_the_pool},
    {"statics", return_with_statics},
    {"handler", return_with_a_handler},
    {"child", leave_a_child},
    {"quick", leave_quickly},
    {"at_once", leave_at_once},
    {"throw", throw_out_of_main},
    {"nothing", return_without_work},
}};

}  // namespace

int main(int argc, char** argv) {
    const std::string_view wanted = argc > 1 ? argv[1] : "";
    seed = argc > 2 ? std::atof(argv[2]) : 1.0;
    for (const Way& way : kWays) {
        if (way.name == wanted) {
            return way.leave();
        }
    }
    std::fprintf(stderr, "usage: gate_leave WAY [SEED]\n");
    return 2;
}
