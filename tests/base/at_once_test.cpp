// SPDX-License-Identifier: Apache-2.0
#include "base/at_once.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace pumice {
namespace {

TEST_CASE("at once: every number is worked on once") {
    for (const std::size_t count : {0U, 1U, 2U, 97U}) {
        std::vector<std::atomic<int>> calls(count);
        do_at_once(count, [&](std::size_t i) { ++calls[i]; });
        for (const std::atomic<int>& each : calls) {
            CHECK(each == 1);
        }
    }
}

TEST_CASE("at once: as many threads as there are cores") {
    const unsigned wanted = std::max(1U, std::thread::hardware_concurrency());
    std::atomic<unsigned> inside = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    do_at_once(wanted, [&](std::size_t /*i*/) {
        ++inside;
        while (inside < wanted && std::chrono::steady_clock::now() < end) {
            std::this_thread::yield();
        }
    });
    CHECK(inside == wanted);
    CHECK(std::chrono::steady_clock::now() < end);
}

TEST_CASE("at once: all is over before the first error is thrown") {
    std::atomic<int> call_count = 0;
    std::string text;
    try {
        do_at_once(20, [&](std::size_t i) {
            ++call_count;
            if (i == 5 || i == 3 || i == 19) {
                throw std::runtime_error(std::to_string(i));
            }
        });
    } catch (const std::runtime_error& error) {
        text = error.what();
    }
    CHECK(text == "3");
    CHECK(call_count == 20);
}

}  // namespace
}  // namespace pumice
