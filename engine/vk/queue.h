// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/process_end.h"
#include "vk/buffer.h"
#include "vk/hazards.h"
#include "vk/kernel_use.h"
#include "vk/kernels.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace pumice::vk {

class Device;
class Recording;
class RuntimeKernel;
struct KernelSource;
struct Timings;

/// A byte range of a buffer as one kernel sees it. The offset is a multiple of the device's
/// storage alignment and the size a multiple of 4.
struct Binding {
    const Buffer* buffer = nullptr;
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0;
};

/// One kernel call. Whether a binding is read or written comes from the kernel's reflection.
struct Dispatch {
    KernelId kernel{};
    const RuntimeKernel* runtime = nullptr;  ///< instead of `kernel` and `spec`; in recordings only
    std::span<const std::uint32_t> spec;     ///< value of specialization constant i at index i
    std::span<const Binding> bindings;
    std::span<const std::byte> push;
    std::array<std::uint32_t, 3> groups{1, 1, 1};
    std::uint64_t work = 0;      ///< estimated arithmetic or memory operations, bounds a submit
    std::uint8_t quad_mask = 0;  ///< bit i: texels of binding i are four words (reads.glsl)
    std::string_view label;      ///< operator name, static lifetime
};

/// The kernel of a call.
const KernelInfo& info_of(const Dispatch& dispatch) noexcept;

/// What a kernel reported; see Note [Reports] in reports.h.
struct Report {
    std::uint32_t code = 0;    ///< as the call's push constants had it
    std::int32_t index = 0;    ///< that was outside
    std::uint32_t extent = 0;  ///< of [0, extent)
    std::uint32_t others = 0;  ///< dispatches that reported too
};

/// Counters of one queue since its creation.
struct QueueCounters {
    std::uint64_t dispatches = 0;
    std::uint64_t barriers = 0;
    std::uint64_t submits = 0;
};

/// The device's one queue: program order in, hazards found, command buffers out.
///
/// Every public function takes the queue's lock for its own duration, so that lock order is program
/// order; what has to be compiled is compiled before (Note [Compiling] in pipelines.cpp). Commands
/// are collected and submitted when enough estimated work is there, on `flush`, or when somebody
/// waits. See Note [Hazards] in recorder.cpp.
class Queue {
public:
    explicit Queue(Device& device);
    ~Queue();
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;
    Queue(Queue&&) = delete;
    Queue& operator=(Queue&&) = delete;

    /// Compiles what was never compiled, several kernels at once: a call that runs more than one
    /// kernel calls it before it records the first. @throws as `dispatch`
    void prepare(std::span<const KernelUse> uses);
    /// @throws DeviceError if the pipeline cannot be made or the device is lost
    void dispatch(const Dispatch& dispatch);
    /// Copies `source` to `target` (same size, multiples of 4) on the device.
    void copy(const Binding& source, const Binding& target);
    /// Writes the 32-bit word over the range.
    void fill(const Binding& target, std::uint32_t word);
    /// Makes all device writes to the range visible to the host once the returned timeline value
    /// is reached, and submits. Reading without waiting for it is a race.
    std::uint64_t release_to_host(const Binding& source);
    /// True if no submitted or collected command still touches the range.
    bool is_idle(const Binding& range);

    /// Compiles a kernel that was written at run time, or takes it from the last ones or from the
    /// folder on disk where those of earlier processes are kept. Several threads may compile at
    /// once.
    /// @throws InternalError, OutOfMemoryError, DeviceError
    std::shared_ptr<const RuntimeKernel> make_kernel(const KernelSource& source);
    /// Records commands to be submitted many times; see Recording. Nothing is submitted.
    /// @throws as `dispatch`, and OutOfMemoryError
    std::shared_ptr<Recording> record(std::span<const Dispatch> dispatches);
    /// Adds the recording to what was collected, to be submitted in one call to the driver; returns
    /// the timeline value that will mark its end (perhaps not yet submitted). The recording must
    /// live until then, and its buffers.
    std::uint64_t replay(const Recording& recording);
    /// Dispatches and barriers of one replay.
    static QueueCounters counters_of(const Recording& recording) noexcept;

    /// Times every later command on the device, until `stop_timing`; see CommandTimer.
    /// @throws ArgumentError while commands are timed already; UnsupportedError if the queue takes
    ///         no timestamps; DeviceError
    void start_timing();
    /// Ends that, submits, and waits for what was timed (not on a lost device).
    Timings stop_timing() noexcept;

    /// Submits what was collected; returns the timeline value that marks its end.
    std::uint64_t flush();
    /// Blocks until the timeline has reached the value. @throws DeviceError if the device is lost
    void wait(std::uint64_t value);
    /// What kernels reported up to a value that was waited for and released to the host, once; all
    /// that was submitted is waited for then. @throws DeviceError if the device is lost
    std::optional<Report> take_report(std::uint64_t value);
    /// Calls `then` once the timeline has reached a value that was submitted, or the device is
    /// lost; see Watcher.
    void when_reached(std::uint64_t value, std::function<void()> then);
    /// Timeline value known to have been reached; asks the driver. @throws DeviceError if lost
    std::uint64_t completed();
    /// The same for destructors: on a lost device, the last value that was seen.
    std::uint64_t completed_or_known() noexcept;
    /// Timeline value that will mark the end of everything recorded so far (not yet submitted).
    std::uint64_t next_value() noexcept;

    [[nodiscard]] QueueCounters counters() const;
    /// Why the last barrier was recorded. Without the lock: for the seam, which the recorder calls.
    [[nodiscard]] Hazard last_hazard() const noexcept;
    /// Makes every later call throw, on other threads after a time, and waits for what was
    /// submitted; false if that has not ended by the deadline. See Device::shut_down.
    bool shut_down(Deadline deadline) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pumice::vk
