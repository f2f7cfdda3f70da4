// SPDX-License-Identifier: Apache-2.0
// Waiting for the device from a coroutine.
#include "pumice/task.h"

namespace pumice::detail {

void TaskPromiseBase::wait() const noexcept {
    void* seen = waiter_.load(std::memory_order_acquire);
    while (seen != this) {
        waiter_.wait(seen, std::memory_order_acquire);
        seen = waiter_.load(std::memory_order_acquire);
    }
}

bool TaskPromiseBase::when_done(std::coroutine_handle<> coroutine) noexcept {
    void* nobody = nullptr;
    return waiter_.compare_exchange_strong(nobody, coroutine.address(), std::memory_order_acq_rel);
}

std::coroutine_handle<> TaskPromiseBase::finish() noexcept {
    void* waiter = waiter_.exchange(this, std::memory_order_acq_rel);
    waiter_.notify_all();
    return waiter != nullptr ? std::coroutine_handle<>::from_address(waiter)
                             : std::noop_coroutine();
}

}  // namespace pumice::detail
