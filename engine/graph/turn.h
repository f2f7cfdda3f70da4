// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/error.h"

#include <atomic>
#include <mutex>
#include <thread>

namespace pumice::graph {

/// Whose turn it is to use a plan: one thread's at a time.
struct Turns {
    std::atomic<std::thread::id> runner;
    std::mutex mutex;
};

/// A thread waits for its turn, but would wait for ever for itself.
class Turn {
public:
    /// @throws ArgumentError if it is this thread's turn already
    explicit Turn(Turns& turns) : turns_(turns) {
        if (turns.runner.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
            throw ArgumentError("replay", "a host_call of a plan must not use the plan itself");
        }
        turns.mutex.lock();
        turns.runner.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }

    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Turn(Turn&&) = delete;
    Turn& operator=(Turn&&) = delete;

    ~Turn() {
        turns_.runner.store(std::thread::id(), std::memory_order_relaxed);
        turns_.mutex.unlock();
    }

private:
    Turns& turns_;
};

}  // namespace pumice::graph
