// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/timings.h"
#include "vk/vulkan.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace pumice::vk {

class Recording;

/// The times of one command buffer's commands: a pool with two timestamp queries for each.
class Stopwatch {
public:
    /// A command buffer that is timed must not have more.
    static constexpr std::uint32_t kMostCommands = 128;

    /// @throws OutOfMemoryError, DeviceError
    Stopwatch(const DeviceHandles& handles, const VolkDeviceTable& table);
    ~Stopwatch();
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;
    Stopwatch(Stopwatch&&) = delete;
    Stopwatch& operator=(Stopwatch&&) = delete;

    /// Records the queries' reset, as the first command of this command buffer.
    void start(VkCommandBuffer buffer) noexcept;
    /// Around each command.
    void begin(std::string_view label) noexcept;
    void end() noexcept;
    /// Adds the commands' times, once the command buffer has run; false if the driver has none.
    bool read(std::uint64_t submit, std::vector<TimedCommand>& commands);

    /// Forgets its commands.
    void clear() noexcept { count_ = 0; }

    /// Commands that were begun and not read.
    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

    [[nodiscard]] bool is_full() const noexcept { return count_ == kMostCommands; }

private:
    struct Lap {
        LabelText label;
        std::chrono::steady_clock::time_point recorded;
    };

    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    VkQueryPool pool_ = VK_NULL_HANDLE;
    VkCommandBuffer buffer_ = VK_NULL_HANDLE;
    std::uint32_t count_ = 0;
    std::array<Lap, kMostCommands> laps_{};
};

/// Times commands while somebody wants it: lends stopwatches to command buffers and reads those
/// that have run, without waiting. Not thread-safe.
///
/// A stopwatch is free, taken by a command buffer that was not submitted yet, or in flight.
class CommandTimer {
public:
    CommandTimer(const DeviceHandles& handles, const VolkDeviceTable& table) noexcept
        : handles_(handles), table_(table) {}

    /// Sees to it that one is free. @throws OutOfMemoryError, DeviceError
    void prepare();
    /// For a command buffer that was just begun, after `prepare`.
    Stopwatch& take(VkCommandBuffer buffer) noexcept;

    [[nodiscard]] std::size_t taken_count() const noexcept { return taken_.size(); }

    /// Takes back all but the first `kept_count`: their command buffers will not be submitted.
    void drop_taken(std::size_t kept_count) noexcept;
    /// All that are taken are in flight until the value is reached; `recording`, if any, has the
    /// command buffers of some and is kept that long.
    void submitted(std::uint64_t value, const std::shared_ptr<const Recording>& recording) noexcept;
    /// Reads what has run when the timeline has reached `value`.
    void collect(std::uint64_t value) noexcept;
    /// What was read. What was not counts as lost.
    Timings finish() noexcept;

private:
    struct Flight {
        Stopwatch* stopwatch = nullptr;
        std::uint64_t value = 0;
        std::shared_ptr<const Recording> recording;
    };

    void read(const Flight& flight) noexcept;

    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    std::vector<std::unique_ptr<Stopwatch>> all_;
    std::vector<Stopwatch*> free_;
    std::vector<Stopwatch*> taken_;
    std::vector<Flight> flights_;  ///< in the order of their submits
    Timings timings_;
};

}  // namespace pumice::vk
