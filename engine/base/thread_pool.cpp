// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <utility>

namespace pumice {

ThreadPool::ThreadPool(int thread_count) {
    for (int i = 0; i < thread_count; ++i) {
        threads_.emplace_back([this] { run(); });
    }
}

ThreadPool::~ThreadPool() {
    stop();
}

void ThreadPool::post(std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(work));
    }
    work_added_.notify_one();
}

void ThreadPool::stop() noexcept {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
    }
    work_added_.notify_all();
    for (std::thread& thread : threads_) {
        // The process may be ended from a thread of the pool.
        if (thread.get_id() == std::this_thread::get_id()) {
            thread.detach();
        } else {
            thread.join();
        }
    }
    threads_.clear();
}

void ThreadPool::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        work_added_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
        if (is_stopping_) {
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
