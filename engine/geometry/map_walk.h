// SPDX-License-Identifier: Apache-2.0
// How a map over elements walks through its operands: operand 0 is the output, the others are
// broadcast to its shape.
#pragma once

#include "tensor/tensor_impl.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pumice::ops {

/// Dimensions that the kernels of maps walk, at most.
inline constexpr std::int64_t kMostMapDims = 4;

/// Dimensions innermost first, merged where every operand walks on evenly.
template <std::size_t kMostOperands>
struct MapWalk {
    std::int64_t dim_count = 0;
    std::array<std::int64_t, kMaxDims> sizes{};
    std::array<std::array<std::int64_t, kMaxDims>, kMostOperands> strides{};

    [[nodiscard]] bool is_contiguous(std::size_t operand) const noexcept {
        return dim_count == 1 && strides[operand][0] == 1;
    }
};

template <std::size_t kMostOperands>
MapWalk<kMostOperands> collapse(const Dims& sizes, std::span<const TensorImpl* const> operands) {
    MapWalk<kMostOperands> walk;
    const std::int64_t rank = sizes.count();
    const auto stride_of = [rank](const TensorImpl& operand, std::int64_t dim) {
        const std::int64_t own = dim - (rank - operand.sizes.count());
        return own < 0 || operand.sizes[own] == 1 ? 0 : operand.strides[own];
    };
    for (std::int64_t dim = rank - 1; dim >= 0; --dim) {
        if (sizes[dim] == 1) {
            continue;
        }
        const auto last = static_cast<std::size_t>(std::max<std::int64_t>(walk.dim_count - 1, 0));
        bool merges = walk.dim_count > 0;
        std::array<std::int64_t, kMostOperands> strides{};
        for (std::size_t i = 0; i < operands.size(); ++i) {
            strides[i] = stride_of(*operands[i], dim);
            merges = merges && strides[i] == walk.strides[i][last] * walk.sizes[last];
        }
        if (merges) {
            walk.sizes[last] *= sizes[dim];
            continue;
        }
        const auto next = static_cast<std::size_t>(walk.dim_count++);
        walk.sizes[next] = sizes[dim];
        for (std::size_t i = 0; i < operands.size(); ++i) {
            walk.strides[i][next] = strides[i];
        }
    }
    if (walk.dim_count == 0) {
        walk.dim_count = 1;
        walk.sizes[0] = 1;
    }
    return walk;
}

/// n / divisor is (high(n * magic) + n) >> shift for n < 2^31. Source: Granlund and Montgomery,
/// "Division by invariant integers using multiplication", 1994.
struct Divisor {
    std::uint32_t magic = 0;
    std::uint32_t shift = 0;
};

constexpr Divisor divisor_of(std::uint32_t divisor) noexcept {
    const auto shift = static_cast<std::uint32_t>(std::bit_width(divisor - 1));
    const std::uint64_t magic =
        ((std::uint64_t{1} << 32U) * ((std::uint64_t{1} << shift) - divisor)) / divisor + 1;
    return {.magic = static_cast<std::uint32_t>(magic), .shift = shift};
}

/// Invocations a workgroup, words (or scattered elements) an invocation, workgroups.
struct MapSchedule {
    static constexpr std::uint32_t kLocalSize = 64;
    static constexpr std::uint32_t kMostWords =
        16;  ///< what map_frame.glsl's //@iterations counts on
    std::uint32_t words = 1;
    std::uint64_t groups = 1;
};

/// Software drivers pay for workgroups, GPUs for idle lanes.
constexpr MapSchedule schedule_map(std::uint64_t units, bool is_cpu) noexcept {
    MapSchedule schedule;
    if (is_cpu) {
        schedule.words =
            units >= std::uint64_t{64} * MapSchedule::kLocalSize ? MapSchedule::kMostWords : 4;
    }
    const std::uint64_t per_group = std::uint64_t{MapSchedule::kLocalSize} * schedule.words;
    schedule.groups = (units + per_group - 1) >> std::countr_zero(per_group);
    return schedule;
}

/// Words that `count` elements of a dtype touch, from element `offset` of a binding on.
constexpr std::uint64_t word_count(std::uint32_t offset,
                                   std::uint64_t count,
                                   unsigned item_shift) noexcept {
    const unsigned word_shift = 2 - item_shift;
    const std::uint64_t per_word = std::uint64_t{1} << word_shift;
    return ((offset & (per_word - 1)) + count + per_word - 1) >> word_shift;
}

}  // namespace pumice::ops
