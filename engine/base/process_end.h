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

/// Ends the process with that code and runs no more handlers: what they would tear down is still
/// at work. Says so on stderr and writes what stdio still holds.
[[noreturn]] void end_process_now(int status, const char* why) noexcept;

}  // namespace pumice
