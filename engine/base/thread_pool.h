// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/process_end.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pumice {

/// Threads that run posted work in order of arrival. Work must not throw. Lives as long as the
/// process.
class ThreadPool {
public:
    explicit ThreadPool(int thread_count);
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;
    ThreadPool(ThreadPool&&) = delete;
    ThreadPool& operator=(ThreadPool&&) = delete;

    void post(std::function<void()> work);
    /// Ends the threads after what they are at; the rest is never run. False if one of them is
    /// still at it at the deadline. A thread of the pool may call it, and does not wait for itself.
    bool stop(Deadline deadline) noexcept;

private:
    ~ThreadPool() = default;

    void run();
    [[nodiscard]] bool is_own_thread() const noexcept;

    std::mutex mutex_;
    std::condition_variable work_added_;
    std::condition_variable thread_ended_;
    std::deque<std::function<void()>> waiting_;
    std::vector<std::thread> threads_;
    std::size_t running_count_ = 0;
    bool is_stopping_ = false;
};

}  // namespace pumice
