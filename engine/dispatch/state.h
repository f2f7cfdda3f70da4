// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/grad_mode.h"

namespace pumice::dispatch {

/// The state of the flow that this thread runs.
[[gnu::tls_model("initial-exec")]] extern thread_local constinit detail::FlowState thread_state;

/// The capture that takes this flow's operators, or null. Under the storage switch of G64 operators
/// run at once: what they make outlives a capture.
inline Capturer* capturer() noexcept {
    return thread_state.is_persistent_forced ? nullptr : thread_state.capturer;
}

/// Operators run at once for its lifetime, also where a capture runs.
class CapturePause {
public:
    CapturePause() noexcept : previous_(thread_state.capturer) { thread_state.capturer = nullptr; }

    CapturePause(const CapturePause&) = delete;
    CapturePause& operator=(const CapturePause&) = delete;
    CapturePause(CapturePause&&) = delete;
    CapturePause& operator=(CapturePause&&) = delete;

    ~CapturePause() { thread_state.capturer = previous_; }

private:
    Capturer* previous_;
};

/// Engine-internal switch without the terminal check (G15, G43); restores on destruction.
class UncheckedState {
public:
    explicit UncheckedState(const AutogradState& state) noexcept
        : previous_(thread_state.autograd) {
        thread_state.autograd = state;
    }

    UncheckedState(const UncheckedState&) = delete;
    UncheckedState& operator=(const UncheckedState&) = delete;
    UncheckedState(UncheckedState&&) = delete;
    UncheckedState& operator=(UncheckedState&&) = delete;

    ~UncheckedState() { thread_state.autograd = previous_; }

private:
    AutogradState previous_;
};

}  // namespace pumice::dispatch
