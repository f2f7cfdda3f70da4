// SPDX-License-Identifier: Apache-2.0
#include "memory/allocator.h"

#include "pumice/error.h"

#include "memory/scoped_environment.h"
#include "memory/transfer.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

using pumice::memory::Allocation;
using pumice::memory::Allocator;
using pumice::memory::StorageClass;
using pumice::test::ScopedEnvironment;

namespace {

constexpr std::uint32_t kPoisonWord = 0x7fc07fc0;

std::vector<std::uint32_t> words_of(const pumice::vk::Binding& range) {
    pumice::memory::Readback readback = pumice::memory::download(range);
    const auto bytes = readback.bytes();
    std::vector<std::uint32_t> words(bytes.size() / sizeof(std::uint32_t));
    std::memcpy(words.data(), bytes.data(), bytes.size());
    return words;
}

bool is_poisoned(const pumice::vk::Binding& range) {
    const std::vector<std::uint32_t> words = words_of(range);
    return std::all_of(
        words.begin(), words.end(), [](std::uint32_t word) { return word == kPoisonWord; });
}

}  // namespace

TEST_CASE("allocator: an empty request has no buffer") {
    Allocator allocator(pumice::vk::device());
    const Allocation empty = allocator.allocate(0, StorageClass::kPersistent);
    CHECK(empty.range.buffer == nullptr);
    CHECK(empty.id != 0);
    allocator.deallocate(empty);
    CHECK(allocator.stats().allocation_count == 0);
}

TEST_CASE("allocator: ranges are aligned to the device and named once") {
    Allocator allocator(pumice::vk::device());
    const std::uint64_t alignment_bytes =
        std::max<std::uint64_t>(16, pumice::vk::device().capabilities().storage_alignment_bytes);
    std::uint64_t last_id = 0;
    for (const std::uint64_t asked_bytes : {1U, 4U, 15U, 17U, 257U, 100000U}) {
        const Allocation made = allocator.allocate(asked_bytes, StorageClass::kTransient);
        CHECK(made.range.offset_bytes % alignment_bytes == 0);
        CHECK(made.range.size_bytes % alignment_bytes == 0);
        CHECK(made.range.size_bytes >= asked_bytes);
        CHECK(made.range.size_bytes < asked_bytes + alignment_bytes);
        CHECK(made.id > last_id);
        last_id = made.id;
    }
}

TEST_CASE("allocator: the two policies have blocks of their own") {
    const ScopedEnvironment scope("PUMICE_MEMORY", nullptr);
    Allocator allocator(pumice::vk::device());
    const Allocation persistent = allocator.allocate(64, StorageClass::kPersistent);
    const Allocation transient = allocator.allocate(64, StorageClass::kTransient);
    CHECK(persistent.range.buffer != transient.range.buffer);
}

TEST_CASE("allocator: where enough is free but scattered, the other policy's hole serves") {
    const ScopedEnvironment scope("PUMICE_MEMORY", nullptr);
    Allocator allocator(pumice::vk::device());
    constexpr std::uint64_t kQuarterBytes = 256U << 10U;
    const Allocation other = allocator.allocate(64, StorageClass::kTransient);
    std::array<Allocation, 4> quarters;  // of the first block
    for (Allocation& quarter : quarters) {
        quarter = allocator.allocate(kQuarterBytes, StorageClass::kPersistent);
    }
    const std::uint64_t before_count = allocator.stats().driver_allocation_count;
    allocator.deallocate(quarters[0]);
    allocator.deallocate(quarters[2]);
    const Allocation guest = allocator.allocate(2 * kQuarterBytes, StorageClass::kPersistent);
    CHECK(guest.range.buffer == other.range.buffer);
    CHECK(guest.storage_class == StorageClass::kPersistent);
    CHECK(allocator.stats().driver_allocation_count == before_count);
    CHECK(allocator.stats().transient_live_bytes == other.range.size_bytes);
    // It goes back to where it came from, and the next tenant there is the policy's own.
    allocator.deallocate(guest);
    const Allocation own = allocator.allocate(2 * kQuarterBytes, StorageClass::kTransient);
    CHECK(own.range.buffer == guest.range.buffer);
    CHECK(own.range.offset_bytes == guest.range.offset_bytes);
    // A shortage is another matter: then the policy grows.
    const Allocation short_of = allocator.allocate(3 * kQuarterBytes, StorageClass::kPersistent);
    CHECK(short_of.range.buffer != other.range.buffer);
    CHECK(allocator.stats().driver_allocation_count == before_count + 1);
    for (const Allocation& allocation : {other, quarters[1], quarters[3], own, short_of}) {
        allocator.deallocate(allocation);
    }
    allocator.trim();
}

TEST_CASE("allocator: a freed transient's range goes to the next tenant") {
    const ScopedEnvironment scope("PUMICE_MEMORY", nullptr);
    Allocator allocator(pumice::vk::device());
    const Allocation first = allocator.allocate(5000, StorageClass::kTransient);
    allocator.deallocate(first);
    const Allocation second = allocator.allocate(5000, StorageClass::kTransient);
    CHECK(second.range.buffer == first.range.buffer);
    CHECK(second.range.offset_bytes == first.range.offset_bytes);
    CHECK(second.id != first.id);
}

TEST_CASE("allocator: counters follow what lives") {
    Allocator allocator(pumice::vk::device());
    const Allocation weights = allocator.allocate(4096, StorageClass::kPersistent);
    const Allocation hidden = allocator.allocate(8192, StorageClass::kTransient);
    CHECK(allocator.stats().live_bytes == 12288);
    CHECK(allocator.stats().transient_live_bytes == 8192);
    allocator.deallocate(hidden);
    CHECK(allocator.stats().live_bytes == 4096);
    CHECK(allocator.stats().peak_bytes == 12288);
    CHECK(allocator.stats().transient_peak_bytes == 8192);
    CHECK(allocator.stats().allocation_count == 2);
    allocator.reset_peaks();
    CHECK(allocator.stats().peak_bytes == 4096);
    CHECK(allocator.stats().transient_peak_bytes == 0);
    allocator.deallocate(weights);
}

TEST_CASE("allocator: a repeated pattern takes nothing more from the driver") {
    const ScopedEnvironment scope("PUMICE_MEMORY", nullptr);
    Allocator allocator(pumice::vk::device());
    const auto run_once = [&] {
        std::mt19937 random(5);
        std::vector<Allocation> live;
        for (int step = 0; step < 300; ++step) {
            live.push_back(allocator.allocate(1 + random() % 200000, StorageClass::kTransient));
            if (live.size() > 12) {
                std::swap(live[random() % live.size()], live.back());
                allocator.deallocate(live.back());
                live.pop_back();
            }
        }
        for (const Allocation& allocation : live) {
            allocator.deallocate(allocation);
        }
    };
    run_once();
    const std::uint64_t before_count = allocator.stats().driver_allocation_count;
    run_once();
    CHECK(allocator.stats().driver_allocation_count == before_count);
}

TEST_CASE("allocator: trim gives everything idle back and keeps what lives") {
    const ScopedEnvironment scope("PUMICE_MEMORY", nullptr);
    Allocator allocator(pumice::vk::device());
    const std::uint64_t before_bytes = allocator.stats().reserved_bytes;
    const Allocation held = allocator.allocate(64, StorageClass::kPersistent);
    allocator.deallocate(allocator.allocate(3U << 20U, StorageClass::kTransient));
    const std::uint64_t most_bytes = allocator.stats().reserved_bytes;
    allocator.trim();
    CHECK(allocator.stats().reserved_bytes < most_bytes);
    CHECK(allocator.stats().reserved_bytes > before_bytes);
    allocator.deallocate(held);
    allocator.trim();
    CHECK(allocator.stats().reserved_bytes == before_bytes);
}

TEST_CASE("allocator: more than the device has is refused, and the next request is served") {
    Allocator allocator(pumice::vk::device());
    for (const std::uint64_t asked_bytes : {1ULL << 50U, ~0ULL, ~0ULL - 300}) {
        CAPTURE(asked_bytes);
        try {
            allocator.allocate(asked_bytes, StorageClass::kPersistent);
            FAIL("served");
        } catch (const pumice::OutOfMemoryError& error) {
            CHECK(error.asked_bytes() == asked_bytes);
            CHECK(error.free_bytes() < asked_bytes);
        }
        CHECK(allocator.stats().live_bytes == 0);
    }
    allocator.deallocate(allocator.allocate(1024, StorageClass::kPersistent));
}

TEST_CASE("allocator: a driver without memory gets idle blocks of both policies back first") {
    const ScopedEnvironment scope("PUMICE_MEMORY", nullptr);
    pumice::vk::Device& device = pumice::vk::device();
    Allocator allocator(device);
    const Allocation held = allocator.allocate(64, StorageClass::kPersistent);
    allocator.deallocate(allocator.allocate(3U << 20U, StorageClass::kTransient));
    const auto before = allocator.stats();
    const std::uint64_t asked_bytes = 8U << 20U;
    pumice::vk::inject_fault(
        device, pumice::vk::Entry::kAllocateMemory, pumice::vk::Fault::kOutOfDeviceMemory);
    CHECK_THROWS_AS(allocator.allocate(asked_bytes, StorageClass::kPersistent),
                    pumice::OutOfMemoryError);
    // What fits a block that is there needs no driver.
    allocator.deallocate(allocator.allocate(64, StorageClass::kPersistent));
    pumice::vk::restore(device);
    CHECK(allocator.stats().reserved_bytes <= before.reserved_bytes - (3U << 20U));
    CHECK(allocator.stats().live_bytes == before.live_bytes);
    allocator.deallocate(allocator.allocate(asked_bytes, StorageClass::kPersistent));
    allocator.deallocate(held);
}

TEST_CASE("allocator: a driver without memory leaves the other policy's holes") {
    const ScopedEnvironment scope("PUMICE_MEMORY", nullptr);
    pumice::vk::Device& device = pumice::vk::device();
    Allocator allocator(device);
    const Allocation other = allocator.allocate(64, StorageClass::kTransient);
    pumice::vk::inject_fault(
        device, pumice::vk::Entry::kAllocateMemory, pumice::vk::Fault::kOutOfDeviceMemory);
    const Allocation guest = allocator.allocate(5000, StorageClass::kPersistent);
    pumice::vk::restore(device);
    CHECK(guest.range.buffer == other.range.buffer);
    allocator.deallocate(guest);
    allocator.deallocate(other);
}

TEST_CASE("allocator: threads allocate and free at the same time") {
    Allocator allocator(pumice::vk::device());
    std::vector<std::thread> threads;
    for (unsigned seed = 0; seed < 4; ++seed) {
        threads.emplace_back([&allocator, seed] {
            std::mt19937 random(seed);
            for (int step = 0; step < 500; ++step) {
                const auto storage_class =
                    random() % 2 == 0 ? StorageClass::kTransient : StorageClass::kPersistent;
                const Allocation first = allocator.allocate(1 + random() % 5000, storage_class);
                const Allocation second = allocator.allocate(1 + random() % 5000, storage_class);
                allocator.deallocate(first);
                allocator.deallocate(second);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(allocator.stats().live_bytes == 0);
    CHECK(allocator.stats().allocation_count == 4000);
}

TEST_CASE("allocator: PUMICE_MEMORY=dedicated gives each tensor its buffer") {
    const ScopedEnvironment scope("PUMICE_MEMORY", "dedicated");
    Allocator allocator(pumice::vk::device());
    const auto before = allocator.stats();
    const Allocation first = allocator.allocate(100, StorageClass::kTransient);
    const Allocation second = allocator.allocate(100, StorageClass::kTransient);
    CHECK(first.range.buffer != second.range.buffer);
    CHECK(allocator.stats().driver_allocation_count == before.driver_allocation_count + 2);
    allocator.deallocate(first);
    allocator.deallocate(second);
    CHECK(allocator.stats().reserved_bytes == before.reserved_bytes);
    CHECK(allocator.stats().live_bytes == 0);
}

TEST_CASE("allocator: PUMICE_MEMORY=poison fills fresh and freed memory") {
    const ScopedEnvironment scope("PUMICE_MEMORY", "poison");
    Allocator allocator(pumice::vk::device());
    const Allocation fresh = allocator.allocate(1000, StorageClass::kTransient);
    CHECK(is_poisoned(fresh.range));
    const std::array<std::uint32_t, 4> words = {1, 2, 3, 4};
    pumice::memory::upload(fresh.range, std::as_bytes(std::span(words)));
    CHECK_FALSE(is_poisoned(fresh.range));
    allocator.deallocate(fresh);
    const Allocation next = allocator.allocate(1000, StorageClass::kTransient);
    CHECK(next.range.offset_bytes == fresh.range.offset_bytes);
    CHECK(is_poisoned(next.range));
}

TEST_CASE("allocator: an unknown PUMICE_MEMORY is refused") {
    const ScopedEnvironment scope("PUMICE_MEMORY", "fast");
    CHECK_THROWS_WITH_AS(Allocator(pumice::vk::device()),
                         "[PUMICE_MEMORY] must be unset or one of: dedicated, poison; got fast",
                         pumice::ArgumentError);
}
