// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/plan.h"

#include <optional>
#include <span>
#include <string>

namespace pumice::plan {

/// Bytes that a plan can have at most.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 62;

/// The first buffer that no plan can hold, and why.
struct BufferFault {
    std::size_t index = 0;
    std::string reason;
};

/// Looks for lower >= upper, an alignment of 0, and sizes whose sum with padding passes kMostBytes.
std::optional<BufferFault> find_fault(std::span<const PlanBuffer> buffers);

}  // namespace pumice::plan
