// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <cstdint>
#include <memory>
#include <string>

namespace PUMICE_API pumice {

/// Counters of the device's memory and queue. Bytes are device bytes, rounded to the device's
/// alignment; counts run from the start of the process.
struct MemoryStats {
    std::uint64_t live_bytes = 0;  ///< held by live tensors, both policies
    std::uint64_t peak_bytes = 0;  ///< highest `live_bytes` since `reset_peak_memory_stats`
    std::uint64_t transient_live_bytes = 0;     ///< held by transient (inference) tensors
    std::uint64_t transient_peak_bytes = 0;     ///< highest of it since `reset_peak_memory_stats`
    std::uint64_t reserved_bytes = 0;           ///< taken from the driver, staging included
    std::uint64_t lower_bound_bytes = 0;        ///< of the newest finished `MemoryTrace`, else 0
    std::uint64_t driver_allocation_count = 0;  ///< blocks taken from the driver
    std::uint64_t allocation_count = 0;         ///< tensors' storages placed
    std::uint64_t dispatch_count = 0;           ///< kernels recorded
    std::uint64_t barrier_count = 0;            ///< pipeline barriers recorded
    std::uint64_t submit_count = 0;             ///< batches handed to the driver's queue

    /// `transient_peak_bytes / lower_bound_bytes`, or 0 without a traced bound.
    [[nodiscard]] double ratio() const noexcept;
};

/// Reads all counters. Thread-safe; all zero before the first tensor.
MemoryStats memory_stats();

/// Sets both peaks to what is live now.
void reset_peak_memory_stats();

/// Gives cached blocks that hold no tensor back to the driver. Waits for the device.
/// @throws DeviceError if the device is lost
void empty_cache();

/// While it lives, notes which kernel reads and writes which storage, and derives the lower bound:
/// the least memory that any placement needs. That is the largest sum, over all kernels, of the
/// bytes of storages that were allocated in the trace and are needed at that kernel. A storage is
/// needed from the kernel that writes it to the last one that reads it, or to the host's last read.
/// There can be one trace at a time, and it sees all threads.
class MemoryTrace {
public:
    /// @throws ArgumentError if another trace is open
    MemoryTrace();
    /// Finishes the trace.
    ~MemoryTrace();
    MemoryTrace(const MemoryTrace&) = delete;
    MemoryTrace& operator=(const MemoryTrace&) = delete;
    MemoryTrace(MemoryTrace&&) = delete;
    MemoryTrace& operator=(MemoryTrace&&) = delete;

    /// Ends recording and makes the bound that of memory_stats(); later calls do nothing.
    void finish();
    /// Lower bound in bytes of what was recorded so far; 0 if events were lost because host memory
    /// ran out.
    [[nodiscard]] std::uint64_t lower_bound_bytes() const;
    /// Highest sum of the live bytes of storages allocated in the trace; 0 if events were lost.
    [[nodiscard]] std::uint64_t peak_bytes() const;
    /// Writes the events as JSON lines; `lower_bound TRACE` recomputes the bound from them.
    /// The file appears whole or not at all.
    /// @throws FileError if the file cannot be written, or events were lost
    void dump(const std::string& path) const;

private:
    struct PUMICE_HIDDEN State;
    std::unique_ptr<State> state_;
};

}  // namespace pumice
