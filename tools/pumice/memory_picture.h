// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traced_memory.h"

#include <cstdint>
#include <string>

namespace pumice::command {

/// An SVG: live and needed bytes over the steps with the lower bound as a line, and below it the
/// addresses of each buffer with a rectangle a tenant, in the colour of its operator.
std::string draw_memory_picture(const std::string& title,
                                const TracedMemory& memory,
                                std::uint64_t lower_bound_bytes);

}  // namespace pumice::command
