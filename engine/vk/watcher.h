// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/timeline.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace pumice::vk {

/// Calls back when the timeline reaches a value: one thread waits for all who asked. It starts with
/// the first.
class Watcher {
public:
    explicit Watcher(Timeline& timeline) noexcept : timeline_(timeline) {}

    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    Watcher(Watcher&&) = delete;
    Watcher& operator=(Watcher&&) = delete;
    ~Watcher();

    /// `value` was submitted. `then` must be short and not throw; it is called once, on the
    /// watcher's thread, also when the device is lost, and not at all after `stop`.
    void when_reached(std::uint64_t value, std::function<void()> then);
    /// Ends the thread after the wait it is in; false if that lasts past the deadline, and then
    /// the watcher must not be destroyed. What is called back may call it.
    bool stop(Deadline deadline) noexcept;

private:
    void run();

    Timeline& timeline_;
    std::mutex mutex_;
    std::condition_variable asked_;
    std::multimap<std::uint64_t, std::function<void()>> waiting_;
    std::condition_variable ended_;
    std::thread thread_;
    bool is_running_ = false;  ///< the thread
    bool is_stopping_ = false;
};

}  // namespace pumice::vk
