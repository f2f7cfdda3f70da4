// SPDX-License-Identifier: Apache-2.0
// Modes that follow coroutines, futures and the pool: rules G18 and G57 to G63.
#include "pumice/task.h"

#include "pumice/parallel.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <coroutine>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace pumice::test {

namespace {

using Mode = GradModeKind;

// Where coroutines wait until the test lets them go on, in whatever order.
class Gate {
public:
    static bool await_ready() noexcept { return false; }

    void await_suspend(std::coroutine_handle<> coroutine) { waiting_ = coroutine; }

    static void await_resume() noexcept {}

    void open() { std::exchange(waiting_, {}).resume(); }

private:
    std::coroutine_handle<> waiting_;
};

// Notes the mode before and after a gate.
Task<int> note_modes(Gate& gate, std::vector<Mode>& modes, int result) {
    modes.push_back(current_grad_mode());
    co_await gate;
    modes.push_back(current_grad_mode());
    co_return result;
}

// Sets a mode of its own and keeps the guard across the gate.
Task<> guard_across(Gate& gate, std::vector<Mode>& modes) {
    const NoGradGuard guard;
    modes.push_back(current_grad_mode());
    co_await gate;
    modes.push_back(current_grad_mode());
}

Task<Tensor> double_on_device(Tensor x) {
    const HostTensor host = co_await mul(std::move(x), 2).to_host_async();
    co_return tensor<float>(host.values<float>());
}

template <class F>
Mode mode_on_new_thread(F&& fn) {
    Mode mode{};
    std::thread([&] { mode = fn(); }).join();
    return mode;
}

}  // namespace

TEST_CASE("G57 threads start in grad mode, and bind_mode takes the binder's along") {
    inference_mode([] {
        CHECK(mode_on_new_thread(current_grad_mode) == Mode::kGrad);
        CHECK(mode_on_new_thread(bind_mode(current_grad_mode)) == Mode::kInference);
    });
    auto bound =
        no_grad([] { return bind_mode([](int x) { return x + (is_grad_enabled() ? 1 : 0); }); });
    CHECK(bound(1) == 1);
    CHECK(current_grad_mode() == Mode::kGrad);
    auto throws = no_grad([] { return bind_mode([] { throw std::runtime_error("x"); }); });
    CHECK_THROWS_AS(throws(), std::runtime_error);
    CHECK(current_grad_mode() == Mode::kGrad);
}

TEST_CASE("G58 the pool runs work in the submitter's modes and is left as it was") {
    CHECK(inference_mode([] { return launch(current_grad_mode); }).get() == Mode::kInference);
    CHECK(no_grad([] { return launch(current_grad_mode); }).get() == Mode::kNoGrad);
    CHECK(launch(current_grad_mode).get() == Mode::kGrad);

    auto failed = inference_mode([] {
        return launch([]() -> int {
            set_grad_enabled(false);
            throw std::runtime_error("work failed");
        });
    });
    CHECK_THROWS_WITH_AS(failed.get(), "work failed", std::runtime_error);
    for (int i = 0; i < 2 * get_num_threads(); ++i) {
        CHECK(launch(current_grad_mode).get() == Mode::kGrad);
    }
}

TEST_CASE("G58 then runs in the modes of whoever registers it") {
    auto mode = no_grad([] {
        return launch([] { return 20; }).then([](int x) {
            return std::make_pair(x + 1, current_grad_mode());
        });
    });
    CHECK(mode.get() == std::make_pair(21, Mode::kNoGrad));

    bool ran = false;
    auto failed = launch([]() -> int { throw std::runtime_error("first"); }).then([&ran](int x) {
        ran = true;
        return x;
    });
    CHECK_THROWS_WITH_AS(failed.get(), "first", std::runtime_error);
    CHECK(!ran);
    auto nothing = launch([] {}).then([] { return 3; });
    CHECK(nothing.get() == 3);
}

TEST_CASE("G58 parallel_for covers its range in the caller's modes") {
    for (const std::int64_t grain : {1, 7, 100, 1000}) {
        std::vector<int> hits(1000);
        std::atomic<int> wrong_modes{0};
        inference_mode([&] {
            parallel_for(3, 1000, grain, [&](std::int64_t from, std::int64_t to) {
                wrong_modes += is_inference_mode_enabled() ? 0 : 1;
                for (std::int64_t i = from; i < to; ++i) {
                    ++hits[static_cast<std::size_t>(i)];
                }
            });
        });
        CHECK(wrong_modes == 0);
        CHECK(std::accumulate(hits.begin(), hits.end(), 0) == 997);
        CHECK(*std::max_element(hits.begin(), hits.end()) == 1);
    }
    CHECK_THROWS_WITH_AS(parallel_for(0,
                                      50,
                                      1,
                                      [](std::int64_t from, std::int64_t /*to*/) {
                                          if (from == 31) {
                                              throw std::runtime_error("piece 31");
                                          }
                                      }),
                         "piece 31",
                         std::runtime_error);
    parallel_for(5, 5, 1, [](std::int64_t /*from*/, std::int64_t /*to*/) { fail("called"); });
    check_throws<ArgumentError>([] { parallel_for(0, 1, 0, {}); }, "[parallel_for]");
}

TEST_CASE("G59 service threads have gradients and inference off, whoever starts them") {
    const InferenceMode guard;
    const MemoryStats before = memory_stats();
    std::optional<AutogradState> state;
    Tensor made;
    start_service_thread([&] {
        state = autograd_state();
        made = add(ones({4}), 1);
    }).join();
    CHECK(*state == AutogradState{.grad = false, .inference = false, .fw_grad = true});
    CHECK(!made.is_inference());
    CHECK(memory_stats().transient_live_bytes == before.transient_live_bytes);
    CHECK(is_inference_mode_enabled());
}

TEST_CASE("G60 a task keeps its mode across suspension, and its caller has its own back at once") {
    Gate gate;
    std::vector<Mode> modes;
    Task<int> task = inference_mode([&] { return note_modes(gate, modes, 7); });
    CHECK(current_grad_mode() == Mode::kGrad);
    CHECK(modes == std::vector<Mode>{Mode::kInference});
    CHECK(!task.is_ready());
    no_grad([&] {
        gate.open();
        CHECK(current_grad_mode() == Mode::kNoGrad);
    });
    CHECK(modes == std::vector<Mode>{Mode::kInference, Mode::kInference});
    CHECK(task.get() == 7);
}

TEST_CASE("G60 a task keeps its mode on whichever thread it goes on") {
    Gate gate;
    std::vector<Mode> modes;
    Task<int> task = no_grad([&] { return note_modes(gate, modes, 1); });
    CHECK(mode_on_new_thread([&gate] {
              gate.open();
              return current_grad_mode();
          }) == Mode::kGrad);
    CHECK(task.get() == 1);
    CHECK(modes == std::vector<Mode>{Mode::kNoGrad, Mode::kNoGrad});
}

TEST_CASE("G61 guards live across co_await and interleaved flows do not see each other") {
    Gate gates[2];
    std::vector<Mode> first;
    std::vector<Mode> second;
    Task<> a = guard_across(gates[0], first);
    CHECK(current_grad_mode() == Mode::kGrad);
    Task<> b = inference_mode([&] { return guard_across(gates[1], second); });
    CHECK(current_grad_mode() == Mode::kGrad);
    gates[0].open();
    gates[1].open();
    a.get();
    b.get();
    CHECK(first == std::vector<Mode>{Mode::kNoGrad, Mode::kNoGrad});
    CHECK(second == std::vector<Mode>{Mode::kInference, Mode::kInference});
    CHECK(current_grad_mode() == Mode::kGrad);
}

TEST_CASE("G62 an exception travels in the task and leaves no thread altered") {
    const auto failing = [](Gate& gate) -> Task<int> {
        const NoGradGuard guard;
        co_await gate;
        throw std::runtime_error("body");
    };
    Gate gate;
    Task<int> task = inference_mode([&] { return failing(gate); });
    gate.open();
    CHECK(current_grad_mode() == Mode::kGrad);
    CHECK_THROWS_WITH_AS(task.get(), "body", std::runtime_error);
    CHECK(current_grad_mode() == Mode::kGrad);

    // At once, before any suspension.
    const auto at_once = []() -> Task<int> {
        throw std::runtime_error("early");
        co_return 1;
    };
    Task<int> early = inference_mode(at_once);
    CHECK(current_grad_mode() == Mode::kGrad);
    CHECK_THROWS_WITH_AS(early.get(), "early", std::runtime_error);
}

TEST_CASE("G62 a task whose handle is dropped runs to its end and is freed") {
    Gate gate;
    std::vector<Mode> modes;
    {
        const Task<int> dropped = no_grad([&] { return note_modes(gate, modes, 1); });
    }
    gate.open();
    CHECK(modes == std::vector<Mode>{Mode::kNoGrad, Mode::kNoGrad});
    CHECK(current_grad_mode() == Mode::kGrad);
}

TEST_CASE("G63 with-forms and grad_mode cover the whole body of a task") {
    Gate gate;
    std::vector<Mode> modes;
    auto wrapped =
        with_inference_mode([](Gate& g, std::vector<Mode>& m) { return note_modes(g, m, 2); });
    Task<int> task = wrapped(gate, modes);
    gate.open();
    CHECK(task.get() == 2);
    CHECK(modes == std::vector<Mode>{Mode::kInference, Mode::kInference});
    // An on-form in the body throws E1 there, as it would in a plain function.
    const auto nested = [](Gate& g) -> Task<int> {
        co_await g;
        co_return enable_grad([] { return 1; });
    };
    Task<int> refused = inference_mode([&] { return nested(gate); });
    gate.open();
    check_throws<GradModeError>([&refused] { refused.get(); },
                                "Cannot nest enable_grad inside inference_mode");
    static_assert(is_async_result_v<Task<int>> && is_async_result_v<Future<int>>);
    static_assert(!is_async_result_v<int>);
}

TEST_CASE("co_await of a readback goes on with the values and the mode") {
    const Tensor x = tensor<float>({1.5F, -2.0F});
    Task<Tensor> task = inference_mode([&] { return double_on_device(x); });
    const Tensor doubled = task.get();
    CHECK(doubled.to_vector<float>() == std::vector<float>{3.0F, -4.0F});
    CHECK(doubled.is_inference());
    CHECK(current_grad_mode() == Mode::kGrad);

    // A chain of tasks, each awaiting the one before.
    const auto chain = [](Tensor start, int depth) -> Task<Tensor> {
        Tensor value = std::move(start);
        for (int i = 0; i < depth; ++i) {
            value = co_await double_on_device(value);
        }
        co_return value;
    };
    CHECK(chain(x, 10).get().to_vector<float>()[0] == 1536.0F);
    CHECK(zeros({0})
              .to_host_async()
              .then([](const HostTensor& host) { return host.bytes.size(); })
              .get() == 0);
}

TEST_CASE("G18 a lazy range holds its mode only while its body runs") {
    std::vector<Mode> inside;
    const auto body = [](std::vector<Mode>& modes) -> LazyRange<int> {
        const NoGradGuard guard;
        for (int i = 0; i < 3; ++i) {
            modes.push_back(current_grad_mode());
            co_yield i;
        }
    };
    std::vector<int> values;
    LazyRange<int> range = inference_mode([&] { return body(inside); });
    CHECK(inside.empty());
    for (const int value : range) {
        CHECK(current_grad_mode() == Mode::kGrad);
        values.push_back(value);
    }
    CHECK(values == std::vector<int>{0, 1, 2});
    CHECK(inside == std::vector<Mode>(3, Mode::kInference));
    CHECK(!range.next());

    // Left half way: its guard ends in its own flow, which nobody reports.
    static int reported = 0;
    const GradModeErrorHandler before =
        set_grad_mode_error_handler([](const char* /*message*/) noexcept { ++reported; });
    {
        LazyRange<int> half = body(inside);
        CHECK(half.next() == 0);
    }
    set_grad_mode_error_handler(before);
    CHECK(reported == 0);
    CHECK(current_grad_mode() == Mode::kGrad);
}

TEST_CASE("set_num_threads refuses what it cannot do") {
    check_throws<ArgumentError>([] { set_num_threads(0); }, "[set_num_threads]");
    launch([] {}).get();
    check_throws<ArgumentError>([] { set_num_threads(3); }, "after it");
    CHECK(get_num_threads() >= 1);
}

}  // namespace pumice::test
