// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

namespace pumice {

/// Calls work(0) to work(count - 1), on this thread and on as many more as there are cores, and
/// returns when all calls are over. Throws what the first call in the order of numbers threw.
/// For work that takes long: the threads start and end with the call.
void do_at_once(std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace pumice
