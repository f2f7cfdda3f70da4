// SPDX-License-Identifier: Apache-2.0
// How a count of workgroups becomes a grid.
#include "dispatch/program.h"

#include "pumice/error.h"

#include <fmt/format.h>

namespace pumice::dispatch {

std::array<std::uint32_t, 3> fold_groups(std::uint64_t count, const vk::Capabilities& caps) {
    if (count <= caps.max_group_count[0]) {
        return {static_cast<std::uint32_t>(count), 1, 1};
    }
    const std::uint64_t width = caps.max_group_count[0];
    const std::uint64_t height = (count + width - 1) / width;
    if (height > caps.max_group_count[1]) {
        throw UnsupportedError("dispatch",
                               fmt::format("{} workgroups do not fit this device's grid", count));
    }
    return {static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height), 1};
}

}  // namespace pumice::dispatch
