// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string_view>
#include <thread>

namespace pumice::vk {

/// Why every call throws once the process ends.
inline constexpr std::string_view kProcessEnds =
    "the process is ending; tensors cannot be used any more";

/// What threads do that come to a lock once another one ends the process: they stand still until
/// that is over, or get an error after a time. See Note [End of the process] in device.cpp. The
/// owner of the lock guards it.
class Standstill {
public:
    /// This thread ends the process.
    void begin() noexcept {
        is_on_ = true;
        ending_thread_ = std::this_thread::get_id();
        end_ = std::chrono::steady_clock::now() + kLongest;
    }

    [[nodiscard]] bool is_on() const noexcept { return is_on_; }

    /// For a thread that holds the lock: lets go of it for as long as it has to stand still.
    template <class Lock>
    void heed(Lock& lock) const {
        if (is_on_ && ending_thread_ != std::this_thread::get_id()) [[unlikely]] {
            const std::chrono::steady_clock::time_point end = end_;
            lock.unlock();
            std::this_thread::sleep_until(end);
            lock.lock();
        }
    }

private:
    static constexpr std::chrono::seconds kLongest{5};

    bool is_on_ = false;
    std::thread::id ending_thread_;
    std::chrono::steady_clock::time_point end_;
};

}  // namespace pumice::vk
