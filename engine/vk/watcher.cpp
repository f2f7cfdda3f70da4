// SPDX-License-Identifier: Apache-2.0
#include "vk/watcher.h"

#include <utility>

namespace pumice::vk {

Watcher::~Watcher() {
    stop();
}

void Watcher::when_reached(std::uint64_t value, std::function<void()> then) {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) {
        return;
    }
    waiting_.emplace(value, std::move(then));
    if (!thread_.joinable()) {
        thread_ = std::thread([this] { run(); });
    }
    asked_.notify_one();
}

void Watcher::stop() noexcept {
    std::thread thread;
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
        thread.swap(thread_);
    }
    asked_.notify_one();
    if (thread.joinable()) {
        thread.join();
    }
}

void Watcher::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        asked_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
        if (is_stopping_) {
            return;
        }
        const std::uint64_t value = waiting_.begin()->first;
        lock.unlock();
        // A device that is lost ends the wait too; those who look then learn of it.
        static_cast<void>(timeline_.wait(value));
        lock.lock();
        while (!is_stopping_ && !waiting_.empty() && waiting_.begin()->first <= value) {
            const std::function<void()> then = std::move(waiting_.begin()->second);
            waiting_.erase(waiting_.begin());
            lock.unlock();
            then();
            lock.lock();
        }
    }
}

}  // namespace pumice::vk
