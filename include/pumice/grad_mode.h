// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace PUMICE_API pumice {

/// The whole state of the grad-mode layer on one thread. `inference` implies that both others are
/// off. Source: docs/grad_modes.md, G1 and G2.
struct AutogradState {
    bool grad = true;        ///< operators are recorded where an operand requires grad
    bool inference = false;  ///< operators make inference tensors
    bool fw_grad = true;     ///< kept as in LibTorch; there is no forward differentiation yet

    /// Equal in all three.
    friend bool operator==(const AutogradState&, const AutogradState&) = default;
};

/// The three modes that users see.
enum class GradModeKind : std::uint8_t { kGrad, kNoGrad, kInference };

/// This thread's state. Takes no lock, never allocates.
AutogradState autograd_state() noexcept;

/// This thread's mode; inference goes before the other two.
GradModeKind current_grad_mode() noexcept;
/// Whether this thread records operators.
bool is_grad_enabled() noexcept;
/// Whether this thread is in inference mode.
bool is_inference_mode_enabled() noexcept;

/// Sets grad mode until changed or until the innermost guard or lambda form restores it.
/// @throws GradModeError (E1) if `enabled` while inference mode is on; nothing changes then
void set_grad_enabled(bool enabled);

/// LibTorch's spelling of the query and the setter.
struct GradMode {
    /// As pumice::is_grad_enabled.
    static bool is_enabled() noexcept { return is_grad_enabled(); }

    /// As set_grad_enabled. @throws GradModeError (E1)
    static void set_enabled(bool enabled) { set_grad_enabled(enabled); }
};

/// Whether R is what an asynchronous callable returns whose whole body runs in the modes in which
/// it was called. True for Future and Task; specialise it for coroutine types of your own whose
/// promise derives from ModePromise (task.h).
template <class R>
inline constexpr bool is_async_result_v = false;

namespace autograd {

class SavedTensorHooksGuard;

}  // namespace autograd

namespace dispatch {

class Capturer;

}  // namespace dispatch

/// What the public templates are made of; not for direct use.
namespace detail {

class StateGuard;

/// All that the grad-mode layer keeps for one logical flow: a thread, or a coroutine.
struct FlowState {
    AutogradState autograd;
    bool is_persistent_forced = false;  ///< the storage switch of G64
    StateGuard* innermost = nullptr;
    autograd::SavedTensorHooksGuard* saved_hooks = nullptr;  ///< the innermost
    dispatch::Capturer* capturer = nullptr;                  ///< of the capture that runs here
};

/// Exchanges the running flow's state with this one.
void swap_flow_state(FlowState& state) noexcept;
/// The modes of the running flow, without its guards.
FlowState copy_modes() noexcept;

/// The modes of threads that do nobody's submitted work (G59).
inline constexpr FlowState kServiceModes{
    .autograd = {.grad = false, .inference = false, .fw_grad = true}};

/// Runs with another flow's modes for its lifetime.
class FlowScope {
public:
    explicit FlowScope(const FlowState& state) noexcept : state_(state) { swap_flow_state(state_); }

    FlowScope(const FlowScope&) = delete;
    FlowScope& operator=(const FlowScope&) = delete;
    FlowScope(FlowScope&&) = delete;
    FlowScope& operator=(FlowScope&&) = delete;

    ~FlowScope() { swap_flow_state(state_); }

private:
    FlowState state_;
};

/// Keeps the state found at construction and writes it back verbatim. A guard that is destroyed
/// out of order reports to the grad-mode error handler and leaves the state alone.
class StateGuard {
public:
    StateGuard(const StateGuard&) = delete;
    StateGuard& operator=(const StateGuard&) = delete;
    StateGuard(StateGuard&&) = delete;
    StateGuard& operator=(StateGuard&&) = delete;
    static void* operator new(std::size_t) = delete;
    static void* operator new[](std::size_t) = delete;

protected:
    StateGuard() noexcept;
    ~StateGuard();

private:
    StateGuard* outer_;
    AutogradState previous_;
    bool previous_persistent_;
};

}  // namespace detail

/// Sets grad mode for its lifetime.
class AutoGradMode : private detail::StateGuard {
public:
    /// @throws GradModeError (E1) if `enabled` while inference mode is on
    [[nodiscard]] explicit AutoGradMode(bool enabled) { set_grad_enabled(enabled); }
};

/// Turns recording off for its lifetime: outputs are normal tensors without history.
class NoGradGuard : private detail::StateGuard {
public:
    /// Allowed in every mode.
    [[nodiscard]] NoGradGuard() { set_grad_enabled(false); }
};

/// Turns inference mode on for its lifetime or, with false, off: that is the one way out of it. In
/// inference mode results are inference tensors, without history or version, in transient memory.
class InferenceMode : private detail::StateGuard {
public:
    /// true: inference on, recording off. false: inference off, recording on.
    [[nodiscard]] explicit InferenceMode(bool enabled = true);

    /// As is_inference_mode_enabled.
    static bool is_enabled() noexcept { return is_inference_mode_enabled(); }
};

/// For buffers that are made when first needed and live long: inference mode is off, nothing is
/// recorded, and storage is persistent (G64).
class PersistentAllocGuard : private detail::StateGuard {
public:
    /// Allowed in every mode; tensors made under it are normal and not tracked.
    [[nodiscard]] PersistentAllocGuard() noexcept;
};

/// Called once for a guard destroyed out of order or on another flow; default: a line on stderr.
using GradModeErrorHandler = void (*)(const char* message) noexcept;
/// Installs a handler for all threads and returns the one before; null stands for the default.
GradModeErrorHandler set_grad_mode_error_handler(GradModeErrorHandler handler) noexcept;

namespace detail {

template <class R>
concept Awaitable = requires(R& result) {
    result.await_ready();
}

|| requires(R&& result) {
    std::forward<R>(result).operator co_await();
};

/// Refuses to compile where a mode would end before the body of what is returned has run (G63).
template <class R>
constexpr void check_covers_body() {
    static_assert(!Awaitable<std::remove_cvref_t<R>> || is_async_result_v<std::remove_cvref_t<R>>,
                  "the mode would end before the awaitable's body has run: return a pumice::Task, "
                  "or specialise pumice::is_async_result_v");
}

}  // namespace detail

/// Runs `fn` once without recording and forwards its result. If `fn` returns a Task or a Future,
/// the mode covers the whole asynchronous body, and the caller has its own mode back at once. The
/// same holds for all forms below.
template <class F>
decltype(auto) no_grad(F&& fn) {
    detail::check_covers_body<std::invoke_result_t<F>>();
    const NoGradGuard guard;
    return std::invoke(std::forward<F>(fn));
}

/// Runs `fn` once with recording on. @throws GradModeError (E1) in inference mode; `fn` is not run
template <class F>
decltype(auto) enable_grad(F&& fn) {
    detail::check_covers_body<std::invoke_result_t<F>>();
    const AutoGradMode guard(true);
    return std::invoke(std::forward<F>(fn));
}

/// Runs `fn` once with recording on or off. @throws GradModeError (E1) as enable_grad
template <class F>
decltype(auto) grad_mode(bool enabled, F&& fn) {
    detail::check_covers_body<std::invoke_result_t<F>>();
    const AutoGradMode guard(enabled);
    return std::invoke(std::forward<F>(fn));
}

/// Runs `fn` once in inference mode (or, with false, outside of it) and forwards its result.
template <class F>
decltype(auto) inference_mode(bool enabled, F&& fn) {
    detail::check_covers_body<std::invoke_result_t<F>>();
    const InferenceMode guard(enabled);
    return std::invoke(std::forward<F>(fn));
}

/// Runs `fn` once in inference mode and forwards its result.
template <class F>

requires(!std::is_same_v<std::remove_cvref_t<F>, bool>) decltype(auto) inference_mode(F&& fn) {
    return inference_mode(true, std::forward<F>(fn));
}

/// Wraps a callable so that each call runs without recording.
template <class F>
auto with_no_grad(F fn) {
    return [fn = std::move(fn)](auto&&... args) mutable -> decltype(auto) {
        detail::check_covers_body<std::invoke_result_t<F&, decltype(args)...>>();
        const NoGradGuard guard;
        return std::invoke(fn, std::forward<decltype(args)>(args)...);
    };
}

/// Wraps a callable so that each call runs with recording on. Calls throw E1 in inference mode.
template <class F>
auto with_grad(F fn) {
    return [fn = std::move(fn)](auto&&... args) mutable -> decltype(auto) {
        detail::check_covers_body<std::invoke_result_t<F&, decltype(args)...>>();
        const AutoGradMode guard(true);
        return std::invoke(fn, std::forward<decltype(args)>(args)...);
    };
}

/// Wraps a callable so that each call, on whatever thread, runs in the modes of the thread that
/// wrapped it (G57).
template <class F>
auto bind_mode(F fn) {
    return [fn = std::move(fn),
            state = detail::copy_modes()](auto&&... args) mutable -> decltype(auto) {
        const detail::FlowScope scope(state);
        return std::invoke(fn, std::forward<decltype(args)>(args)...);
    };
}

/// Wraps a callable so that each call enters inference mode, or leaves it when `enabled` is false.
template <class F>
auto with_inference_mode(F fn, bool enabled = true) {
    return [fn = std::move(fn), enabled](auto&&... args) mutable -> decltype(auto) {
        detail::check_covers_body<std::invoke_result_t<F&, decltype(args)...>>();
        const InferenceMode guard(enabled);
        return std::invoke(fn, std::forward<decltype(args)>(args)...);
    };
}

}  // namespace pumice
