// SPDX-License-Identifier: Apache-2.0
// Threads for work that must not throw, and how they stop.
#include "base/thread_pool.h"

#include <algorithm>
#include <utility>

namespace pumice {

ThreadPool::ThreadPool(int thread_count) {
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < thread_count; ++i) {
        threads_.emplace_back([this] { run(); });
        ++running_count_;
    }
}

void ThreadPool::post(std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(work));
    }
    work_added_.notify_one();
}

bool ThreadPool::is_own_thread() const noexcept {
    return std::any_of(threads_.begin(), threads_.end(), [](const std::thread& each) {
        return each.get_id() == std::this_thread::get_id();
    });
}

// Nobody joins: the process may be ended from a thread of the pool, or with one at endless work.
bool ThreadPool::stop(Deadline deadline) noexcept {
    std::unique_lock lock(mutex_);
    is_stopping_ = true;
    work_added_.notify_all();
    const std::size_t own_count = is_own_thread() ? 1 : 0;
    return thread_ended_.wait_until(lock, deadline, [&] { return running_count_ == own_count; });
}

void ThreadPool::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        work_added_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
        if (is_stopping_) {
            --running_count_;
            thread_ended_.notify_all();
            return;
        }
        const std::function<void()> work = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        work();
        lock.lock();
    }
}

}  // namespace pumice
