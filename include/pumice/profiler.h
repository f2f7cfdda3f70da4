// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

/// @file
/// What the device spends its time on, by operator.

namespace PUMICE_API pumice {

/// One kernel, or one copy or fill of memory, as the device ran it. Times are in microseconds.
struct ProfileEvent {
    std::string label;         ///< its operator (63 characters at most), buffer_copy or buffer_fill
    double start_us = 0.0;     ///< device clock, from the start of the earliest event
    double duration_us = 0.0;  ///< device clock; never negative
    std::uint64_t submit = 0;  ///< grows with each batch that was handed to the driver's queue
    double host_us = 0.0;      ///< host clock, from the profiler's start to the recording call
};

/// All events of one label.
struct ProfileRow {
    std::string label;      ///< the operator's name; of a kernel of several, joined by +
    std::size_t count = 0;  ///< of events
    double total_us = 0.0;  ///< of the device's clock
    double mean_us = 0.0;   ///< of one event
    double share = 0.0;     ///< of the sum of all durations; 0 where that is 0
};

/// Times what every thread records, from the profiler's construction to `stop`. The device takes
/// two timestamps for each command, which are read when they have arrived, so that nothing waits.
/// Commands that were recorded before are not timed. A command that takes several kernels gives
/// several events.
///
/// The start is when the device reaches a command, after the barrier in front of it. The end is
/// when it has finished everything up to that command. So kernels that overlap on the device
/// overlap here. Replays of captured functions are recorded anew while a profiler is on, so that
/// each kernel has its times. That costs host time; values and order stay the same.
class Profiler {
public:
    /// Starts at once; makes the device if there is none yet.
    /// @throws ArgumentError while another profiler is on; UnsupportedError if the device's queue
    ///         takes no timestamps; DeviceError
    Profiler();
    /// Stops.
    ~Profiler();
    Profiler(const Profiler&) = delete;
    Profiler& operator=(const Profiler&) = delete;
    Profiler(Profiler&&) = delete;
    Profiler& operator=(Profiler&&) = delete;

    /// Ends timing and waits for what was timed; later calls do nothing. On a lost device it does
    /// not wait: events whose times have not arrived are lost.
    void stop() noexcept;

    /// In the order of recording. @throws ArgumentError before `stop`
    [[nodiscard]] const std::vector<ProfileEvent>& events() const;
    /// Commands that were timed and whose times never arrived: 0 unless the device was lost or host
    /// memory ran out. @throws ArgumentError before `stop`
    [[nodiscard]] std::size_t lost_count() const;
    /// From the earliest start to the latest end; 0 without events.
    /// @throws ArgumentError before `stop`
    [[nodiscard]] double span_us() const;
    /// One row for each label, the largest total first. @throws ArgumentError before `stop`
    [[nodiscard]] std::vector<ProfileRow> summary() const;
    /// The summary as lines of text, for people. @throws ArgumentError before `stop`
    [[nodiscard]] std::string table() const;
    /// Writes the events as JSON for chrome://tracing or Perfetto: process 1 is the device, with a
    /// row for each of the commands that overlap, process 2 the host's recording calls. The two
    /// clocks are apart, and each starts at 0. The file appears whole or not at all.
    /// @throws FileError if it cannot be written; ArgumentError before `stop`
    void write(const std::string& path) const;

private:
    struct PUMICE_HIDDEN State;
    std::unique_ptr<State> state_;
};

}  // namespace pumice
