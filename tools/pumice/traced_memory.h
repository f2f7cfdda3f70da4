// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pumice::command {

/// A storage of a trace, at its place while it lives. Steps count kernels and host reads; a storage
/// lives in [first_step, end_step).
struct TracedTenant {
    std::uint64_t id = 0;
    std::string op = "unused";  ///< that wrote it first; "host" if it was read before
    bool is_transient = false;
    std::uint64_t buffer = 0;
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0;
    std::size_t first_step = 0;
    std::size_t end_step = 0;

    [[nodiscard]] bool lives_at(std::size_t step) const {
        return first_step <= step && step < end_step;
    }
};

/// What a dumped MemoryTrace (or Plan) tells about addresses and time.
struct TracedMemory {
    std::vector<TracedTenant> tenants;        ///< in the order of their allocation
    std::vector<std::uint64_t> live_bytes;    ///< by step: the most that was held in it
    std::vector<std::uint64_t> needed_bytes;  ///< by step: held by who is used up to it and after
    std::size_t peak_step = 0;                ///< the first with the most live bytes
};

/// Reads a trace as engine/memory/trace_file.h describes it.
/// @throws FileError, nlohmann's exceptions for what is no trace
TracedMemory read_traced_memory(const std::string& path);

}  // namespace pumice::command
