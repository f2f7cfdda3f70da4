// SPDX-License-Identifier: Apache-2.0
#include "memory/small_mutex.h"

#include <doctest/doctest.h>

#include <mutex>
#include <thread>
#include <vector>

TEST_CASE("small_mutex: one holder at a time, and every waiter wakes") {
    pumice::memory::SmallMutex mutex;
    long count = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int step = 0; step < 20000; ++step) {
                const std::lock_guard lock(mutex);
                count = count + 1;
                if (step % 1000 == 0) {
                    std::this_thread::yield();
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(count == 80000);
}
