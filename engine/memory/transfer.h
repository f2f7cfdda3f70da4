// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/queue.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace pumice::memory {

struct Range;

/// Copies host bytes to the range, in stream order: mapped directly where the host sees the range
/// and nothing in flight touches it, else through the staging ring. `PUMICE_STAGING=force` always
/// stages. The range may be at any byte offset that is a multiple of 4; the bytes' tail is padded.
/// @throws DeviceError, OutOfMemoryError
void upload(const vk::Binding& target, std::span<const std::byte> bytes);

/// The range's bytes for the host to read and write, once the device is done with all it was given;
/// null where the host does not see the range (with `PUMICE_STAGING=force`, nowhere).
/// @throws DeviceError, IndexError as Readback::bytes
std::byte* map_for_host(const vk::Binding& range);

/// A readback in flight. The one way in which device bytes reach the host.
class Readback {
public:
    Readback() = default;
    ~Readback();
    Readback(Readback&& other) noexcept;
    Readback& operator=(Readback&& other) noexcept;
    Readback(const Readback&) = delete;
    Readback& operator=(const Readback&) = delete;

    [[nodiscard]] bool is_ready() const;
    /// Calls `then` once `bytes` would not wait; see vk::Queue::when_reached.
    void when_ready(std::function<void()> then) const;
    /// Blocks until `bytes` would not wait. @throws DeviceError if the device is lost
    void wait() const;
    /// Waits for the device and returns the bytes; valid until this object dies.
    /// @throws DeviceError if the device is lost, IndexError for what a kernel reported
    std::span<const std::byte> bytes();

private:
    friend Readback download(const vk::Binding& source);
    void drop() noexcept;
    vk::Binding staged_;       ///< where the host will look
    std::uint64_t value_ = 0;  ///< timeline value to wait for
    Range* slice_ = nullptr;   ///< of the readback ring; null where staged_ is the source
};

/// Starts a readback of the range. Without staging, the caller keeps the range alive and unwritten
/// until the bytes are taken. (On a device with unified memory it is staged all the same when
/// `PUMICE_STAGING=force`.)
Readback download(const vk::Binding& source);

}  // namespace pumice::memory
