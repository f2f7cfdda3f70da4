// SPDX-License-Identifier: Apache-2.0
#include "memory/staging.h"

#include "memory/driver_memory.h"
#include "vk/queue.h"

#include <doctest/doctest.h>

using pumice::memory::Range;
using pumice::memory::StagingRing;

namespace {

constexpr std::uint64_t kMebibyte = 1U << 20U;

}  // namespace

TEST_CASE("staging: slices are mapped, and given back at once or by a timeline value") {
    pumice::vk::Device& device = pumice::vk::device();
    StagingRing ring(device, pumice::vk::MemoryKind::kUpload, 4 * kMebibyte);
    Range* first = ring.acquire(1000);
    CHECK(ring.binding(*first).buffer->mapped != nullptr);
    CHECK(ring.binding(*first).size_bytes >= 1000);
    const std::uint64_t first_offset_bytes = first->offset_bytes;
    ring.release(first);
    Range* second = ring.acquire(1000);
    CHECK(second->offset_bytes == first_offset_bytes);

    const std::uint64_t value = device.queue().flush();
    ring.release_after(second, value);
    device.queue().wait(value);
    CHECK(ring.acquire(1000)->offset_bytes == first_offset_bytes);
}

TEST_CASE("staging: a full ring waits for its oldest slice rather than growing") {
    pumice::vk::Device& device = pumice::vk::device();
    StagingRing ring(device, pumice::vk::MemoryKind::kUpload, 2 * kMebibyte);
    const std::uint64_t before_count = pumice::memory::driver_counters().allocation_count;
    for (int piece = 0; piece < 20; ++piece) {
        Range* slice = ring.acquire(kMebibyte);
        ring.release_after(slice, device.queue().flush());
    }
    CHECK(pumice::memory::driver_counters().allocation_count - before_count <= 2);
}

TEST_CASE("staging: trim gives back what is not in use") {
    pumice::vk::Device& device = pumice::vk::device();
    const std::uint64_t before_bytes = pumice::memory::driver_counters().reserved_bytes;
    StagingRing ring(device, pumice::vk::MemoryKind::kReadback, 64 * kMebibyte);
    Range* slice = ring.acquire(3 * kMebibyte);
    ring.trim();
    CHECK(pumice::memory::driver_counters().reserved_bytes > before_bytes);
    ring.release_after(slice, device.queue().flush());
    ring.trim();
    CHECK(pumice::memory::driver_counters().reserved_bytes == before_bytes);
}
