// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/grad_mode.h"

namespace pumice::dispatch {

/// The state of the flow that this thread runs.
[[gnu::tls_model("initial-exec")]] extern thread_local constinit detail::FlowState thread_state;

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
