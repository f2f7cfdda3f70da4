// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pumice::memory {

/// One thing that happened while a MemoryTrace was open.
struct TraceEvent {
    enum class Kind : std::uint8_t { kAllocated, kFreed, kKernel, kHostRead };

    Kind kind = Kind::kAllocated;
    bool is_transient = false;       ///< of kAllocated
    std::uint64_t id = 0;            ///< storage, of all but kKernel
    std::uint64_t size_bytes = 0;    ///< of kAllocated and kFreed
    std::uint64_t buffer = 0;        ///< of kAllocated: the driver's buffer, by number
    std::uint64_t offset_bytes = 0;  ///< of kAllocated: in that buffer
    std::string label = {};          ///< of kKernel, as the two below
    std::vector<std::uint64_t> read_ids = {};
    std::vector<std::uint64_t> written_ids = {};
};

using TraceEvents = std::vector<TraceEvent>;

/// Writes the events as JSON lines, in their order:
///
///     {"event":"begin","version":1}
///     {"event":"allocated","id":7,"bytes":4096,"transient":true,"buffer":2,"offset":512}
///     {"event":"kernel","label":"add","reads":[5,6],"writes":[7]}
///     {"event":"host_read","id":7}
///     {"event":"freed","id":7,"bytes":4096}
///     {"event":"end","event_count":4}
///
/// Storages share an address if their buffer is the same and their ranges [offset, offset + bytes)
/// overlap. A plan's trace has one buffer, the plan's block.
///
/// The file appears whole or not at all: it is written beside `path` and then renamed.
/// @throws FileError
void write_trace_file(const std::string& path, const TraceEvents& events);

}  // namespace pumice::memory
