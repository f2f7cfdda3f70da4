// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dims.h"

#include "dispatch/corridor.h"
#include "dispatch/program.h"
#include "vk/capabilities.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace pumice::ops {

/// One walk over a shape for `kN` strided operands, as push constants hold it. Dimensions of extent
/// 1 are gone, and neighbours that every operand crosses alike are one; at least one dimension
/// stays.
template <std::size_t kN>
struct Walk {
    std::uint32_t rank = 0;
    std::array<std::uint32_t, kMaxDims> sizes{};
    std::array<std::array<std::uint32_t, kMaxDims>, kN> strides{};
};

/// `strides[i]` are operand i's, in elements, for each dimension of `sizes`, outermost first.
template <std::size_t kN>
Walk<kN> merge_dims(const Dims& sizes, const std::array<Dims, kN>& strides) noexcept {
    Walk<kN> walk;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        if (sizes[d] == 1) {
            continue;
        }
        const auto extent = static_cast<std::uint32_t>(sizes[d]);
        bool merges = walk.rank > 0;
        for (std::size_t i = 0; i < kN && merges; ++i) {
            const std::uint64_t outer = walk.strides[i][walk.rank - 1];
            merges = outer == static_cast<std::uint64_t>(strides[i][d]) * extent;
        }
        const std::uint32_t at = merges ? walk.rank - 1 : walk.rank++;
        walk.sizes[at] = merges ? walk.sizes[at] * extent : extent;
        for (std::size_t i = 0; i < kN; ++i) {
            walk.strides[i][at] = static_cast<std::uint32_t>(strides[i][d]);
        }
    }
    if (walk.rank == 0) {
        walk.rank = 1;
        walk.sizes[0] = 1;
        for (auto& operand : walk.strides) {
            operand[0] = 1;
        }
    }
    return walk;
}

/// log2 of the elements in a 32-bit word.
constexpr std::uint32_t word_shift(DType dtype) noexcept {
    return itemsize(dtype) == 4 ? 0 : (itemsize(dtype) == 2 ? 1 : 2);
}

/// Words that `element_count` elements take.
constexpr std::uint64_t word_count(std::int64_t element_count, DType dtype) noexcept {
    const std::uint32_t shift = word_shift(dtype);
    return (static_cast<std::uint64_t>(element_count) + (1U << shift) - 1) >> shift;
}

/// log2 of the units that one invocation of an index kernel takes: software drivers pay for
/// invocations, and for the report at the end of each; GPUs for idle lanes. The 16 words are what
/// take.comp's //@iterations counts on.
inline std::uint32_t words_shift_of(std::uint64_t units, const vk::Capabilities& caps) noexcept {
    constexpr std::uint64_t kMany = 1U << 14U;
    return caps.is_cpu && units >= kMany ? 4 : 0;
}

/// Sets a grid of at least `units` >> `words_shift` invocations for a kernel whose invocations do
/// not work together, and returns the workgroup size that goes with it.
[[nodiscard]] inline std::uint32_t launch_flat(dispatch::Step& step,
                                               std::uint64_t units,
                                               const vk::Capabilities& caps,
                                               std::uint32_t words_shift = 0) {
    constexpr std::uint32_t kWantedInvocations = 128;
    const std::uint32_t local = std::min(kWantedInvocations, caps.max_group_invocations);
    const std::uint64_t per_group = std::uint64_t{local} << words_shift;
    step.groups = dispatch::fold_groups((units + per_group - 1) / per_group, caps);
    step.work = units;
    return local;
}

}  // namespace pumice::ops
