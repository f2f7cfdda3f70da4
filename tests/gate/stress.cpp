// SPDX-License-Identifier: Apache-2.0
// Threads and coroutines that enter and leave modes at random while they run operators and free
// each other's tensors; every state is compared with a model of it. Prints what was done and the
// throughput of one thread and of eight. Meant for the tsan preset.
#include "pumice/parallel.h"
#include "pumice/pumice.h"
#include "pumice/task.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using pumice::AutogradState;
using pumice::Tensor;

constexpr int kThreads = 8;
constexpr int kCoroutines = 200;
constexpr AutogradState kGradState{};
constexpr AutogradState kInferenceState{.grad = false, .inference = true, .fw_grad = false};

std::atomic<std::int64_t> operators{0};
std::atomic<std::int64_t> mode_changes{0};

void require(bool condition, const char* what) {
    if (!condition) {
        throw std::runtime_error(what);
    }
}

// Tensors of all flows: who puts one in frees somebody else's.
class Exchange {
public:
    void put(std::size_t slot, Tensor tensor) {
        Slot& place = slots_[slot % slots_.size()];
        const std::lock_guard lock(place.mutex);
        std::swap(place.tensor, tensor);
    }

private:
    struct Slot {
        std::mutex mutex;
        Tensor tensor;
    };

    std::array<Slot, 61> slots_;
};

Exchange exchange;

enum class Form : std::uint8_t { kNoGrad, kGradOn, kInference, kLeaveInference, kCount };

// What a form makes of a state, by the table of the rules' section 2; nothing where it throws E1.
std::optional<AutogradState> model_of(AutogradState state, Form form) {
    switch (form) {
        case Form::kNoGrad: state.grad = false; return state;
        case Form::kGradOn:
            if (state.inference) {
                return std::nullopt;
            }
            state.grad = true;
            return state;
        case Form::kInference: return kInferenceState;
        default: return kGradState;
    }
}

// One flow's random choices, and the operators it runs in whatever mode it is in.
class Flow {
public:
    explicit Flow(unsigned seed)
        : random_(seed),
          leaf_(pumice::inference_mode(false,
                                       [] {
                                           return pumice::ones({4}, {pumice::kFloat32, true});
                                       })),
          plain_(pumice::inference_mode(false, [] { return pumice::ones({4}); })) {}

    Form choose_form() {
        return static_cast<Form>(random_() % static_cast<unsigned>(Form::kCount));
    }

    bool chance(unsigned in) { return random_() % in == 0; }

    void check(const AutogradState& wanted) const {
        require(pumice::autograd_state() == wanted, "the state differs from the model");
    }

    void work(const AutogradState& state) {
        check(state);
        const Tensor tracked = pumice::add(leaf_, plain_);
        require(tracked.is_inference() == state.inference, "the kind differs from the model");
        require(tracked.requires_grad() == (state.grad && !state.inference),
                "what is recorded differs from the model");
        Tensor doubled = pumice::mul(plain_, 2);
        require(!doubled.requires_grad(), "a plain result requires grad");
        pumice::add_(doubled, 1);
        const Tensor view = doubled.view({2, 2});
        operators += 4;
        exchange.put(random_(), tracked);
        exchange.put(random_(), view);
        check(state);
    }

    // Enters a form, does `body(state)` in it and leaves.
    template <class Body>
    void enter(const AutogradState& state, Form form, const Body& body) {
        ++mode_changes;
        const std::optional<AutogradState> inner = model_of(state, form);
        if (!inner) {
            try {
                pumice::enable_grad([] {});
                require(false, "an on-form in inference mode did not throw");
            } catch (const pumice::GradModeError&) {
                check(state);
            }
            return;
        }
        switch (form) {
            case Form::kNoGrad: pumice::no_grad([&] { body(*inner); }); break;
            case Form::kGradOn: pumice::enable_grad([&] { body(*inner); }); break;
            case Form::kInference: pumice::inference_mode([&] { body(*inner); }); break;
            default: pumice::inference_mode(false, [&] { body(*inner); }); break;
        }
        check(state);
    }

    void nest(const AutogradState& state, int depth) {
        work(state);
        if (depth > 0) {
            enter(
                state, choose_form(), [&](const AutogradState& inner) { nest(inner, depth - 1); });
        }
    }

private:
    std::mt19937 random_;
    Tensor leaf_;
    Tensor plain_;
};

void run_thread(unsigned seed, int rounds) {
    Flow flow(seed);
    for (int i = 0; i < rounds; ++i) {
        flow.nest(kGradState, 4);
    }
}

// Guards live across suspensions; each resumption is on some thread of the pool.
pumice::Task<> run_coroutine(unsigned seed, AutogradState state, int rounds) {
    Flow flow(seed);
    for (int i = 0; i < rounds; ++i) {
        flow.work(state);
        co_await pumice::launch([] {});
        flow.check(state);
        const pumice::InferenceMode guard(flow.chance(2));
        mode_changes += 1;
        const AutogradState inner = pumice::autograd_state();
        flow.work(inner);
        co_await pumice::launch([] {});
        flow.nest(inner, 2);
        if (flow.chance(4)) {
            const Tensor four = pumice::ones({4});
            co_await four.to_host_async();
            flow.check(inner);
        }
    }
}

double seconds_of(const std::vector<std::thread>::size_type threads, int rounds) {
    std::vector<std::thread> running;
    std::vector<std::exception_ptr> errors(threads);
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < threads; ++i) {
        running.emplace_back([&errors, i, rounds] {
            try {
                run_thread(static_cast<unsigned>(i) + 1, rounds);
            } catch (...) {
                errors[i] = std::current_exception();
            }
        });
    }
    for (std::thread& thread : running) {
        thread.join();
    }
    for (const std::exception_ptr& error : errors) {
        if (error) {
            std::rethrow_exception(error);
        }
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    return taken.count();
}

void run_coroutines(int rounds) {
    std::vector<pumice::Task<>> tasks;
    for (unsigned i = 0; i < kCoroutines; ++i) {
        const auto start = [i, rounds] {
            return run_coroutine(1000 + i, pumice::autograd_state(), rounds);
        };
        tasks.push_back(i % 3 == 0   ? pumice::inference_mode(start)
                        : i % 3 == 1 ? pumice::no_grad(start)
                                     : start());
    }
    for (pumice::Task<>& task : tasks) {
        task.get();
    }
}

void run(int rounds) {
    const double one = seconds_of(1, rounds);
    const std::int64_t one_count = operators;
    const double eight = seconds_of(kThreads, rounds);
    const std::int64_t eight_count = operators - one_count;
    run_coroutines(rounds / 20 + 1);
    std::printf("%lld operators, %lld mode changes, %d threads, %d coroutines\n",
                static_cast<long long>(operators),
                static_cast<long long>(mode_changes),
                kThreads,
                kCoroutines);
    std::printf("operators a second: %.0f on one thread, %.0f on %d\n",
                static_cast<double>(one_count) / one,
                static_cast<double>(eight_count) / eight,
                kThreads);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(argc > 1 ? std::atoi(argv[1]) : 600);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
