// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace pumice::debug {

enum class Counted : std::uint8_t { kVersionCounter, kViewRecord, kAutogradMeta, kNode, kCount };

/// Adds one; behind pumice::debug::counters().
void count(Counted what) noexcept;

}  // namespace pumice::debug
