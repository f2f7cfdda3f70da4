// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace pumice {

/// A moment until which something is waited for.
using Deadline = std::chrono::steady_clock::time_point;

/// How long the end of the process waits for the device, and how long for threads.
inline constexpr std::chrono::seconds kEndPatience{10};

/// What is ended, in this order.
enum class EndStage : std::uint8_t { kThreads, kDevice, kCount };

/// Calls `end` with the exit code when the process ends by std::exit or main's return, before the
/// handlers and destructors of statics that were there already; the other stages are called with
/// it. A child made by fork is left alone: it has none of the threads that would be ended.
/// From here on dlclose does not unload this library.
/// @throws DeviceError if the C library takes no more handlers
void at_process_end(EndStage stage, void (*end)(int status));

/// While one lives, a thread that ends, or that ends the process, waits: for kEndPatience at most,
/// and before any handler or destructor of a static runs. One at a time may live. A thread that
/// never called into this library and did not load it does not wait.
class HeldEnd {
public:
    HeldEnd() noexcept;
    ~HeldEnd();
    HeldEnd(const HeldEnd&) = delete;
    HeldEnd& operator=(const HeldEnd&) = delete;
    HeldEnd(HeldEnd&&) = delete;
    HeldEnd& operator=(HeldEnd&&) = delete;
};

/// From here on this thread's end waits for a HeldEnd.
void heed_held_end() noexcept;

/// Ends the process with that code and runs no more handlers: what they would tear down is still
/// at work. Says so on stderr and writes what stdio still holds.
[[noreturn]] void end_process_now(int status, const char* why) noexcept;

}  // namespace pumice
