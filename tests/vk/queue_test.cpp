// SPDX-License-Identifier: Apache-2.0
#include "vk/queue.h"

#include "pumice/error.h"

#include "vk/device.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <vector>

namespace pumice::vk {
namespace {

constexpr std::uint64_t kRangeBytes = 1024;

/// A device of its own with one arena and one readback buffer, so that faults stay in the test.
struct Bench {
    Device device;
    Queue& queue = device.queue();
    Buffer arena = device.create_buffer(64 * kRangeBytes, MemoryKind::kDevice);
    Buffer host = device.create_buffer(kRangeBytes, MemoryKind::kReadback);

    Bench() = default;

    ~Bench() {
        restore(device);
        device.destroy_buffer(arena);
        device.destroy_buffer(host);
    }

    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    Binding range(std::uint64_t index) const { return {&arena, index * kRangeBytes, kRangeBytes}; }

    Binding host_range() const { return {&host, 0, kRangeBytes}; }

    std::vector<std::uint32_t> read(const Binding& source) {
        queue.copy(source, host_range());
        queue.wait(queue.release_to_host(host_range()));
        std::vector<std::uint32_t> words(kRangeBytes / 4);
        std::memcpy(words.data(), host.mapped, kRangeBytes);
        return words;
    }
};

std::vector<std::uint32_t> all(std::uint32_t word) {
    return std::vector<std::uint32_t>(kRangeBytes / 4, word);
}

TEST_CASE("queue: fill, copy and read back") {
    Bench bench;
    bench.queue.fill(bench.range(0), 7);
    bench.queue.copy(bench.range(0), bench.range(5));
    CHECK(bench.read(bench.range(5)) == all(7));
    bench.queue.fill(bench.range(0), 8);
    CHECK(bench.read(bench.range(5)) == all(7));
    CHECK(bench.read(bench.range(0)) == all(8));
}

TEST_CASE("queue: barriers only where ranges conflict") {
    Bench bench;
    Queue& queue = bench.queue;
    queue.fill(bench.range(0), 1);
    queue.fill(bench.range(1), 2);
    queue.copy(bench.range(2), bench.range(3));
    CHECK(queue.counters().barriers == 0);
    queue.copy(bench.range(1), bench.range(4));
    CHECK(queue.counters().barriers == 1);
    CHECK(queue.last_hazard().kind == HazardKind::kReadAfterWrite);
    queue.fill(bench.range(1), 3);
    CHECK(queue.last_hazard().kind == HazardKind::kWriteAfterRead);
    queue.fill(bench.range(1), 4);
    CHECK(queue.last_hazard().kind == HazardKind::kWriteAfterWrite);
    CHECK(queue.counters().barriers == 3);
    CHECK(bench.read(bench.range(1)) == all(4));
    CHECK(bench.read(bench.range(4)) == all(2));
}

TEST_CASE("queue: a hazard outlives its submit, but not a wait for it") {
    Bench bench;
    Queue& queue = bench.queue;
    queue.fill(bench.range(0), 1);
    queue.flush();
    queue.fill(bench.range(0), 2);
    CHECK(queue.counters().barriers == 1);
    CHECK(queue.last_hazard().is_across_submits);
    queue.wait(queue.flush());
    queue.fill(bench.range(0), 3);
    CHECK(queue.counters().barriers == 1);
    CHECK(bench.read(bench.range(0)) == all(3));
}

TEST_CASE("queue: timeline values and idle ranges") {
    Bench bench;
    Queue& queue = bench.queue;
    CHECK(queue.next_value() == 0);
    CHECK(queue.flush() == 0);
    queue.wait(0);
    CHECK(queue.is_idle(bench.range(0)));
    queue.fill(bench.range(0), 1);
    CHECK(queue.next_value() == 1);
    CHECK_FALSE(queue.is_idle(bench.range(0)));
    CHECK(queue.is_idle(bench.range(1)));
    CHECK(queue.flush() == 1);
    CHECK(queue.next_value() == 1);
    CHECK(queue.flush() == 1);
    queue.wait(1);
    CHECK(queue.completed() == 1);
    CHECK(queue.is_idle(bench.range(0)));
    queue.fill(bench.range(0), 1);
    queue.wait(queue.next_value());  // submits by itself
    CHECK(queue.counters().submits == 2);
    CHECK_THROWS_AS(queue.wait(99), InternalError);
}

TEST_CASE("queue: many commands are submitted on the way and in order") {
    Bench bench;
    constexpr std::uint32_t kSteps = 3000;
    for (std::uint32_t i = 0; i <= kSteps; ++i) {
        bench.queue.fill(bench.range(0), i);
        bench.queue.copy(bench.range(0), bench.range(i % 7 + 1));
    }
    CHECK(bench.read(bench.range(0)) == all(kSteps));
    CHECK(bench.read(bench.range(kSteps % 7 + 1)) == all(kSteps));
    CHECK(bench.queue.counters().submits > 10);
}

TEST_CASE("queue: threads may record at once") {
    Bench bench;
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 4; ++t) {
        threads.emplace_back([&bench, t] {
            for (std::uint32_t i = 0; i < 500; ++i) {
                bench.queue.fill(bench.range(t), t * 1000 + i);
                if (i % 100 == 0) {
                    bench.queue.wait(bench.queue.flush());
                }
            }
        });
    }
    for (std::thread& each : threads) {
        each.join();
    }
    for (std::uint32_t t = 0; t < 4; ++t) {
        CHECK(bench.read(bench.range(t)) == all(t * 1000 + 499));
    }
}

TEST_CASE("queue: ranges outside their buffer are refused") {
    Bench bench;
    const Binding past{&bench.arena, 64 * kRangeBytes - 4, 8};
    const Binding odd{&bench.arena, 2, 4};
    const Binding overlapping{&bench.arena, 4, kRangeBytes};
    CHECK_THROWS_AS(bench.queue.fill(past, 0), InternalError);
    CHECK_THROWS_AS(bench.queue.fill(odd, 0), InternalError);
    CHECK_THROWS_AS(bench.queue.fill({&bench.arena, 0, 0}, 0), InternalError);
    CHECK_THROWS_AS(bench.queue.fill({nullptr, 0, 4}, 0), InternalError);
    CHECK_THROWS_AS(bench.queue.copy(bench.range(0), overlapping), InternalError);
    CHECK(bench.queue.next_value() == 0);
}

TEST_CASE("queue: a lost device throws from then on and destructors stay quiet") {
    Bench bench;
    bench.queue.fill(bench.range(0), 1);
    SUBCASE("at a submit") {
        inject_fault(bench.device, Entry::kQueueSubmit, Fault::kDeviceLost);
        CHECK_THROWS_AS(bench.queue.flush(), DeviceError);
    }
    SUBCASE("at a wait") {
        inject_fault(bench.device, Entry::kWaitSemaphores, Fault::kDeviceLost);
        CHECK_THROWS_AS(bench.queue.wait(bench.queue.flush()), DeviceError);
    }
    SUBCASE("at a query") {
        inject_fault(bench.device, Entry::kGetSemaphoreCounterValue, Fault::kDeviceLost);
        CHECK_THROWS_AS(bench.queue.completed(), DeviceError);
    }
    restore(bench.device);
    CHECK_THROWS_WITH_AS(bench.queue.fill(bench.range(0), 1),
                         "[vulkan] the device was lost (VK_ERROR_DEVICE_LOST) by an earlier "
                         "command; restart the process",
                         DeviceError);
    CHECK_THROWS_AS(bench.queue.flush(), DeviceError);
    CHECK_THROWS_AS(bench.queue.wait(0), DeviceError);
    CHECK_THROWS_AS(bench.queue.release_to_host(bench.range(0)), DeviceError);
}

}  // namespace
}  // namespace pumice::vk
