// SPDX-License-Identifier: Apache-2.0
#include "ops/reduction_plan.h"

#include "base/invariant.h"

#include <algorithm>
#include <bit>

namespace pumice::ops {

namespace {

constexpr std::int64_t kMaxCollapsed = 4;
constexpr std::uint32_t kBlock = 32;  // kReduceBlock in shaders/include/reduce.glsl

struct Push {
    std::array<std::uint32_t, 4> kept_sizes;
    std::array<std::uint32_t, 4> kept_strides;
    std::array<std::uint32_t, 4> reduced_sizes;
    std::array<std::uint32_t, 4> reduced_strides;
    std::uint32_t output_count;
    std::uint32_t reduced_count;
    std::uint32_t chunk_length;
    std::uint32_t chunk_count;
    std::uint32_t x_offset;
    float divisor;
};

static_assert(sizeof(Push) == vk::push_size_bytes(vk::KernelId::kReduceFold));

// The dimensions whose mask bit equals `is_reduced`, neighbours merged, outermost first.
struct Collapsed {
    Dims sizes;
    Dims strides;
};

Collapsed collapse(const Dims& sizes, const Dims& strides, DimMask mask, bool is_reduced) noexcept {
    Collapsed out;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        if (((mask >> d & 1U) != 0) != is_reduced || sizes[d] == 1) {
            continue;
        }
        const std::int64_t last = out.sizes.count() - 1;
        if (last >= 0 && out.strides[last] == strides[d] * sizes[d]) {
            out.sizes[last] *= sizes[d];
            out.strides[last] = strides[d];
        } else {
            out.sizes.push_back(sizes[d]);
            out.strides.push_back(strides[d]);
        }
    }
    return out;
}

CollapsedDims right_aligned(const Collapsed& dims) {
    PUMICE_INVARIANT(dims.sizes.count() <= kMaxCollapsed);
    CollapsedDims out;
    out.rank = static_cast<std::uint32_t>(dims.sizes.count());
    for (std::uint32_t i = 0; i < out.rank; ++i) {
        out.sizes[4 - out.rank + i] = static_cast<std::uint32_t>(dims.sizes[i]);
        out.strides[4 - out.rank + i] = static_cast<std::uint32_t>(dims.strides[i]);
    }
    return out;
}

constexpr std::uint64_t ceil_div(std::uint64_t value, std::uint64_t divisor) noexcept {
    return (value + divisor - 1) / divisor;
}

// Cuts the reduced range into about `wanted` chunks of whole blocks.
void split(FoldLayout& layout, std::uint64_t reduced_count, std::uint64_t wanted) noexcept {
    const std::uint64_t length = ceil_div(ceil_div(reduced_count, wanted), kBlock) * kBlock;
    layout.chunk_length = static_cast<std::uint32_t>(length);
    layout.chunk_count = static_cast<std::uint32_t>(ceil_div(reduced_count, length));
}

// Software drivers run a workgroup as one task of wide vectors: lanes alone, enough items for every
// core, no barriers.
FoldLayout cpu_layout(const ReductionPlan& plan,
                      std::uint64_t item_count,
                      bool can_split,
                      const vk::Capabilities& caps) noexcept {
    constexpr std::uint64_t kWantedItems = 512;
    constexpr std::uint64_t kLeastChunk = 1024;
    FoldLayout layout{.chunk_length = plan.reduced_count};
    if (can_split && item_count < kWantedItems / 4 && plan.reduced_count >= 4 * kLeastChunk) {
        split(layout,
              plan.reduced_count,
              std::min(plan.reduced_count / kLeastChunk, kWantedItems / item_count));
    }
    const std::uint64_t items = item_count * layout.chunk_count;
    layout.local_size = items >= 64 * kWantedItems ? 64 : std::max(caps.subgroup_size, 8U);
    return layout;
}

FoldLayout gpu_layout(const ReductionPlan& plan,
                      std::uint64_t item_count,
                      bool can_split,
                      const vk::Capabilities& caps) noexcept {
    constexpr std::uint32_t kMostLanes = 256;
    constexpr std::uint64_t kWantedLanes = 65536;
    FoldLayout layout{.chunk_length = plan.reduced_count};
    // Neighbouring outputs lie closer in memory than neighbouring elements: a lane an output reads
    // whole cache lines.
    const bool is_column = plan.kept.sizes[3] >= 32 && plan.reduced.rank > 0 &&
                           plan.kept.strides[3] < plan.reduced.strides[3];
    if (plan.reduced_count > 16 && !is_column) {
        const std::uint32_t most = std::min(kMostLanes, std::bit_floor(caps.max_group_invocations));
        layout.lanes = std::clamp(std::bit_ceil(plan.reduced_count / 4), 8U, most);
    }
    layout.local_size = std::max(64U, layout.lanes);
    const std::uint64_t in_flight = item_count * layout.lanes;
    const std::uint64_t least_chunk = layout.lanes == 1 ? 64 : 4096;
    if (can_split && in_flight < kWantedLanes / 4 && plan.reduced_count >= 4 * least_chunk) {
        split(layout,
              plan.reduced_count,
              std::min(plan.reduced_count / least_chunk, kWantedLanes / in_flight));
    }
    return layout;
}

void append_step(dispatch::Program& program,
                 const Fold& fold,
                 const FoldLayout& layout,
                 bool reads_partials,
                 std::uint64_t item_count,
                 const vk::Capabilities& caps) {
    dispatch::Step& step = program.steps.emplace_back();
    step.kernel = vk::KernelId::kReduceFold;
    for (const std::uint32_t value : {layout.local_size,
                                      static_cast<std::uint32_t>(fold.op),
                                      static_cast<std::uint32_t>(fold.x_dtype),
                                      static_cast<std::uint32_t>(fold.result_dtype),
                                      layout.lanes,
                                      static_cast<std::uint32_t>(reads_partials),
                                      static_cast<std::uint32_t>(fold.writes_partials),
                                      std::max(1U, fold.plan.reduced.rank)}) {
        step.spec.push_back(value);
    }
    step.bindings.push_back(fold.x);
    step.bindings.push_back(fold.result);
    step.groups = fold_grid(layout, item_count, caps);
    step.set_push(Push{.kept_sizes = fold.plan.kept.sizes,
                       .kept_strides = fold.plan.kept.strides,
                       .reduced_sizes = fold.plan.reduced.sizes,
                       .reduced_strides = fold.plan.reduced.strides,
                       .output_count = fold.plan.output_count,
                       .reduced_count = fold.plan.reduced_count,
                       .chunk_length = layout.chunk_length,
                       .chunk_count = layout.chunk_count,
                       .x_offset = fold.x_offset,
                       .divisor = fold.divisor});
    step.work =
        static_cast<std::uint64_t>(fold.plan.output_count) * std::max(1U, fold.plan.reduced_count);
}

static_assert(vk::spec::reduce_fold::kLocalSize == 0 && vk::spec::reduce_fold::kReduceOp == 1 &&
              vk::spec::reduce_fold::kReduceDtype == 2 &&
              vk::spec::reduce_fold::kOutputDtype == 3 && vk::spec::reduce_fold::kLanes == 4 &&
              vk::spec::reduce_fold::kReadsPartials == 5 &&
              vk::spec::reduce_fold::kWritesPartials == 6 &&
              vk::spec::reduce_fold::kReducedRank == 7);

// Items of an unsplit fold: each writes a word of outputs, or a Partial.
std::uint64_t unit_count(const Fold& fold) noexcept {
    const auto item = static_cast<std::uint64_t>(itemsize(fold.result_dtype));
    return fold.writes_partials ? fold.plan.output_count
                                : ceil_div(fold.plan.output_count, 4 / item);
}

}  // namespace

bool can_plan_reduction(const Dims& sizes, const Dims& strides, DimMask mask) noexcept {
    return collapse(sizes, strides, mask, false).sizes.count() <= kMaxCollapsed &&
           collapse(sizes, strides, mask, true).sizes.count() <= kMaxCollapsed;
}

ReductionPlan plan_reduction(const Dims& sizes, const Dims& strides, DimMask mask) {
    const Collapsed kept = collapse(sizes, strides, mask, false);
    const Collapsed reduced = collapse(sizes, strides, mask, true);
    return {.kept = right_aligned(kept),
            .reduced = right_aligned(reduced),
            .output_count = static_cast<std::uint32_t>(numel(kept.sizes)),
            .reduced_count = static_cast<std::uint32_t>(numel(reduced.sizes))};
}

FoldLayout choose_fold_layout(const ReductionPlan& plan,
                              std::uint64_t item_count,
                              bool can_split,
                              const vk::Capabilities& caps) noexcept {
    return caps.is_cpu ? cpu_layout(plan, item_count, can_split, caps)
                       : gpu_layout(plan, item_count, can_split, caps);
}

std::array<std::uint32_t, 3> fold_grid(const FoldLayout& layout,
                                       std::uint64_t item_count,
                                       const vk::Capabilities& caps) {
    return dispatch::fold_groups(ceil_div(item_count, layout.local_size / layout.lanes), caps);
}

void append_fold(dispatch::Program& program, const Fold& fold, const vk::Capabilities& caps) {
    const std::uint64_t units = unit_count(fold);
    const FoldLayout layout = choose_fold_layout(fold.plan, units, fold.can_split, caps);
    if (layout.chunk_count == 1) {
        append_step(program, fold, layout, false, units, caps);
        return;
    }
    const std::uint64_t partial_count =
        static_cast<std::uint64_t>(fold.plan.output_count) * layout.chunk_count;
    Fold first = fold;
    first.result = dispatch::workspace(program.workspace_bytes.size());
    first.writes_partials = true;
    program.workspace_bytes.push_back(partial_count * kPartialBytes);
    append_step(program, first, layout, false, partial_count, caps);

    Fold second = fold;
    second.x = first.result;
    second.x_offset = 0;
    const Dims partials{fold.plan.output_count, layout.chunk_count};
    second.plan = plan_reduction(partials, contiguous_strides(partials), 0b10);
    append_step(
        program, second, choose_fold_layout(second.plan, units, false, caps), true, units, caps);
}

}  // namespace pumice::ops
