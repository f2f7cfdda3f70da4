// SPDX-License-Identifier: Apache-2.0
#include "dispatch/state.h"

#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace pumice {

namespace {

constexpr const char* kTerminal = "Cannot nest enable_grad inside inference_mode";

constexpr AutogradState kGradState{.grad = true, .inference = false, .fw_grad = true};
constexpr AutogradState kNoGradState{.grad = false, .inference = false, .fw_grad = true};
constexpr AutogradState kInferenceState{.grad = false, .inference = true, .fw_grad = false};

template <class T>
constexpr bool kHasHeapForm = requires {
    new T();
};

int reported = 0;

}  // namespace

TEST_CASE("G1 G2 G3 the state is trivially copyable and starts in grad mode on every thread") {
    static_assert(std::is_trivially_copyable_v<AutogradState>);
    CHECK(autograd_state() == kGradState);
    AutogradState seen = kNoGradState;
    const NoGradGuard guard;
    std::thread([&seen] { seen = autograd_state(); }).join();
    CHECK(seen == kGradState);
    inference_mode([] {
        const AutogradState state = autograd_state();
        CHECK(state.inference);
        CHECK(!state.grad);
        CHECK(!state.fw_grad);
    });
}

TEST_CASE("G6 G7 on-forms inside inference mode throw, run nothing and change nothing") {
    const AutoGradMode outer(true);
    const InferenceMode guard;
    bool ran = false;
    const auto body = [&ran] { ran = true; };
    test::check_throws<GradModeError>([] { const AutoGradMode on(true); }, kTerminal);
    test::check_throws<GradModeError>([&] { enable_grad(body); }, kTerminal);
    test::check_throws<GradModeError>([&] { grad_mode(true, body); }, kTerminal);
    test::check_throws<GradModeError>([&] { with_grad(body)(); }, kTerminal);
    test::check_throws<GradModeError>([] { set_grad_enabled(true); }, kTerminal);
    test::check_throws<GradModeError>([] { GradMode::set_enabled(true); }, kTerminal);
    CHECK(!ran);
    CHECK(autograd_state() == kInferenceState);
}

TEST_CASE("the table of section 2: entering each form from each mode") {
    const auto off_forms = [](const AutogradState& wanted) {
        no_grad([&] { CHECK(autograd_state() == wanted); });
        grad_mode(false, [&] { CHECK(autograd_state() == wanted); });
        const NoGradGuard guard;
        CHECK(autograd_state() == wanted);
    };
    const auto on_forms = [] {
        enable_grad([] { CHECK(autograd_state() == kGradState); });
        grad_mode(true, [] { CHECK(autograd_state() == kGradState); });
        const AutoGradMode guard(true);
        CHECK(autograd_state() == kGradState);
    };
    const auto inference_forms = [] {
        inference_mode([] { CHECK(autograd_state() == kInferenceState); });
        inference_mode(false, [] { CHECK(autograd_state() == kGradState); });
    };
    SUBCASE("grad") {
        off_forms(kNoGradState);
        on_forms();
        inference_forms();
    }
    SUBCASE("no_grad") {
        const NoGradGuard guard;
        off_forms(kNoGradState);
        on_forms();
        inference_forms();  // G9: InferenceMode(false) turns grad on
        CHECK(autograd_state() == kNoGradState);
    }
    SUBCASE("inference") {
        const InferenceMode guard;
        off_forms(kInferenceState);
        inference_forms();
        CHECK(autograd_state() == kInferenceState);
    }
    SUBCASE("G8 InferenceMode(false) inside inference") {
        const InferenceMode outer;
        const InferenceMode exit(false);
        off_forms(kNoGradState);
        on_forms();
        inference_forms();
        CHECK(!ones({2}).is_inference());
    }
    CHECK(autograd_state() == kGradState);
}

TEST_CASE("G10 guards restore the complete previous state, also on exceptions") {
    try {
        const InferenceMode guard;
        throw std::string("mine");
    } catch (const std::string& text) {
        CHECK(text == "mine");
    }
    CHECK(autograd_state() == kGradState);
    {
        const NoGradGuard outer;
        {
            const InferenceMode inner;
            const NoGradGuard innermost;
        }
        CHECK(autograd_state() == kNoGradState);
    }
    CHECK(autograd_state() == kGradState);
}

TEST_CASE("G12 guards do not copy, move or live on the heap; optional emplace works") {
    static_assert(!std::is_copy_constructible_v<NoGradGuard>);
    static_assert(!std::is_move_constructible_v<InferenceMode>);
    static_assert(!std::is_copy_assignable_v<AutoGradMode>);
    static_assert(!kHasHeapForm<NoGradGuard>);
    std::optional<NoGradGuard> guard;
    guard.emplace();
    CHECK(!is_grad_enabled());
    guard.reset();
    CHECK(is_grad_enabled());
}

TEST_CASE("G13 a guard destroyed out of order is reported and changes nothing") {
    reported = 0;
    const GradModeErrorHandler before =
        set_grad_mode_error_handler([](const char* /*message*/) noexcept { ++reported; });
    std::optional<NoGradGuard> first;
    std::optional<InferenceMode> second;
    first.emplace();
    second.emplace();
    first.reset();
    CHECK(reported == 1);
    CHECK(autograd_state() == kInferenceState);
    second.reset();
    CHECK(reported == 1);
    set_grad_mode_error_handler(before);
    set_grad_enabled(true);
    CHECK(autograd_state() == kGradState);
}

TEST_CASE("G14 set_grad_enabled lasts until the innermost guard restores") {
    grad_mode(true, [] {
        set_grad_enabled(false);
        CHECK(!is_grad_enabled());
    });
    CHECK(is_grad_enabled());
    set_grad_enabled(false);
    bool other_thread = false;
    std::thread([&other_thread] { other_thread = is_grad_enabled(); }).join();
    CHECK(other_thread);
    CHECK(!is_grad_enabled());
    set_grad_enabled(true);
}

TEST_CASE("G16 lambda forms forward values, references, move-only results and void") {
    int value = 1;
    int& reference = no_grad([&value]() -> int& { return value; });
    CHECK(&reference == &value);
    const std::unique_ptr<int> owned = inference_mode([] { return std::make_unique<int>(7); });
    CHECK(*owned == 7);
    const Tensor made = inference_mode([] { return ones({2}); });
    CHECK(made.is_inference());
    static_assert(std::is_void_v<decltype(enable_grad([] {}))>);
}

TEST_CASE("G17 wrapping forms enter on each call and honour false") {
    auto wrapped = with_inference_mode([] { return is_inference_mode_enabled(); });
    CHECK(!is_inference_mode_enabled());
    CHECK(wrapped());
    CHECK(wrapped());
    auto left = with_inference_mode([] { return is_inference_mode_enabled(); }, false);
    CHECK(!inference_mode([&left] { return left(); }));
    CHECK(!with_no_grad([] { return is_grad_enabled(); })());
    CHECK(no_grad([] { return with_grad([] { return is_grad_enabled(); })(); }));
}

TEST_CASE("G19 queries") {
    CHECK(current_grad_mode() == GradModeKind::kGrad);
    no_grad([] { CHECK(current_grad_mode() == GradModeKind::kNoGrad); });
    inference_mode([] {
        CHECK(current_grad_mode() == GradModeKind::kInference);
        CHECK(InferenceMode::is_enabled());
        CHECK(!GradMode::is_enabled());
    });
}

TEST_CASE("G64 PersistentAllocGuard makes normal tensors in persistent memory") {
    const InferenceMode guard;
    const std::uint64_t before = memory_stats().transient_live_bytes;
    Tensor kept;
    {
        const PersistentAllocGuard persistent;
        CHECK(!is_grad_enabled());
        CHECK(!is_inference_mode_enabled());
        kept = ones({1024});
    }
    CHECK(!kept.is_inference());
    CHECK(memory_stats().transient_live_bytes == before);
    CHECK(autograd_state() == kInferenceState);
}

}  // namespace pumice
