// SPDX-License-Identifier: Apache-2.0
// The kernels of writes by index: how rows of the target and entries of the source are cut into
// steps, and the lists that each step makes and walks.
#include "ops/index/scatter_steps.h"

#include "dispatch/binding.h"
#include "dispatch/iterations.h"
#include "dispatch/windows.h"
#include "geometry/walk.h"
#include "geometry/words.h"
#include "vk/kernels/factory_fill.h"
#include "vk/kernels/index_bucket_link.h"
#include "vk/kernels/index_bucket_mark.h"
#include "vk/kernels/index_bucket_sum.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace pumice::ops {

using dispatch::OpCall;
using dispatch::Program;
using dispatch::Step;

namespace {

// The call seen as [outer, dim, inner], in elements, and what one step takes of it.
struct Cuts {
    std::uint32_t outer = 1;
    std::uint32_t entries = 0;  ///< source elements along dim
    std::uint32_t extent = 0;   ///< output elements along dim
    std::uint32_t inner = 1;    ///< elements behind dim
    bool is_row_wise = false;
    std::int64_t rows_at_once = 0;     ///< positions of the output along dim
    std::int64_t entries_at_once = 0;  ///< and of the source
    /// Between the runs over a row's entries: halves are summed in float32.
    DType sum_dtype = kFloat32;
};

constexpr std::int64_t kBucketBytes = 8;
constexpr std::int64_t kSumBytes = 4;
constexpr std::size_t kSums = 2;  // the workspace of float32 sums

// Entries whose lists one invocation may walk, one after the other, for a word of sums.
std::int64_t most_entries(DType dtype) noexcept {
    return static_cast<std::int64_t>(0.95 * vk::kMostIterations) / elements_per_word(dtype);
}

bool is_half(DType dtype) noexcept {
    return is_floating_point(dtype) && dtype != kFloat32;
}

// Positions along dim whose output and buckets can be bound, such that the next ones start where an
// output can; all of them if there are none.
std::int64_t rows_of_step(const TensorImpl& out,
                          std::int64_t dim,
                          std::int64_t bytes_of_row,
                          const vk::Capabilities& caps) {
    const std::int64_t extent = out.sizes[dim];
    const auto most_bytes = static_cast<std::int64_t>(dispatch::bindable_bytes(caps));
    const std::int64_t row_count = std::min(dispatch::bindable_positions(out, dim, caps),
                                            most_bytes / std::max<std::int64_t>(bytes_of_row, 1));
    const auto alignment = static_cast<std::int64_t>(caps.storage_alignment_bytes);
    const std::int64_t row_bytes = out.strides[dim] * itemsize(out.dtype);
    const std::int64_t unit = std::max<std::int64_t>(alignment / std::gcd(alignment, row_bytes), 1);
    return row_count >= extent || row_count < unit ? extent : row_count - row_count % unit;
}

Cuts cuts_of(const OpCall& call, const TensorImpl& out, const vk::Capabilities& caps) {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    const TensorImpl& source = impl_of(call.inputs[kScatterSource]);
    Cuts cuts;
    cuts.extent = static_cast<std::uint32_t>(out.sizes[attrs.dim]);
    cuts.entries = static_cast<std::uint32_t>(source.sizes[attrs.dim]);
    for (std::int64_t d = 0; d < out.sizes.count(); ++d) {
        if (d != attrs.dim) {
            (d < attrs.dim ? cuts.outer : cuts.inner) *= static_cast<std::uint32_t>(out.sizes[d]);
        }
    }
    cuts.is_row_wise = attrs.form == IndexForm::kRows;
    cuts.rows_at_once = cuts.extent;
    cuts.entries_at_once = attrs.takes_last
                               ? std::int64_t{cuts.entries}
                               : std::min<std::int64_t>(cuts.entries, most_entries(out.dtype));
    if (cuts.outer == 1) {
        const std::int64_t bindable = dispatch::bindable_positions(source, attrs.dim, caps);
        cuts.entries_at_once =
            bindable == 0 ? cuts.entries_at_once : std::min(cuts.entries_at_once, bindable);
    }
    const bool is_one_run = cuts.entries_at_once >= cuts.entries;
    cuts.sum_dtype = is_half(out.dtype) && !is_one_run && !attrs.takes_last ? kFloat32 : out.dtype;
    if (cuts.outer == 1) {
        const std::int64_t buckets = cuts.is_row_wise ? 1 : cuts.inner;
        const std::int64_t sums = cuts.sum_dtype == out.dtype ? 0 : cuts.inner;
        cuts.rows_at_once =
            rows_of_step(out, attrs.dim, std::max(buckets * kBucketBytes, sums * kSumBytes), caps);
    }
    return cuts;
}

// A row-wise index has one list a row, whatever stands before and behind the dimension.
std::int64_t bucket_count(const Cuts& cuts, std::int64_t row_count) noexcept {
    return cuts.is_row_wise ? row_count : row_count * cuts.inner * cuts.outer;
}

void add_fill(std::int64_t buckets, const vk::Capabilities& caps, Program& program) {
    constexpr std::uint32_t kWordsPerInvocation = 4;
    const auto words = static_cast<std::uint32_t>(buckets * 2);
    Step& step = program.steps.emplace_back();
    const std::uint32_t local_size =
        launch_flat(step, (words + kWordsPerInvocation - 1) / kWordsPerInvocation, caps);
    step.bindings.push_back(dispatch::workspace(0));
    step.set(vk::FactoryFillSpec{.local_size = local_size}, {.word_count = words, .word = ~0U});
}

// Marks the end of each list; `link` is what its members will be linked by.
void add_marks(const vk::IndexBucketLinkPush& link,
               IndexUser user,
               bool is_padded,
               const vk::Capabilities& caps,
               Program& program) {
    Step& step = program.steps.emplace_back();
    const std::uint32_t local_size = launch_flat(step, link.entry_count, caps);
    step.bindings.push_back(dispatch::input(kScatterIndex));
    step.bindings.push_back(dispatch::workspace(0));
    step.set(vk::IndexBucketMarkSpec{.local_size = local_size},
             {.entry_count = link.entry_count,
              .entries = link.entries,
              .inner = link.inner,
              .extent = link.extent,
              .index_offset = link.index_offset,
              .ignored = link.ignored,
              .first_bucket = link.first_bucket,
              .bucket_count = link.bucket_count,
              .first_entry = link.first_entry,
              .end_entry = link.end_entry,
              .user = static_cast<std::uint32_t>(user),
              .padding = is_padded ? kPadding : 0});
}

void add_links(const vk::IndexBucketLinkPush& link,
               const vk::Capabilities& caps,
               Program& program) {
    Step& step = program.steps.emplace_back();
    const std::uint32_t local_size = launch_flat(step, link.entry_count, caps);
    step.work *= 16;  // a guess at the gaps
    step.bindings.push_back(dispatch::input(kScatterIndex));
    step.bindings.push_back(dispatch::workspace(0));
    step.bindings.push_back(dispatch::workspace(1));
    step.set(vk::IndexBucketLinkSpec{.local_size = local_size}, link);
}

// Links these entries of the targets in these rows.
void add_lists(const OpCall& call,
               const Cuts& cuts,
               const std::array<dispatch::Run, 2>& rows_and_entries,
               const vk::Capabilities& caps,
               Program& program) {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    const auto& [rows, entries] = rows_and_entries;
    const std::int64_t buckets = bucket_count(cuts, rows.count);
    add_fill(buckets, caps, program);
    const std::int64_t width = cuts.is_row_wise ? 1 : std::int64_t{cuts.outer} * cuts.inner;
    const auto entry_count = static_cast<std::uint32_t>(entries.count * width);
    if (entry_count == 0) {
        return;
    }
    const vk::IndexBucketLinkPush link{
        .entry_count = entry_count,
        .entries = cuts.entries,
        .inner = cuts.is_row_wise ? 1 : cuts.inner,
        .extent = cuts.extent,
        .index_offset = dispatch::bound_offset(call.inputs[kScatterIndex], caps),
        .ignored = static_cast<std::int32_t>(attrs.ignored),
        .first_bucket = static_cast<std::uint32_t>(bucket_count(cuts, rows.first)),
        .bucket_count = static_cast<std::uint32_t>(buckets),
        .first_entry = static_cast<std::uint32_t>(entries.first),
        .end_entry = static_cast<std::uint32_t>(entries.first + entries.count)};
    // The first rows' run reports for all.
    const IndexUser user = rows.first == 0 ? attrs.user : IndexUser::kNone;
    add_marks(link, user, attrs.is_padded, caps, program);
    if (!attrs.takes_last) {  // else the ends are enough
        add_links(link, caps, program);
    }
}

// Where the sums of a run are: what it starts from, and what it leaves.
struct SumWindow {
    dispatch::Operand operand;
    std::uint32_t offset = 0;
    DType dtype = kFloat32;
};

SumWindow sum_window(const Tensor& tensor,
                     dispatch::Operand operand,
                     const dispatch::Run& targets,
                     const vk::Capabilities& caps) {
    return {.operand = dispatch::window_of(operand, targets.first, targets.count),
            .offset = dispatch::bound_offset(tensor, caps, targets.first),
            .dtype = impl_of(tensor).dtype};
}

// Source elements of some entries; the whole source where they do not lie together.
SumWindow source_of(const OpCall& call,
                    const Cuts& cuts,
                    const dispatch::Run& entries,
                    const vk::Capabilities& caps) {
    const Tensor& source = call.inputs[kScatterSource];
    const dispatch::Operand whole = dispatch::input(kScatterSource);
    const std::int64_t first = cuts.outer == 1 ? entries.first * cuts.inner : 0;
    return {.operand = cuts.outer == 1
                           ? dispatch::window_of(whole, first, entries.count * cuts.inner)
                           : whole,
            .offset = dispatch::bound_offset(impl_of(source), caps, first) -
                      static_cast<std::uint32_t>(first),
            .dtype = impl_of(source).dtype};
}

// Adds some entries to some rows of the output; all but the first ones to what is there already.
void add_sum(const OpCall& call,
             const Tensor& output,
             const Cuts& cuts,
             const std::array<dispatch::Run, 2>& rows_and_entries,
             const vk::Capabilities& caps,
             Program& program) {
    const auto& [rows, entries] = rows_and_entries;
    const bool has_base = call.inputs.size() > kScatterBase;
    const bool is_first = entries.first == 0;
    const bool is_last = entries.first + entries.count >= cuts.entries;
    const std::int64_t width = std::int64_t{cuts.outer} * cuts.inner;
    const dispatch::Run targets{.first = rows.first * width, .count = rows.count * width};
    const SumWindow source = source_of(call, cuts, entries, caps);
    const SumWindow result = sum_window(output, dispatch::output(), targets, caps);
    const bool has_sums = cuts.sum_dtype != result.dtype;
    const SumWindow sums =
        has_sums ? SumWindow{dispatch::workspace(kSums), 0, cuts.sum_dtype} : result;
    const SumWindow base =
        !is_first ? sums
        : has_base
            ? sum_window(call.inputs[kScatterBase], dispatch::input(kScatterBase), targets, caps)
            : source;
    const SumWindow& left = is_last ? result : sums;
    Step& step = program.steps.emplace_back();
    const std::uint32_t local_size = launch_flat(step, word_count(targets.count, left.dtype), caps);
    step.bindings.push_back(source.operand);
    step.bindings.push_back(base.operand);
    step.bindings.push_back(dispatch::workspace(0));
    step.bindings.push_back(dispatch::workspace(1));
    step.bindings.push_back(left.operand);
    step.set(vk::IndexBucketSumSpec{.local_size = local_size,
                                    .dtype = source.dtype,
                                    .has_base = has_base || !is_first,
                                    .is_row_wise = cuts.is_row_wise,
                                    .takes_last = call.attrs_as<ScatterAttrs>().takes_last,
                                    .base_dtype = base.dtype,
                                    .out_dtype = left.dtype},
             {.element_count = static_cast<std::uint32_t>(targets.count),
              .entries = cuts.entries,
              .inner = cuts.inner,
              .extent = cuts.extent,
              .source_offset = source.offset,
              .base_offset = base.offset,
              .first_element = static_cast<std::uint32_t>(targets.first),
              .first_entry = static_cast<std::uint32_t>(entries.first),
              .end_entry = static_cast<std::uint32_t>(entries.first + entries.count)});
    step.work = static_cast<std::uint64_t>(targets.count + entries.count * width) * 4;
}

}  // namespace

void select_scatter(const OpCall& call,
                    std::span<const Tensor> outputs,
                    const vk::Capabilities& caps,
                    Program& program) {
    const Cuts cuts = cuts_of(call, impl_of(outputs[0]), caps);
    const std::int64_t index_count = impl_of(call.inputs[kScatterIndex]).numel;
    program.workspace_bytes.push_back(
        static_cast<std::uint64_t>(bucket_count(cuts, cuts.rows_at_once) * kBucketBytes));
    program.workspace_bytes.push_back(static_cast<std::uint64_t>(index_count) * 4);
    if (cuts.sum_dtype != impl_of(outputs[0]).dtype) {
        program.workspace_bytes.push_back(
            static_cast<std::uint64_t>(cuts.rows_at_once * cuts.outer * cuts.inner * kSumBytes));
    }
    for (std::int64_t row = 0; row < cuts.extent; row += cuts.rows_at_once) {
        const dispatch::Run rows{.first = row,
                                 .count = std::min(cuts.rows_at_once, cuts.extent - row)};
        std::int64_t entry = 0;
        do {
            const dispatch::Run entries{
                .first = entry, .count = std::min(cuts.entries_at_once, cuts.entries - entry)};
            add_lists(call, cuts, {rows, entries}, caps, program);
            add_sum(call, outputs[0], cuts, {rows, entries}, caps, program);
            entry += cuts.entries_at_once;
        } while (entry < cuts.entries);
    }
}

}  // namespace pumice::ops
