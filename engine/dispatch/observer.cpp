// SPDX-License-Identifier: Apache-2.0
// Who follows recorded calls.
#include "dispatch/observer.h"

#include <atomic>

namespace pumice::dispatch {

namespace {

std::atomic<Observer*> the_tape{nullptr};

}  // namespace

void set_tape(Observer* tape) noexcept {
    the_tape.store(tape, std::memory_order_release);
}

Observer* tape() noexcept {
    return the_tape.load(std::memory_order_acquire);
}

}  // namespace pumice::dispatch
