// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/hazards.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace pumice::vk {

class Device;

/// Replaces entries of the device's table (docs/architecture.md#drivers-and-validation): for
/// measurements and tests only.
/// One device at a time, and no other thread may use it while a replacement is put in or taken out.
/// Null execution, if wanted, goes in first: filters and faults sit on top of it.

/// Calls that null execution has swallowed since it was installed.
struct NullCounts {
    std::uint64_t dispatches = 0;
    std::uint64_t barriers = 0;
    std::uint64_t transfers = 0;
    std::uint64_t descriptor_updates = 0;
    std::uint64_t submits = 0;
};

/// Commands, submits and waits become counting no-ops, and the timeline reaches a submit's value at
/// once: what is left is host cost. Buffers, pipelines and descriptor sets stay real.
/// @throws DeviceError
void install_null_execution(Device& device);
NullCounts null_counts() noexcept;

/// A driver entry that can be made to fail.
enum class Entry : std::uint8_t {
    kAllocateMemory,
    kCreateBuffer,
    kMapMemory,
    kCreateComputePipelines,
    kBeginCommandBuffer,
    kQueueSubmit,
    kWaitSemaphores,
    kGetSemaphoreCounterValue,
    kCreateQueryPool,
    kGetQueryPoolResults,
};

/// What it returns then.
enum class Fault : std::uint8_t { kOutOfDeviceMemory, kOutOfHostMemory, kDeviceLost };

/// After `passed_calls` calls that go through, every call of the entry fails, until `restore`.
/// The failing call does not reach the driver.
void inject_fault(Device& device, Entry entry, Fault fault, std::uint32_t passed_calls = 0);

/// Calls `compiler` on the thread that is about to make a compute pipeline: it may take as long as
/// a slow driver does, and fail as one. Several threads may be in it at once. Not beside a fault of
/// the same entry.
void replace_compiler(Device& device, std::function<std::optional<Fault>()> compiler);

/// Which barriers to leave out.
struct BarrierFilter {
    /// kNone drops barriers of every kind.
    HazardKind kind = HazardKind::kNone;
    bool only_across_submits = false;
    /// Barriers that match but still pass before the first one is dropped.
    std::uint32_t passed_count = 0;
    std::uint32_t dropped_count = UINT32_MAX;  ///< how many to drop at most
};

/// Leaves out barriers between commands (never the one that releases memory to the host).
void drop_barriers(Device& device, const BarrierFilter& filter);
std::uint32_t dropped_barrier_count() noexcept;

/// Lowers maxStorageBufferRange, so that small tensors take the path of large ones.
void limit_storage_range(Device& device, std::uint64_t most_bytes);

/// Lowers the valid bits of the queue's timestamps; 0: it takes none.
void limit_timestamps(Device& device, std::uint32_t most_bits);

/// Takes everything out again. After null execution, values that were passed on paper are signalled
/// to the real timeline.
void restore(Device& device);

}  // namespace pumice::vk
