// SPDX-License-Identifier: Apache-2.0
#include "memory/driver_memory.h"

#include "pumice/error.h"

#include <doctest/doctest.h>

using pumice::memory::driver_counters;

TEST_CASE("driver_memory: buffers are counted while they live") {
    pumice::vk::Device& device = pumice::vk::device();
    const auto before = driver_counters();
    const auto buffer =
        pumice::memory::create_buffer(device, 4096, pumice::vk::MemoryKind::kUpload);
    CHECK(driver_counters().reserved_bytes - before.reserved_bytes == buffer.size_bytes);
    CHECK(driver_counters().allocation_count - before.allocation_count == 1);
    pumice::memory::destroy_buffer(device, buffer);
    CHECK(driver_counters().reserved_bytes == before.reserved_bytes);
}

TEST_CASE("driver_memory: a refused buffer is not counted") {
    const auto before = driver_counters();
    CHECK_THROWS_AS(pumice::memory::create_buffer(
                        pumice::vk::device(), 1ULL << 50U, pumice::vk::MemoryKind::kDevice),
                    pumice::OutOfMemoryError);
    CHECK(driver_counters().reserved_bytes == before.reserved_bytes);
    CHECK(driver_counters().allocation_count == before.allocation_count);
}
