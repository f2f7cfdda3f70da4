// SPDX-License-Identifier: Apache-2.0
#include "vk/seam.h"

#include "vk/device.h"
#include "vk/queue.h"

#include <doctest/doctest.h>

#include <cstring>

namespace pumice::vk {
namespace {

TEST_CASE("seam: null execution counts, and real work goes on after it") {
    Device own;
    Queue& queue = own.queue();
    const Buffer host = own.create_buffer(256, MemoryKind::kReadback);
    const Binding range{&host, 0, 256};
    queue.fill(range, 1);
    queue.wait(queue.release_to_host(range));

    install_null_execution(own);
    for (std::uint32_t i = 0; i < 1000; ++i) {
        queue.fill(range, 2);
    }
    queue.wait(queue.flush());
    CHECK(null_counts().transfers == 1000);
    CHECK(null_counts().barriers == 999);
    CHECK(null_counts().submits == queue.counters().submits - 1);
    CHECK(queue.completed() == queue.next_value());
    queue.fill(range, 3);  // swallowed as well, by restore
    restore(own);

    std::uint32_t word = 0;
    std::memcpy(&word, host.mapped, sizeof(word));
    CHECK(word == 1);
    queue.fill(range, 4);
    queue.wait(queue.release_to_host(range));
    std::memcpy(&word, host.mapped, sizeof(word));
    CHECK(word == 4);
    own.destroy_buffer(host);
}

TEST_CASE("seam: barriers are left out by kind and number") {
    Device own;
    Queue& queue = own.queue();
    const Buffer buffer = own.create_buffer(1024, MemoryKind::kDevice);
    const Binding range{&buffer, 0, 256};
    const Binding other{&buffer, 512, 256};
    // Swallowed by null execution below the filter: a layer must not see what is left out here.
    install_null_execution(own);
    BarrierFilter filter;
    filter.kind = HazardKind::kWriteAfterWrite;
    filter.passed_count = 2;
    filter.dropped_count = 3;
    drop_barriers(own, filter);
    for (int i = 0; i < 11; ++i) {
        queue.fill(range, 1);  // ten conflicts
    }
    CHECK(dropped_barrier_count() == 3);
    queue.copy(range, other);
    CHECK(dropped_barrier_count() == 3);
    restore(own);
    own.destroy_buffer(buffer);
}

}  // namespace
}  // namespace pumice::vk
