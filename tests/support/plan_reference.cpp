// SPDX-License-Identifier: Apache-2.0
#include "support/plan_reference.h"

#include <algorithm>
#include <numeric>

namespace pumice::test {
namespace {

bool live_together(const PlanBuffer& a, const PlanBuffer& b) {
    return a.lower < b.upper && b.lower < a.upper;
}

bool share_bytes(std::uint64_t a, std::uint64_t a_bytes, std::uint64_t b, std::uint64_t b_bytes) {
    return a < b + b_bytes && b < a + a_bytes && a_bytes > 0 && b_bytes > 0;
}

std::uint64_t drop(std::span<const PlanBuffer> buffers,
                   const std::vector<std::size_t>& order,
                   std::size_t at,
                   const std::vector<std::uint64_t>& offsets) {
    const PlanBuffer& buffer = buffers[order[at]];
    std::uint64_t offset = 0;
    for (bool is_free = false; !is_free; offset += is_free ? 0 : buffer.alignment_bytes) {
        is_free = true;
        for (std::size_t j = 0; j < at; ++j) {
            const PlanBuffer& other = buffers[order[j]];
            is_free =
                is_free &&
                !(live_together(buffer, other) &&
                  share_bytes(offset, buffer.size_bytes, offsets[order[j]], other.size_bytes));
        }
    }
    return offset;
}

}  // namespace

std::string fault_of_plan(std::span<const PlanBuffer> buffers, const MemoryPlan& plan) {
    if (plan.offsets.size() != buffers.size()) {
        return "another count of offsets than of buffers";
    }
    std::uint64_t height_bytes = 0;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        height_bytes = std::max(height_bytes, plan.offsets[i] + buffers[i].size_bytes);
        if (plan.offsets[i] % buffers[i].alignment_bytes != 0) {
            return "buffer " + std::to_string(i) + " is not aligned";
        }
        for (std::size_t j = 0; j < i; ++j) {
            if (live_together(buffers[i], buffers[j]) && share_bytes(plan.offsets[i],
                                                                     buffers[i].size_bytes,
                                                                     plan.offsets[j],
                                                                     buffers[j].size_bytes)) {
                return "buffers " + std::to_string(j) + " and " + std::to_string(i) + " overlap";
            }
        }
    }
    const bool is_in_order = plan.lower_bound_bytes <= plan.proven_bound_bytes &&
                             plan.proven_bound_bytes <= plan.height_bytes &&
                             plan.height_bytes <= plan.heuristic_height_bytes;
    if (height_bytes != plan.height_bytes || !is_in_order ||
        plan.is_optimal != (plan.height_bytes == plan.proven_bound_bytes)) {
        return "the figures contradict the offsets or each other";
    }
    return {};
}

std::uint64_t least_height_bytes(std::span<const PlanBuffer> buffers) {
    std::vector<std::size_t> order(buffers.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::uint64_t least_bytes = ~std::uint64_t{0};
    std::vector<std::uint64_t> offsets(buffers.size());
    do {
        std::uint64_t height_bytes = 0;
        for (std::size_t at = 0; at < order.size(); ++at) {
            offsets[order[at]] = drop(buffers, order, at, offsets);
            height_bytes =
                std::max(height_bytes, offsets[order[at]] + buffers[order[at]].size_bytes);
        }
        least_bytes = std::min(least_bytes, height_bytes);
    } while (std::next_permutation(order.begin(), order.end()));
    return least_bytes;
}

std::string memory_map(std::span<const PlanBuffer> buffers, const MemoryPlan& plan) {
    std::string map;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        for (std::int64_t step = 0; step < 64; ++step) {
            map += step >= buffers[i].lower && step < buffers[i].upper ? '#' : '.';
        }
        map += " " + std::to_string(buffers[i].size_bytes) + " aligned " +
               std::to_string(buffers[i].alignment_bytes);
        map += i < plan.offsets.size() ? " at " + std::to_string(plan.offsets[i]) + "\n" : "\n";
    }
    return map;
}

}  // namespace pumice::test
