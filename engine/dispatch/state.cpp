// SPDX-License-Identifier: Apache-2.0
// The thread's state of modes, and the guards that change it.
#include "dispatch/state.h"

#include "pumice/error.h"

#include "base/warn.h"

#include <atomic>
#include <cstdio>
#include <utility>

namespace pumice {

namespace dispatch {

thread_local constinit detail::FlowState thread_state{};

}  // namespace dispatch

using dispatch::thread_state;

namespace {

void print_guard_error(const char* message) noexcept {
    std::fprintf(stderr, "pumice: %s\n", message);
}

std::atomic<GradModeErrorHandler> guard_error_handler{print_guard_error};

}  // namespace

AutogradState autograd_state() noexcept {
    return thread_state.autograd;
}

GradModeKind current_grad_mode() noexcept {
    const AutogradState state = thread_state.autograd;
    if (state.inference) {
        return GradModeKind::kInference;
    }
    return state.grad ? GradModeKind::kGrad : GradModeKind::kNoGrad;
}

bool is_grad_enabled() noexcept {
    return thread_state.autograd.grad;
}

bool is_inference_mode_enabled() noexcept {
    return thread_state.autograd.inference;
}

void set_grad_enabled(bool enabled) {
    AutogradState& state = thread_state.autograd;
    if (enabled && state.inference) {
        throw GradModeError("grad_mode",
                            "Cannot nest enable_grad inside inference_mode. Leave it with "
                            "InferenceMode(false), or use no_grad outside of it.");
    }
    state.grad = enabled;
}

namespace detail {

void swap_flow_state(FlowState& state) noexcept {
    std::swap(thread_state, state);
}

FlowState copy_modes() noexcept {
    return {.autograd = thread_state.autograd,
            .is_persistent_forced = thread_state.is_persistent_forced};
}

StateGuard::StateGuard() noexcept
    : outer_(thread_state.innermost),
      previous_(thread_state.autograd),
      previous_persistent_(thread_state.is_persistent_forced) {
    thread_state.innermost = this;
}

StateGuard::~StateGuard() {
    if (thread_state.innermost == this) {
        thread_state.innermost = outer_;
        thread_state.autograd = previous_;
        thread_state.is_persistent_forced = previous_persistent_;
        return;
    }
    // G13: unlink it where this flow knows it, leave the state alone, tell once.
    for (StateGuard* inner = thread_state.innermost; inner != nullptr; inner = inner->outer_) {
        if (inner->outer_ == this) {
            inner->outer_ = outer_;
            break;
        }
    }
    guard_error_handler.load()(
        "a grad-mode guard was destroyed out of order or on another thread; the mode is unchanged");
}

}  // namespace detail

InferenceMode::InferenceMode(bool enabled) {
    if constexpr (kIsChecked) {
        const AutogradState& state = thread_state.autograd;
        if (!enabled && !state.inference && !state.grad) {
            static constinit WarningOnce warning(
                "InferenceMode(false) turned grad mode on inside no_grad, where inference mode was "
                "off already; PersistentAllocGuard leaves it off");
            warning.give();
        }
    }
    thread_state.autograd = {.grad = !enabled, .inference = enabled, .fw_grad = !enabled};
}

PersistentAllocGuard::PersistentAllocGuard() noexcept {
    AutogradState& state = thread_state.autograd;
    if (state.inference) {
        state.fw_grad = true;
    }
    state.inference = false;
    state.grad = false;
    thread_state.is_persistent_forced = true;
}

GradModeErrorHandler set_grad_mode_error_handler(GradModeErrorHandler handler) noexcept {
    return guard_error_handler.exchange(handler != nullptr ? handler : print_guard_error);
}

}  // namespace pumice
