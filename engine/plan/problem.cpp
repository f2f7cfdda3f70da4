// SPDX-License-Identifier: Apache-2.0
// Buffers whose lifetimes are linked, as a problem that is the same for every order of theirs.
#include "plan/problem.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace pumice::plan {
namespace {

using Indices = std::vector<std::size_t>;

// Ties are buffers that nothing tells apart, so the order of the rows leaves no trace.
Indices sorted_indices(std::span<const PlanBuffer> buffers) {
    Indices indices;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        if (buffers[i].size_bytes > 0) {
            indices.push_back(i);
        }
    }
    const auto key = [&](std::size_t i) {
        const PlanBuffer& buffer = buffers[i];
        return std::tie(buffer.lower, buffer.upper, buffer.size_bytes, buffer.alignment_bytes);
    };
    std::stable_sort(indices.begin(), indices.end(), [&](std::size_t left, std::size_t right) {
        return key(left) < key(right);
    });
    return indices;
}

std::vector<Indices> linked_groups(std::span<const PlanBuffer> buffers, const Indices& sorted) {
    std::vector<Indices> groups;
    std::int64_t end = 0;
    for (const std::size_t i : sorted) {
        if (groups.empty() || buffers[i].lower >= end) {
            groups.emplace_back();
            end = buffers[i].upper;
        }
        groups.back().push_back(i);
        end = std::max(end, buffers[i].upper);
    }
    return groups;
}

// The steps at which a buffer begins and one ends before the next begins: what lives at any other
// step is part of what lives at one of these.
std::vector<std::int64_t> section_steps(std::span<const PlanBuffer> buffers, const Indices& group) {
    std::vector<std::int64_t> begins;
    std::vector<std::int64_t> ends;
    for (const std::size_t i : group) {
        begins.push_back(buffers[i].lower);
        ends.push_back(buffers[i].upper);
    }
    std::sort(begins.begin(), begins.end());
    begins.erase(std::unique(begins.begin(), begins.end()), begins.end());
    std::sort(ends.begin(), ends.end());
    std::vector<std::int64_t> steps;
    auto end = ends.begin();
    for (std::size_t i = 0; i < begins.size(); ++i) {
        const auto before = end;
        if (i + 1 < begins.size()) {
            end = std::upper_bound(before, ends.end(), begins[i + 1]);
        }
        if (i + 1 == begins.size() || end != before) {
            steps.push_back(begins[i]);
        }
    }
    return steps;
}

// Sets unit, grain, and the alignments that are still to be kept. Where every alignment divides
// every size, each sum of sizes is aligned.
void set_units(Problem& problem, std::span<const PlanBuffer> buffers, const Indices& group) {
    std::uint64_t unit_bytes = 0;
    std::uint64_t grain_bytes = 0;
    for (const std::size_t i : group) {
        unit_bytes = std::gcd(unit_bytes, buffers[i].size_bytes);
        grain_bytes = std::gcd(grain_bytes, buffers[i].alignment_bytes);
    }
    const bool is_aligned = std::all_of(group.begin(), group.end(), [&](std::size_t i) {
        return unit_bytes % buffers[i].alignment_bytes == 0;
    });
    problem.unit_bytes = is_aligned ? unit_bytes : std::gcd(unit_bytes, grain_bytes);
    problem.grain = is_aligned ? 1 : static_cast<Height>(grain_bytes / problem.unit_bytes);
    for (std::size_t i = 0; i < group.size(); ++i) {
        Item& item = problem.items[i];
        const PlanBuffer& buffer = buffers[group[i]];
        item.height = static_cast<Height>(buffer.size_bytes / problem.unit_bytes);
        item.alignment =
            is_aligned ? 1 : static_cast<Height>(buffer.alignment_bytes / problem.unit_bytes);
        item.padded = round_up(item.height, problem.grain);
    }
}

// What lives together lies in a pile of which only the top may do without its padding.
Height live_bound(const Problem& problem) {
    const auto section_count = static_cast<std::size_t>(problem.section_count);
    std::vector<Height> piles(section_count);
    std::vector<Height> paddings(section_count);
    for (const Item& item : problem.items) {
        for (auto s = static_cast<std::size_t>(item.first_section);
             s < static_cast<std::size_t>(item.end_section);
             ++s) {
            piles[s] += item.padded;
            paddings[s] = std::max(paddings[s], item.padded - item.height);
        }
    }
    Height bound = 0;
    for (std::size_t s = 0; s < section_count; ++s) {
        bound = std::max(bound, piles[s] - paddings[s]);
    }
    return bound;
}

Problem make_problem(std::span<const PlanBuffer> buffers, Indices group) {
    const std::vector<std::int64_t> steps = section_steps(buffers, group);
    const auto section_of = [&](std::int64_t step) {
        return static_cast<std::int32_t>(std::lower_bound(steps.begin(), steps.end(), step) -
                                         steps.begin());
    };
    const auto key = [&](std::size_t i) {
        return std::make_tuple(section_of(buffers[i].lower),
                               section_of(buffers[i].upper),
                               buffers[i].size_bytes,
                               buffers[i].alignment_bytes);
    };
    std::stable_sort(group.begin(), group.end(), [&](std::size_t left, std::size_t right) {
        return key(left) < key(right);
    });
    Problem problem;
    problem.section_count = static_cast<std::int32_t>(steps.size());
    for (const std::size_t i : group) {
        Item item;
        item.first_section = section_of(buffers[i].lower);
        item.end_section = section_of(buffers[i].upper);
        item.buffer = i;
        problem.items.push_back(item);
    }
    set_units(problem, buffers, group);
    for (std::int32_t s = 0; s <= problem.section_count; ++s) {
        const auto first = std::partition_point(problem.items.begin(),
                                                problem.items.end(),
                                                [&](const Item& i) { return i.first_section < s; });
        problem.first_item.push_back(static_cast<std::int32_t>(first - problem.items.begin()));
    }
    problem.bound = live_bound(problem);
    return problem;
}

}  // namespace

std::vector<Problem> make_problems(std::span<const PlanBuffer> buffers) {
    std::vector<Problem> problems;
    for (Indices& group : linked_groups(buffers, sorted_indices(buffers))) {
        problems.push_back(make_problem(buffers, std::move(group)));
    }
    const auto bound_bytes = [](const Problem& problem) {
        return static_cast<std::uint64_t>(problem.bound) * problem.unit_bytes;
    };
    std::stable_sort(
        problems.begin(), problems.end(), [&](const Problem& left, const Problem& right) {
            return bound_bytes(left) > bound_bytes(right);
        });
    return problems;
}

Height height_of(const Problem& problem, std::span<const Height> offsets) {
    Height height = 0;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
        height = std::max(height, offsets[i] + problem.items[i].height);
    }
    return height;
}

}  // namespace pumice::plan
