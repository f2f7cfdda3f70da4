// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/plan.h"

#include <span>
#include <string>
#include <vector>

namespace pumice::test {

/// What is wrong with a plan, by its promises alone: buffers that share a byte at a step, offsets
/// that are not aligned, heights that are not what the offsets reach. Empty if nothing is.
std::string fault_of_plan(std::span<const PlanBuffer> buffers, const MemoryPlan& plan);

/// The least height, by trying all orders of up to eight buffers: each order drops its buffers one
/// after the other to the lowest offset that is free.
std::uint64_t least_height_bytes(std::span<const PlanBuffer> buffers);

/// One row a buffer, one column a step from 0, for the eye when a case fails.
std::string memory_map(std::span<const PlanBuffer> buffers, const MemoryPlan& plan);

}  // namespace pumice::test
