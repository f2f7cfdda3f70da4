// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>

namespace pumice {

/// Values by key, each made by the first thread that asks for it. Threads that ask for the same one
/// meanwhile wait for that one alone. The last ones made are kept. Thread-safe.
template <class Key, class Value>
class MadeOnce {
public:
    explicit MadeOnce(std::size_t most) : most_(most) {}

    /// `make()` gives a shared pointer, without the lock. What it throws is thrown here, and the
    /// next one who asks makes the value.
    template <class Make>
    std::shared_ptr<const Value> get(const Key& key, const Make& make) {
        std::unique_lock lock(mutex_);
        auto [at, is_first] = values_.try_emplace(key);
        while (!is_first) {
            if (at->second != nullptr) {
                return at->second;
            }
            made_.wait(lock);
            std::tie(at, is_first) = values_.try_emplace(key);
        }
        lock.unlock();
        try {
            std::shared_ptr<const Value> value = make();
            const std::shared_ptr<const Value> dropped = put(at, value);  // dies without the lock
            made_.notify_all();
            return value;
        } catch (...) {
            lock.lock();
            values_.erase(at);
            made_.notify_all();
            throw;
        }
    }

private:
    using Values = std::map<Key, std::shared_ptr<const Value>>;

    // Places in a map stay where they are, and nobody else takes away what is being made.
    std::shared_ptr<const Value> put(typename Values::iterator at,
                                     const std::shared_ptr<const Value>& value) {
        const std::lock_guard lock(mutex_);
        kept_.push_back(at);
        at->second = value;
        if (kept_.size() <= most_) {
            return nullptr;
        }
        std::shared_ptr<const Value> dropped = std::move(kept_.front()->second);
        values_.erase(kept_.front());
        kept_.pop_front();
        return dropped;
    }

    const std::size_t most_;
    std::mutex mutex_;
    std::condition_variable made_;
    Values values_;                               ///< null while one is made
    std::deque<typename Values::iterator> kept_;  ///< oldest first
};

}  // namespace pumice
