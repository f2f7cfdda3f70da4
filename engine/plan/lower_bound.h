// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace pumice::plan {

/// Steps, both included, during which a storage must keep its bytes.
struct Lifetime {
    std::uint64_t size_bytes = 0;
    std::uint64_t first_step = 0;
    std::uint64_t last_step = 0;
};

/// The least memory in bytes that any placement of these storages needs:
/// `max over steps of sum of size_bytes of the storages that are alive at that step`.
std::uint64_t lower_bound_bytes(std::span<const Lifetime> lifetimes);

}  // namespace pumice::plan
