// SPDX-License-Identifier: Apache-2.0
#include "pumice/memory.h"

#include "memory/allocator.h"
#include "vk/device.h"

#include <doctest/doctest.h>

using pumice::memory::Allocation;
using pumice::memory::allocator;
using pumice::memory::StorageClass;

TEST_CASE("stats: reading them makes no device") {
    const bool was_made = pumice::vk::device_if_made() != nullptr;
    pumice::reset_peak_memory_stats();
    pumice::empty_cache();
    const pumice::MemoryStats stats = pumice::memory_stats();
    CHECK((pumice::vk::device_if_made() != nullptr) == was_made);
    if (!was_made) {
        CHECK(stats.reserved_bytes == 0);
        CHECK(stats.submit_count == 0);
    }
}

TEST_CASE("stats: the ratio needs a bound") {
    pumice::MemoryStats stats;
    stats.transient_peak_bytes = 300;
    CHECK(stats.ratio() == 0.0);
    stats.lower_bound_bytes = 200;
    CHECK(stats.ratio() == doctest::Approx(1.5));
}

TEST_CASE("stats: the process's allocator is counted, peaks start anew, the cache empties") {
    const Allocation made = allocator().allocate(1U << 20U, StorageClass::kTransient);
    const pumice::MemoryStats live = pumice::memory_stats();
    CHECK(live.transient_live_bytes >= made.range.size_bytes);
    CHECK(live.reserved_bytes >= made.range.size_bytes);
    allocator().deallocate(made);
    pumice::reset_peak_memory_stats();
    const pumice::MemoryStats after = pumice::memory_stats();
    CHECK(after.transient_peak_bytes == after.transient_live_bytes);
    pumice::empty_cache();
    CHECK(pumice::memory_stats().reserved_bytes <= live.reserved_bytes);
}
