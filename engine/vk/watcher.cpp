// SPDX-License-Identifier: Apache-2.0
// Who is told when the device has come so far.
#include "vk/watcher.h"

#include <utility>

namespace pumice::vk {

Watcher::~Watcher() {
    stop(Deadline::max());
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Watcher::when_reached(std::uint64_t value, std::function<void()> then) {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) {
        return;
    }
    waiting_.emplace(value, std::move(then));
    if (!thread_.joinable()) {
        thread_ = std::thread([this] { run(); });
        is_running_ = true;
    }
    asked_.notify_one();
}

bool Watcher::stop(Deadline deadline) noexcept {
    std::unique_lock lock(mutex_);
    is_stopping_ = true;
    asked_.notify_one();
    if (thread_.get_id() == std::this_thread::get_id()) {
        return true;
    }
    return ended_.wait_until(lock, deadline, [this] { return !is_running_; });
}

void Watcher::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        asked_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
        if (is_stopping_) {
            is_running_ = false;
            ended_.notify_all();
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
