// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/arena.h"
#include "vk/device.h"

#include <cstdint>
#include <mutex>
#include <vector>

namespace pumice::memory {

/// Host-visible slices for transfers, recycled by timeline values. Thread-safe.
class StagingRing {
public:
    /// Above `most_bytes` in all, `acquire` waits for the oldest slice rather than growing.
    StagingRing(vk::Device& device, vk::MemoryKind kind, std::uint64_t most_bytes);
    StagingRing(const StagingRing&) = delete;
    StagingRing& operator=(const StagingRing&) = delete;
    StagingRing(StagingRing&&) = delete;
    StagingRing& operator=(StagingRing&&) = delete;
    ~StagingRing() = default;

    /// A slice of at least `size_bytes`, which nothing in flight touches unless its last tenant was
    /// given back by `release`.
    /// @throws OutOfMemoryError, DeviceError
    Range* acquire(std::uint64_t size_bytes);
    [[nodiscard]] vk::Binding binding(const Range& slice) const;
    /// Gives a slice back at once: right where only the device writes it, in stream order.
    void release(Range* slice) noexcept;
    /// Gives a slice back once the timeline has reached `value`.
    void release_after(Range* slice, std::uint64_t value);
    /// Gives back the blocks without a slice in use. Waits for those in flight.
    void trim();

private:
    struct Pending {
        std::uint64_t value = 0;
        Range* slice = nullptr;
    };

    void recycle_until(std::uint64_t value) noexcept;
    void grow(std::uint64_t size_bytes);

    vk::Device& device_;
    const std::uint64_t most_bytes_;
    // The allocator's and the queue's lock may be taken under it, never the other way round.
    mutable std::mutex mutex_;
    Arena arena_;
    std::vector<Pending> pending_;  ///< in the order of their values
};

/// The process's rings on `vk::device()`, leaked like the allocator.
StagingRing& upload_ring();
StagingRing& readback_ring();
/// Trims the rings that were made.
void trim_staging();

}  // namespace pumice::memory
