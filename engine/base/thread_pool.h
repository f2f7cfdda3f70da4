// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pumice {

/// Threads that run posted work in order of arrival. Work must not throw.
class ThreadPool {
public:
    explicit ThreadPool(int thread_count);
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;
    ThreadPool(ThreadPool&&) = delete;
    ThreadPool& operator=(ThreadPool&&) = delete;
    ~ThreadPool();

    void post(std::function<void()> work);
    /// Ends the threads after what they are at; the rest is never run.
    void stop() noexcept;

private:
    void run();

    std::mutex mutex_;
    std::condition_variable work_added_;
    std::deque<std::function<void()>> waiting_;
    std::vector<std::thread> threads_;
    bool is_stopping_ = false;
};

}  // namespace pumice
