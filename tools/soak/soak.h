// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// A long run of mixed work, to see whether the memory that it holds settles.
namespace pumice::soak {

struct Options {
    std::int64_t passes = 100000;
    std::int64_t warm_up_passes = 1000;  ///< what the run holds after them must last to its end
    std::int64_t most_rows = 4096;       ///< of a batch, at the height of a phase
    std::uint64_t seed = 1;
};

/// What a process holds at one moment.
struct Holding {
    std::uint64_t reserved_bytes = 0;  ///< of the device: MemoryStats::reserved_bytes
    std::uint64_t live_bytes = 0;      ///< of the device, in live tensors
    std::uint64_t host_bytes = 0;      ///< resident; 0 where the system does not say
    std::uint64_t driver_allocations = 0;
};

struct Report {
    Holding warm;  ///< after the passes of the warm-up
    Holding end;
    std::uint64_t most_reserved_bytes = 0;  ///< at the end of any pass after the warm-up

    [[nodiscard]] bool has_grown() const noexcept {
        return most_reserved_bytes > warm.reserved_bytes;
    }
};

/// Runs the passes. Each is a training step, a forward pass in grad mode whose graph waits for a
/// later pass, a forward pass under no_grad or in inference mode, a replay, a chain of in-place
/// updates, a chain of views, a change of what is kept from pass to pass, or a new capture; a
/// seeded generator draws which, and the sizes, which grow and shrink in phases of 250 passes.
/// @throws ArgumentError unless 0 < warm_up_passes < passes and most_rows > 0; what operators throw
Report run(const Options& options);

}  // namespace pumice::soak
