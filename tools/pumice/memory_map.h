// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/plan.h"

#include <span>
#include <string>

namespace pumice::command {

/// An SVG of a plan: steps to the right, offsets upwards, a rectangle a buffer in the colour of its
/// size, the height and the lower bound as lines.
std::string draw_memory_map(std::span<const std::string> ids,
                            std::span<const PlanBuffer> buffers,
                            const MemoryPlan& plan);

}  // namespace pumice::command
