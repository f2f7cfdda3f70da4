// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/device.h"
#include "vk/seam.h"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>

namespace pumice::test {

/// While one lives, whoever makes a pipeline on the device stays in the compiler until let go: a
/// driver as slow as a test wants it. Nobody stays for longer than kLongest, so that a test which
/// would wait for ever fails instead.
class HeldCompiler {
public:
    static constexpr std::chrono::seconds kLongest{10};

    explicit HeldCompiler(vk::Device& device) : device_(device) {
        vk::replace_compiler(device, [this] { return stay(); });
    }

    ~HeldCompiler() { vk::restore(device_); }

    HeldCompiler(const HeldCompiler&) = delete;
    HeldCompiler& operator=(const HeldCompiler&) = delete;
    HeldCompiler(HeldCompiler&&) = delete;
    HeldCompiler& operator=(HeldCompiler&&) = delete;

    /// Waits until so many are in the compiler at once; false if they do not come.
    bool wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kLongest, [&] { return held_count_ >= count; });
    }

    /// Lets all go, who come later too.
    void let_go() {
        const std::lock_guard lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }

    /// Lets those go who are there, with that failure.
    void let_fail(vk::Fault fault) {
        std::unique_lock lock(mutex_);
        fault_ = fault;
        ++failed_round_;
        changed_.notify_all();
    }

    /// How many are held now.
    std::size_t held_count() {
        const std::lock_guard lock(mutex_);
        return held_count_;
    }

    /// How many ever came.
    std::size_t call_count() {
        const std::lock_guard lock(mutex_);
        return call_count_;
    }

private:
    std::optional<vk::Fault> stay() {
        std::unique_lock lock(mutex_);
        ++call_count_;
        ++held_count_;
        changed_.notify_all();
        const std::size_t round = failed_round_;
        changed_.wait_for(lock, kLongest, [&] { return is_open_ || failed_round_ != round; });
        --held_count_;
        return failed_round_ != round ? std::optional(fault_) : std::nullopt;
    }

    vk::Device& device_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t held_count_ = 0;
    std::size_t call_count_ = 0;
    std::size_t failed_round_ = 0;
    vk::Fault fault_{};
    bool is_open_ = false;
};

}  // namespace pumice::test
