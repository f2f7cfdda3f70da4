// SPDX-License-Identifier: Apache-2.0
// The public view of the allocator's counters.
#include "pumice/memory.h"

#include "memory/allocator.h"
#include "memory/staging.h"

namespace pumice {

double MemoryStats::ratio() const noexcept {
    if (lower_bound_bytes == 0) {
        return 0.0;
    }
    return static_cast<double>(transient_peak_bytes) / static_cast<double>(lower_bound_bytes);
}

MemoryStats memory_stats() {
    const memory::Allocator* made = memory::made_allocator();
    return made == nullptr ? MemoryStats{} : made->stats();
}

void reset_peak_memory_stats() {
    if (memory::Allocator* made = memory::made_allocator()) {
        made->reset_peaks();
    }
}

void empty_cache() {
    if (memory::Allocator* made = memory::made_allocator()) {
        memory::trim_staging();
        made->trim();
    }
}

}  // namespace pumice
