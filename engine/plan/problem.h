// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/plan.h"

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace pumice::plan {

/// Heights and offsets inside the planner, in units of Problem::unit_bytes.
using Height = std::int64_t;

constexpr Height kNoHeight = std::numeric_limits<Height>::max();

/// A buffer over the sections of its problem.
struct Item {
    std::int32_t first_section = 0;
    std::int32_t end_section = 0;  ///< one past the last
    Height height = 0;
    Height padded = 0;  ///< height up to the next multiple of Problem::grain
    Height alignment = 1;
    std::size_t buffer = 0;  ///< index among the caller's buffers
};

/// Buffers that are linked by their lifetimes, in a form that is the same for every order of the
/// rows and every scale of sizes and steps: items are sorted, sizes divided by their common unit,
/// and time is cut into sections, the steps at which a largest set of buffers lives.
struct Problem {
    std::vector<Item> items;  ///< by first section, end, height, alignment
    std::int32_t section_count = 0;
    std::vector<std::int32_t> first_item;  ///< [section_count + 1]: items by their first section
    std::uint64_t unit_bytes = 1;
    Height grain = 1;  ///< every offset is a multiple of it
    Height bound = 0;  ///< no placement is lower
};

/// Offsets of a problem's items, and the height they reach.
struct Placement {
    std::vector<Height> offsets;
    Height height = 0;
};

/// One problem for each group of buffers that never live together with another group, the highest
/// bound first. Buffers without bytes are left out.
std::vector<Problem> make_problems(std::span<const PlanBuffer> buffers);

/// `value` up to the next multiple of `step`.
constexpr Height round_up(Height value, Height step) {
    return step == 1 ? value : (value + step - 1) / step * step;
}

/// The largest offset + height.
Height height_of(const Problem& problem, std::span<const Height> offsets);

}  // namespace pumice::plan
