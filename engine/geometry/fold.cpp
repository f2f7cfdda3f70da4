// SPDX-License-Identifier: Apache-2.0
// How a reduction is cut into lanes, chunks and steps.
#include "geometry/fold.h"

#include "base/invariant.h"
#include "dispatch/iterations.h"
#include "dispatch/windows.h"
#include "geometry/words.h"
#include "vk/kernels/reduce_fold.h"

#include <algorithm>
#include <bit>

namespace pumice::ops {

namespace {

constexpr std::int64_t kMaxCollapsed = 4;
constexpr std::uint32_t kBlock = 32;  // kReduceBlock in shaders/include/reduce.glsl

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
    const std::uint64_t each = std::max(ceil_div(reduced_count, wanted), std::uint64_t{1});
    const std::uint64_t length = ceil_div(each, kBlock) * kBlock;
    layout.chunk_length = static_cast<std::uint32_t>(length);
    layout.chunk_count = static_cast<std::uint32_t>(ceil_div(reduced_count, length));
}

// Software drivers run a workgroup as one task of wide vectors: lanes alone, enough items for every
// core, no barriers.
FoldLayout cpu_layout(const PartedDims& parted,
                      std::uint64_t item_count,
                      bool can_split,
                      const vk::Capabilities& caps) noexcept {
    constexpr std::uint64_t kWantedItems = 512;
    constexpr std::uint64_t kLeastChunk = 1024;
    FoldLayout layout{.chunk_length = parted.reduced_count};
    if (can_split && item_count < kWantedItems / 4 && parted.reduced_count >= 4 * kLeastChunk) {
        split(layout,
              parted.reduced_count,
              std::min(parted.reduced_count / kLeastChunk,
                       kWantedItems / std::max<std::uint64_t>(item_count, 1)));
    }
    const std::uint64_t items = item_count * layout.chunk_count;
    layout.local_size = items >= 64 * kWantedItems ? 64 : std::max(caps.subgroup_size, 8U);
    return layout;
}

FoldLayout gpu_layout(const PartedDims& parted,
                      std::uint64_t item_count,
                      bool can_split,
                      const vk::Capabilities& caps) noexcept {
    constexpr std::uint32_t kMostLanes = 256;
    constexpr std::uint64_t kWantedLanes = 65536;
    FoldLayout layout{.chunk_length = parted.reduced_count};
    // Neighbouring outputs lie closer in memory than neighbouring elements: a lane an output reads
    // whole cache lines.
    const bool is_column = parted.kept.sizes[3] >= 32 && parted.reduced.rank > 0 &&
                           parted.kept.strides[3] < parted.reduced.strides[3];
    if (parted.reduced_count > 16 && !is_column) {
        const std::uint32_t most = std::min(kMostLanes, std::bit_floor(caps.max_group_invocations));
        layout.lanes = std::clamp(std::bit_ceil(parted.reduced_count / 4), 8U, most);
    }
    layout.local_size = std::max(64U, layout.lanes);
    const std::uint64_t in_flight = item_count * layout.lanes;
    const std::uint64_t least_chunk = layout.lanes == 1 ? 64 : 4096;
    if (can_split && in_flight < kWantedLanes / 4 && parted.reduced_count >= 4 * least_chunk) {
        split(layout,
              parted.reduced_count,
              std::min(parted.reduced_count / least_chunk, kWantedLanes / in_flight));
    }
    return layout;
}

// The chunks [first_chunk, end_chunk) of `output_count` outputs: what one step folds.
struct Part {
    std::uint32_t first_output = 0;
    std::uint32_t output_count = 0;
    std::uint32_t first_chunk = 0;
    std::uint32_t end_chunk = 0;
    std::uint32_t first_partial = 0;  ///< the result's first, if it is of Partials
};

// Where a step finds x: in a window of it, and the pivots in another.
struct Source {
    dispatch::Operand x{};
    dispatch::Operand pivots{};
    std::uint32_t x_offset = 0;
    std::uint32_t pivot_offset = 0;
    bool is_of_partials = false;
};

void append_step(dispatch::Program& program,
                 const Fold& fold,
                 const FoldLayout& layout,
                 const Source& source,
                 const Part& part,
                 const std::array<std::uint32_t, 3>& groups) {
    dispatch::Step& step = program.steps.emplace_back();
    step.bindings.push_back(source.x);
    step.bindings.push_back(fold.result);
    step.bindings.push_back(source.pivots);
    step.groups = groups;
    step.set(vk::ReduceFoldSpec{.local_size = layout.local_size,
                                .reduce_op = static_cast<std::uint32_t>(fold.op),
                                .reduce_dtype = fold.x_dtype,
                                .output_dtype = fold.result_dtype,
                                .lanes = layout.lanes,
                                .reads_partials = source.is_of_partials,
                                .writes_partials = fold.writes_partials,
                                .reduced_rank = std::max(1U, fold.parted.reduced.rank)},
             {.kept_sizes = fold.parted.kept.sizes,
              .kept_strides = fold.parted.kept.strides,
              .reduced_sizes = fold.parted.reduced.sizes,
              .reduced_strides = fold.parted.reduced.strides,
              .output_count = part.output_count,
              .reduced_count = fold.parted.reduced_count,
              .chunk_length = layout.chunk_length,
              .chunk_count = layout.chunk_count,
              .x_offset = source.x_offset,
              .pivot_offset = source.pivot_offset,
              .first_output = part.first_output,
              .first_chunk = part.first_chunk,
              .end_chunk = part.end_chunk,
              .first_partial = part.first_partial,
              .divisor = fold.divisor});
    step.work = static_cast<std::uint64_t>(part.output_count) *
                std::clamp((part.end_chunk - part.first_chunk) * layout.chunk_length,
                           1U,
                           std::max(1U, fold.parted.reduced_count));
}

void append_whole(dispatch::Program& program,
                  const Fold& fold,
                  const FoldLayout& layout,
                  std::uint64_t item_count,
                  bool reads_partials,
                  const vk::Capabilities& caps) {
    append_step(program,
                fold,
                layout,
                {.x = fold.x,
                 .pivots = fold.x,
                 .x_offset = fold.x_offset,
                 .pivot_offset = fold.x_offset,
                 .is_of_partials = reads_partials},
                {.output_count = fold.parted.output_count, .end_chunk = layout.chunk_count},
                fold_grid(layout, item_count, caps));
}

// Items of an unsplit fold: each writes a word of outputs, or a Partial.
std::uint64_t unit_count(const Fold& fold) noexcept {
    return fold.writes_partials
               ? fold.parted.output_count
               : ceil_div(fold.parted.output_count, elements_per_word(fold.result_dtype));
}

// What the loops of an item run, in passes; as the first line of fold.comp says.
double passes_of(const Fold& fold, const FoldLayout& layout, bool reads_partials) noexcept {
    const std::uint32_t length = std::min(layout.chunk_length, fold.parted.reduced_count);
    const bool has_runs = layout.lanes == 1 && fold.parted.reduced.rank > 1;
    const double outputs = fold.writes_partials ? 1.0 : elements_per_word(fold.result_dtype);
    const double lanes = layout.lanes;
    return 1 + outputs * (1 + vk::iterations::merge_lanes(lanes) +
                          vk::iterations::reduce_range(
                              static_cast<double>(fold.op),
                              static_cast<double>(fold.x_dtype),
                              reads_partials ? 1.0 : 0.0,
                              static_cast<double>(ceil_div(length, std::max(layout.lanes, 1U))),
                              has_runs ? fold.parted.reduced.sizes[3] : fold.parted.reduced_count));
}

Fold to_partials(Fold fold, std::size_t workspace) noexcept {
    fold.result = dispatch::workspace(workspace);
    fold.writes_partials = true;
    return fold;
}

// The chunks that a fold should have, and at least those that it must have.
FoldLayout bounded_layout(const Fold& fold,
                          bool reads_partials,
                          const vk::Capabilities& caps) noexcept {
    const bool can_split = fold.can_split && !reads_partials;
    FoldLayout layout = choose_fold_layout(fold.parted, unit_count(fold), can_split, caps);
    if (layout.chunk_count == 1 && passes_of(fold, layout, reads_partials) <= vk::kMostIterations) {
        return layout;
    }
    // Partials are written one by one, outputs may be several in a word.
    const double passes = passes_of(to_partials(fold, 0), layout, reads_partials);
    if (layout.chunk_count == 1 && passes <= vk::kMostIterations) {
        split(layout, fold.parted.reduced_count, 2);
    }
    bound_chunks(layout, fold.parted.reduced_count, passes);
    return layout;
}

// The result of `fold` from Partials [outputs, chunks].
void append_merge(dispatch::Program& program,
                  Fold fold,
                  dispatch::Operand partials,
                  const Dims& sizes,
                  const vk::Capabilities& caps) {
    fold.x = partials;
    fold.x_offset = 0;
    fold.parted = part_dims(sizes, contiguous_strides(sizes), 0b10);
    const FoldLayout layout = bounded_layout(fold, true, caps);
    if (layout.chunk_count == 1) {
        append_whole(program, fold, layout, unit_count(fold), true, caps);
        return;
    }
    const std::uint64_t count = std::uint64_t{fold.parted.output_count} * layout.chunk_count;
    const Fold first = to_partials(fold, program.workspace_bytes.size());
    program.workspace_bytes.push_back(count * kPartialBytes);
    append_whole(program, first, layout, count, true, caps);
    append_merge(program, fold, first.result, {fold.parted.output_count, layout.chunk_count}, caps);
}

// Elements in front of a row-major index, and a range's first element and count in memory.
std::uint64_t offset_at(const CollapsedDims& dims, std::uint64_t index) noexcept {
    std::uint64_t offset = 0;
    for (std::size_t d = 4; d-- > 0;) {
        offset += index % dims.sizes[d] * dims.strides[d];
        index /= dims.sizes[d];
    }
    return offset;
}

struct Span {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

Span span_of(const CollapsedDims& dims, std::uint64_t first, std::uint64_t end) noexcept {
    const std::uint64_t at = offset_at(dims, first);
    return {.first = at, .count = offset_at(dims, end - 1) - at + 1};
}

bool only_steps_on(const CollapsedDims& dims) noexcept {
    std::uint64_t reach = 0;
    for (std::size_t d = 4; d-- > 0;) {
        if (dims.sizes[d] == 1) {
            continue;
        }
        if (dims.strides[d] < reach) {
            return false;
        }
        reach += std::uint64_t{dims.sizes[d] - 1} * dims.strides[d];
    }
    return true;
}

std::uint64_t most_elements(const Fold& fold, const vk::Capabilities& caps) noexcept {
    return static_cast<std::uint64_t>(dispatch::bindable_elements(fold.x_dtype, caps));
}

bool wants_windows(const Fold& fold, const vk::Capabilities& caps) noexcept {
    const PartedDims& parted = fold.parted;
    if (fold.x.role != dispatch::Operand::Role::kInput || parted.output_count == 0 ||
        parted.reduced_count == 0) {
        return false;
    }
    const std::uint64_t kept = span_of(parted.kept, 0, parted.output_count).count;
    const std::uint64_t reduced = span_of(parted.reduced, 0, parted.reduced_count).count;
    return kept + reduced - 1 > most_elements(fold, caps) && can_window_parts(parted);
}

// Halves a part, on the side that reaches further, until its window can be bound.
void append_parts(dispatch::Program& program,
                  const Fold& fold,
                  const FoldLayout& layout,
                  const Part& part,
                  const vk::Capabilities& caps) {
    const std::uint64_t first = std::uint64_t{part.first_chunk} * layout.chunk_length;
    const std::uint64_t end = std::min<std::uint64_t>(
        std::uint64_t{part.end_chunk} * layout.chunk_length, fold.parted.reduced_count);
    const Span kept =
        span_of(fold.parted.kept, part.first_output, part.first_output + part.output_count);
    const Span reduced = span_of(fold.parted.reduced, first, end);
    const std::uint32_t chunk_count = part.end_chunk - part.first_chunk;
    const bool fits = kept.count + reduced.count - 1 <= most_elements(fold, caps);
    if (fits || (part.output_count == 1 && chunk_count == 1)) {
        const auto item = static_cast<std::uint64_t>(itemsize(fold.x_dtype));
        const auto alignment = static_cast<std::uint32_t>(
            std::max(caps.storage_alignment_bytes / item, std::uint64_t{1}));
        const auto window = [&](std::uint64_t at, std::uint64_t count) {
            return dispatch::window_of(
                fold.x, static_cast<std::int64_t>(at), static_cast<std::int64_t>(count));
        };
        const auto offset = [&](std::uint64_t at) {
            const auto start = static_cast<std::uint32_t>(at);
            return (fold.x_offset + start) % alignment - start;
        };
        const std::uint64_t at = kept.first + reduced.first;
        append_step(program,
                    fold,
                    layout,
                    {.x = window(at, kept.count + reduced.count - 1),
                     .pivots = window(kept.first, kept.count),
                     .x_offset = offset(at),
                     .pivot_offset = offset(kept.first)},
                    part,
                    fold_grid(layout, std::uint64_t{part.output_count} * chunk_count, caps));
        return;
    }
    std::array<Part, 2> halves{part, part};
    if (chunk_count == 1 || (part.output_count > 1 && kept.count > reduced.count)) {
        halves[0].output_count = part.output_count / 2;
        halves[1].first_output += halves[0].output_count;
        halves[1].output_count -= halves[0].output_count;
    } else {
        halves[0].end_chunk = halves[1].first_chunk = part.first_chunk + chunk_count / 2;
    }
    for (const Part& half : halves) {
        append_parts(program, fold, layout, half, caps);
    }
}

// Chunks of half a window at most, of whole blocks where a block is not too long.
void fit_chunks(FoldLayout& layout, const Fold& fold, const vk::Capabilities& caps) noexcept {
    const std::uint32_t count = fold.parted.reduced_count;
    const std::uint64_t reach = span_of(fold.parted.reduced, 0, count).count;
    const std::uint64_t wanted = ceil_div(2 * reach, most_elements(fold, caps));
    if (layout.chunk_count < wanted) {
        const auto length = static_cast<std::uint32_t>(ceil_div(count, wanted));
        layout.chunk_length = length > kBlock ? length - length % kBlock : length;
        layout.chunk_count = (count + layout.chunk_length - 1) / layout.chunk_length;
    }
}

// Outputs whose Partials can be bound together, such that the next ones start where outputs can;
// all of them if there are none.
std::uint32_t outputs_at_once(const Fold& fold,
                              const FoldLayout& layout,
                              const vk::Capabilities& caps) noexcept {
    const std::uint64_t most =
        dispatch::bindable_bytes(caps) / (kPartialBytes * layout.chunk_count);
    const std::uint64_t unit = caps.storage_alignment_bytes;
    const bool is_output = fold.result.role == dispatch::Operand::Role::kOutput;
    return !is_output || most >= fold.parted.output_count || most < unit
               ? fold.parted.output_count
               : static_cast<std::uint32_t>(most - most % unit);
}

// Folds x window by window into Partials and these into the result, for some outputs at a time.
void append_cut_fold(dispatch::Program& program, const Fold& fold, const vk::Capabilities& caps) {
    FoldLayout layout = bounded_layout(fold, false, caps);
    fit_chunks(layout, fold, caps);
    const std::uint32_t group = outputs_at_once(fold, layout, caps);
    const Fold first = to_partials(fold, program.workspace_bytes.size());
    program.workspace_bytes.push_back(std::uint64_t{group} * layout.chunk_count * kPartialBytes);
    for (std::uint32_t output = 0; output < fold.parted.output_count; output += group) {
        const std::uint32_t count = std::min(group, fold.parted.output_count - output);
        append_parts(program,
                     first,
                     layout,
                     {.first_output = output,
                      .output_count = count,
                      .end_chunk = layout.chunk_count,
                      .first_partial = output * layout.chunk_count},
                     caps);
        Fold second = fold;
        if (group < fold.parted.output_count) {
            second.result = dispatch::window_of(fold.result, output, count);
        }
        append_merge(program, second, first.result, {count, layout.chunk_count}, caps);
    }
}

}  // namespace

bool can_part_dims(const Dims& sizes, const Dims& strides, DimMask mask) noexcept {
    return collapse(sizes, strides, mask, false).sizes.count() <= kMaxCollapsed &&
           collapse(sizes, strides, mask, true).sizes.count() <= kMaxCollapsed;
}

bool can_window_parts(const PartedDims& parted) noexcept {
    return only_steps_on(parted.kept) && only_steps_on(parted.reduced);
}

PartedDims part_dims(const Dims& sizes, const Dims& strides, DimMask mask) {
    const Collapsed kept = collapse(sizes, strides, mask, false);
    const Collapsed reduced = collapse(sizes, strides, mask, true);
    return {.kept = right_aligned(kept),
            .reduced = right_aligned(reduced),
            .output_count = static_cast<std::uint32_t>(numel(kept.sizes)),
            .reduced_count = static_cast<std::uint32_t>(numel(reduced.sizes))};
}

FoldLayout choose_fold_layout(const PartedDims& parted,
                              std::uint64_t item_count,
                              bool can_split,
                              const vk::Capabilities& caps) noexcept {
    return caps.is_cpu ? cpu_layout(parted, item_count, can_split, caps)
                       : gpu_layout(parted, item_count, can_split, caps);
}

void bound_chunks(FoldLayout& layout, std::uint32_t reduced_count, double passes) noexcept {
    const std::uint64_t length = std::min(layout.chunk_length, reduced_count);
    const std::uint64_t most =
        std::max<std::uint64_t>(dispatch::bounded_count(length, passes, kBlock), kBlock);
    if (most < length) {
        split(layout, reduced_count, ceil_div(reduced_count, most));
    }
}

std::array<std::uint32_t, 3> fold_grid(const FoldLayout& layout,
                                       std::uint64_t item_count,
                                       const vk::Capabilities& caps) {
    return dispatch::fold_groups(ceil_div(item_count, layout.local_size / layout.lanes), caps);
}

void append_fold(dispatch::Program& program, const Fold& fold, const vk::Capabilities& caps) {
    if (wants_windows(fold, caps)) [[unlikely]] {
        append_cut_fold(program, fold, caps);
        return;
    }
    const std::uint64_t units = unit_count(fold);
    const FoldLayout layout = bounded_layout(fold, false, caps);
    if (layout.chunk_count == 1) {
        append_whole(program, fold, layout, units, false, caps);
        return;
    }
    const std::uint64_t partial_count =
        static_cast<std::uint64_t>(fold.parted.output_count) * layout.chunk_count;
    const Fold first = to_partials(fold, program.workspace_bytes.size());
    program.workspace_bytes.push_back(partial_count * kPartialBytes);
    append_whole(program, first, layout, partial_count, false, caps);
    append_merge(program, fold, first.result, {fold.parted.output_count, layout.chunk_count}, caps);
}

}  // namespace pumice::ops
