// SPDX-License-Identifier: Apache-2.0
#include "base/made_once.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace pumice {
namespace {

TEST_CASE("made once: the last ones are kept, a failure is not") {
    MadeOnce<int, int> values(2);
    int made_count = 0;
    const auto get = [&](int key) {
        return *values.get(key, [&] {
            ++made_count;
            return std::make_shared<const int>(10 * key);
        });
    };
    CHECK(get(1) == 10);
    CHECK(get(2) == 20);
    CHECK(get(1) == 10);
    CHECK(made_count == 2);
    CHECK(get(3) == 30);  // 1 goes
    CHECK(get(2) == 20);
    CHECK(made_count == 3);
    CHECK(get(1) == 10);
    CHECK(made_count == 4);
    const auto fail = []() -> std::shared_ptr<const int> { throw std::runtime_error("no"); };
    CHECK_THROWS_AS(values.get(7, fail), std::runtime_error);
    CHECK(get(7) == 70);
}

TEST_CASE("made once: who asks meanwhile waits for that one alone") {
    MadeOnce<int, int> values(8);
    std::atomic<bool> is_slow_let_go = false;
    std::atomic<int> slow_count = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            const auto value = values.get(1, [&] {
                ++slow_count;
                while (!is_slow_let_go) {
                    std::this_thread::yield();
                }
                return std::make_shared<const int>(5);
            });
            CHECK(*value == 5);
        });
    }
    while (slow_count == 0) {
        std::this_thread::yield();
    }
    CHECK(*values.get(2, [] { return std::make_shared<const int>(6); }) == 6);
    is_slow_let_go = true;
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(slow_count == 1);
}

}  // namespace
}  // namespace pumice
