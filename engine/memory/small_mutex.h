// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace pumice::memory {

/// A mutex of one word that sleeps when contended (Drepper, "Futexes Are Tricky", 2011, mutex 2).
/// An uncontended pair costs half of `std::mutex`'s, which was half of an allocation.
class SmallMutex {
public:
    SmallMutex() = default;
    ~SmallMutex() = default;
    SmallMutex(const SmallMutex&) = delete;
    SmallMutex& operator=(const SmallMutex&) = delete;
    SmallMutex(SmallMutex&&) = delete;
    SmallMutex& operator=(SmallMutex&&) = delete;

    // std::lock_guard asks for these two names.
    void lock() noexcept {
        std::uint32_t seen = kOpen;
        if (state_.compare_exchange_strong(seen, kHeld, std::memory_order_acquire)) {
            return;
        }
        // Whoever had to wait cannot know that nobody else does, and takes it as awaited.
        while (state_.exchange(kAwaited, std::memory_order_acquire) != kOpen) {
            state_.wait(kAwaited, std::memory_order_relaxed);
        }
    }

    void unlock() noexcept {
        if (state_.exchange(kOpen, std::memory_order_release) == kAwaited) {
            state_.notify_one();
        }
    }

private:
    static constexpr std::uint32_t kOpen = 0;
    static constexpr std::uint32_t kHeld = 1;
    static constexpr std::uint32_t kAwaited = 2;

    std::atomic<std::uint32_t> state_{kOpen};
};

}  // namespace pumice::memory
