// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/future.h"
#include "pumice/grad_mode.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

namespace PUMICE_API pumice {

/// How many threads the pool has that runs `launch`, `parallel_for`, `Future::then` and resumed
/// coroutines; at first as many as the host has processors.
int get_num_threads() noexcept;
/// Sets that number. @throws ArgumentError for less than 1, or after the pool was first used
void set_num_threads(int count);

/// Has the pool call `fn` in this thread's modes; the pool's thread has its own modes back after
/// that (G58). The future gives the result or the exception of `fn`.
template <class F>
auto launch(F fn) {
    auto call = bind_mode(std::move(fn));
    using Result = std::invoke_result_t<decltype(call)&>;
    const auto result = std::make_shared<detail::HostResult<Result>>();
    const auto run = std::make_shared<decltype(call)>(std::move(call));
    detail::post([result, run] { result->run(*run); });
    return Future<Result>(result);
}

/// Calls `fn(from, to)` for pieces of [begin, end) of at least `grain_size` (the last excepted), on
/// this thread and those of the pool, in this thread's modes, and returns when all are done.
/// Source: at::parallel_for. @throws ArgumentError for a grain below 1; the first exception of `fn`
void parallel_for(std::int64_t begin,
                  std::int64_t end,
                  std::int64_t grain_size,
                  const std::function<void(std::int64_t, std::int64_t)>& fn);

/// A thread of its own for work that nobody submits, such as prefetching or logging: gradients and
/// inference mode are off on it, whatever this thread's modes are, so that what it makes is normal
/// and persistent (G59).
template <class F>
std::thread start_service_thread(F fn) {
    return std::thread([fn = std::move(fn)]() mutable {
        const detail::FlowScope scope(detail::kServiceModes);
        std::invoke(fn);
    });
}

}  // namespace pumice
