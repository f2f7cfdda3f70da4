// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/memory.h"

#include "vk/queue.h"

#include <cstdint>
#include <memory>

namespace pumice::memory {

/// Policy under which a storage is placed; see docs/architecture.md#memory-and-hazards.
enum class StorageClass : std::uint8_t { kPersistent, kTransient, kPlanned };

/// A placed range. `range.size_bytes` is rounded up to the device's alignment.
struct Allocation {
    vk::Binding range;
    void* node = nullptr;  ///< the allocator's own bookkeeping
    StorageClass storage_class = StorageClass::kPersistent;
    std::uint64_t id = 0;  ///< unique over the process's life, names the storage in traces
};

/// The one block allocator: stream-ordered, so a freed range may be handed out at once, because
/// the queue orders the next tenant's commands after the last one's (a barrier if they overlap).
/// Thread-safe. Steady state makes no driver allocation and no heap allocation.
class Allocator {
public:
    explicit Allocator(vk::Device& device);
    ~Allocator();
    Allocator(const Allocator&) = delete;
    Allocator& operator=(const Allocator&) = delete;
    Allocator(Allocator&&) = delete;
    Allocator& operator=(Allocator&&) = delete;

    /// A range of at least `size_bytes` (0 gives an empty range without a buffer).
    /// Idle cached blocks of the other policy are given back before giving up.
    /// @throws OutOfMemoryError with asked, free and largest hole
    Allocation allocate(std::uint64_t size_bytes, StorageClass storage_class);
    void deallocate(const Allocation& allocation) noexcept;
    /// What `allocate` would give for `size_bytes`.
    [[nodiscard]] std::uint64_t rounded_bytes(std::uint64_t size_bytes) const noexcept;
    /// Under PUMICE_MEMORY=poison, fills the range in stream order; else does nothing.
    void poison(const vk::Binding& range);

    /// Gives blocks that hold no tensor back to the driver.
    void trim();
    void reset_peaks() noexcept;
    [[nodiscard]] MemoryStats stats() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The process's allocator on `vk::device()`. Never destroyed before the last tensor.
Allocator& allocator();
/// The same where something has asked for it, else null: reading statistics makes no device.
Allocator* made_allocator() noexcept;

}  // namespace pumice::memory
