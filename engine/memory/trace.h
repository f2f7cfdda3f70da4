// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

namespace pumice::memory {

/// Where a storage lies; see trace_file.h.
struct TracePlace {
    std::uint64_t buffer = 0;
    std::uint64_t offset_bytes = 0;
};

extern std::atomic<bool> trace_is_open;

/// The corridor's and the allocator's hooks into an open MemoryTrace; each is a relaxed load and a
/// return while none is open. Storage ids are Allocation::id.
void trace_allocated(std::uint64_t id,
                     std::uint64_t size_bytes,
                     bool is_transient,
                     TracePlace place = {}) noexcept;
void trace_freed(std::uint64_t id, std::uint64_t size_bytes) noexcept;
void trace_kernel(std::string_view label,
                  std::span<const std::uint64_t> read_ids,
                  std::span<const std::uint64_t> written_ids) noexcept;
void trace_host_read(std::uint64_t id) noexcept;

/// Lower bound of the newest finished MemoryTrace, or 0.
std::uint64_t traced_lower_bound_bytes() noexcept;

}  // namespace pumice::memory
