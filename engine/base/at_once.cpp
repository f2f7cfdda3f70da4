// SPDX-License-Identifier: Apache-2.0
// Work that several threads share for the time of one call.
#include "base/at_once.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <system_error>
#include <thread>
#include <vector>

namespace pumice {

namespace {

class Helpers {
public:
    Helpers() = default;
    Helpers(const Helpers&) = delete;
    Helpers& operator=(const Helpers&) = delete;
    Helpers(Helpers&&) = delete;
    Helpers& operator=(Helpers&&) = delete;

    ~Helpers() {
        for (std::thread& each : threads_) {
            each.join();
        }
    }

    // The system may have no more threads: then fewer do the same work.
    void start(std::size_t count, const std::function<void()>& work) {
        threads_.reserve(count);
        try {
            while (threads_.size() < count) {
                threads_.emplace_back(work);
            }
        } catch (const std::system_error&) {
            return;
        }
    }

private:
    std::vector<std::thread> threads_;
};

}  // namespace

void do_at_once(std::size_t count, const std::function<void(std::size_t)>& work) {
    std::vector<std::exception_ptr> errors(count);
    std::atomic<std::size_t> next{0};
    const std::function<void()> take_turns = [&] {
        for (std::size_t i = next++; i < count; i = next++) {
            try {
                work(i);
            } catch (...) {
                errors[i] = std::current_exception();
            }
        }
    };
    {
        const std::size_t core_count = std::max(1U, std::thread::hardware_concurrency());
        Helpers helpers;
        helpers.start(std::min(core_count, std::max<std::size_t>(count, 1)) - 1, take_turns);
        take_turns();
    }
    for (const std::exception_ptr& error : errors) {
        if (error) {
            std::rethrow_exception(error);
        }
    }
}

}  // namespace pumice
