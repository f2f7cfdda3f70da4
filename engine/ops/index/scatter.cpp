// SPDX-License-Identifier: Apache-2.0
// Writes by index: scatter_add, index_add, index_copy, and scatter_sum, which is the gradient of
// the reads by index. Note [Deterministic scatter]: the entries of one target are linked into a
// list in rising order by integer minima (shaders/index/bucket_*.comp), and one invocation a target
// element walks it; no float atomics, the same sum on every run. All entries may have one target,
// so that lists are made and walked for some thousand of them at a time, each onto the sums so far.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "dispatch/windows.h"
#include "geometry/walk.h"
#include "geometry/words.h"
#include "ops/all_ops.h"
#include "ops/index/indexing.h"
#include "ops/view/strided_sum.h"
#include "vk/kernels/factory_fill.h"
#include "vk/kernels/index_bucket_link.h"
#include "vk/kernels/index_bucket_mark.h"
#include "vk/kernels/index_bucket_sum.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Grad;
using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::Program;
using dispatch::Step;

namespace {

struct ScatterAttrs {
    Dims sizes;  ///< of the output
    std::int64_t dim = 0;
    std::int64_t ignored = -1;
    IndexForm form{};
    bool takes_last = false;  ///< index_copy: instead of the sum
    bool is_padded = false;   ///< the index has kPadding where its caller had nothing
    IndexUser user = IndexUser::kNone;
};

// An index that is left out and not reported.
constexpr std::int32_t kPadding = std::numeric_limits<std::int32_t>::min();

// Where the operands stand among the inputs; the base is optional.
constexpr std::size_t kSource = 0;
constexpr std::size_t kIndex = 1;
constexpr std::size_t kBase = 2;

// Shapes were checked, and operands made contiguous and of one shape, by the public functions.
void infer_scatter(const OpCall& call, Inferred& inferred) {
    const TensorImpl& source = impl_of(call.inputs[kSource]);
    check_index_dtype(call.def.where(), call.inputs[kIndex]);
    inferred.emplace_back(
        dispatch::contiguous_meta(call.attrs_as<ScatterAttrs>().sizes, source.dtype));
}

// The call seen as [outer, dim, inner], in elements, and what one step takes of it.
struct Plan {
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

Plan plan_of(const OpCall& call, const TensorImpl& out, const vk::Capabilities& caps) {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    const TensorImpl& source = impl_of(call.inputs[kSource]);
    Plan plan;
    plan.extent = static_cast<std::uint32_t>(out.sizes[attrs.dim]);
    plan.entries = static_cast<std::uint32_t>(source.sizes[attrs.dim]);
    for (std::int64_t d = 0; d < out.sizes.count(); ++d) {
        if (d != attrs.dim) {
            (d < attrs.dim ? plan.outer : plan.inner) *= static_cast<std::uint32_t>(out.sizes[d]);
        }
    }
    plan.is_row_wise = attrs.form == IndexForm::kRows;
    plan.rows_at_once = plan.extent;
    plan.entries_at_once = attrs.takes_last
                               ? std::int64_t{plan.entries}
                               : std::min<std::int64_t>(plan.entries, most_entries(out.dtype));
    if (plan.outer == 1) {
        const std::int64_t bindable = dispatch::bindable_positions(source, attrs.dim, caps);
        plan.entries_at_once =
            bindable == 0 ? plan.entries_at_once : std::min(plan.entries_at_once, bindable);
    }
    const bool is_one_run = plan.entries_at_once >= plan.entries;
    plan.sum_dtype = is_half(out.dtype) && !is_one_run && !attrs.takes_last ? kFloat32 : out.dtype;
    if (plan.outer == 1) {
        const std::int64_t buckets = plan.is_row_wise ? 1 : plan.inner;
        const std::int64_t sums = plan.sum_dtype == out.dtype ? 0 : plan.inner;
        plan.rows_at_once =
            rows_of_step(out, attrs.dim, std::max(buckets * kBucketBytes, sums * kSumBytes), caps);
    }
    return plan;
}

// A row-wise index has one list a row, whatever stands before and behind the dimension.
std::int64_t bucket_count(const Plan& plan, std::int64_t row_count) noexcept {
    return plan.is_row_wise ? row_count : row_count * plan.inner * plan.outer;
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
    step.bindings.push_back(dispatch::input(kIndex));
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
    step.bindings.push_back(dispatch::input(kIndex));
    step.bindings.push_back(dispatch::workspace(0));
    step.bindings.push_back(dispatch::workspace(1));
    step.set(vk::IndexBucketLinkSpec{.local_size = local_size}, link);
}

// Links these entries of the targets in these rows.
void add_lists(const OpCall& call,
               const Plan& plan,
               const std::array<dispatch::Run, 2>& rows_and_entries,
               const vk::Capabilities& caps,
               Program& program) {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    const auto& [rows, entries] = rows_and_entries;
    const std::int64_t buckets = bucket_count(plan, rows.count);
    add_fill(buckets, caps, program);
    const std::int64_t width = plan.is_row_wise ? 1 : std::int64_t{plan.outer} * plan.inner;
    const auto entry_count = static_cast<std::uint32_t>(entries.count * width);
    if (entry_count == 0) {
        return;
    }
    const vk::IndexBucketLinkPush link{
        .entry_count = entry_count,
        .entries = plan.entries,
        .inner = plan.is_row_wise ? 1 : plan.inner,
        .extent = plan.extent,
        .index_offset = dispatch::bound_offset(call.inputs[kIndex], caps),
        .ignored = static_cast<std::int32_t>(attrs.ignored),
        .first_bucket = static_cast<std::uint32_t>(bucket_count(plan, rows.first)),
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
struct SumPlace {
    dispatch::Operand operand;
    std::uint32_t offset = 0;
    DType dtype = kFloat32;
};

SumPlace place_of(const Tensor& tensor,
                  dispatch::Operand operand,
                  const dispatch::Run& targets,
                  const vk::Capabilities& caps) {
    return {.operand = dispatch::window_of(operand, targets.first, targets.count),
            .offset = dispatch::bound_offset(tensor, caps, targets.first),
            .dtype = impl_of(tensor).dtype};
}

// Source elements of some entries; the whole source where they do not lie together.
SumPlace source_of(const OpCall& call,
                   const Plan& plan,
                   const dispatch::Run& entries,
                   const vk::Capabilities& caps) {
    const Tensor& source = call.inputs[kSource];
    const dispatch::Operand whole = dispatch::input(kSource);
    const std::int64_t first = plan.outer == 1 ? entries.first * plan.inner : 0;
    return {.operand = plan.outer == 1
                           ? dispatch::window_of(whole, first, entries.count * plan.inner)
                           : whole,
            .offset = dispatch::bound_offset(impl_of(source), caps, first) -
                      static_cast<std::uint32_t>(first),
            .dtype = impl_of(source).dtype};
}

// Adds some entries to some rows of the output; all but the first ones to what is there already.
void add_sum(const OpCall& call,
             const Tensor& output,
             const Plan& plan,
             const std::array<dispatch::Run, 2>& rows_and_entries,
             const vk::Capabilities& caps,
             Program& program) {
    const auto& [rows, entries] = rows_and_entries;
    const bool has_base = call.inputs.size() > kBase;
    const bool is_first = entries.first == 0;
    const bool is_last = entries.first + entries.count >= plan.entries;
    const std::int64_t width = std::int64_t{plan.outer} * plan.inner;
    const dispatch::Run targets{.first = rows.first * width, .count = rows.count * width};
    const SumPlace source = source_of(call, plan, entries, caps);
    const SumPlace result = place_of(output, dispatch::output(), targets, caps);
    const bool has_sums = plan.sum_dtype != result.dtype;
    const SumPlace sums =
        has_sums ? SumPlace{dispatch::workspace(kSums), 0, plan.sum_dtype} : result;
    const SumPlace base = !is_first ? sums
                          : has_base
                              ? place_of(call.inputs[kBase], dispatch::input(kBase), targets, caps)
                              : source;
    const SumPlace& left = is_last ? result : sums;
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
                                    .is_row_wise = plan.is_row_wise,
                                    .takes_last = call.attrs_as<ScatterAttrs>().takes_last,
                                    .base_dtype = base.dtype,
                                    .out_dtype = left.dtype},
             {.element_count = static_cast<std::uint32_t>(targets.count),
              .entries = plan.entries,
              .inner = plan.inner,
              .extent = plan.extent,
              .source_offset = source.offset,
              .base_offset = base.offset,
              .first_element = static_cast<std::uint32_t>(targets.first),
              .first_entry = static_cast<std::uint32_t>(entries.first),
              .end_entry = static_cast<std::uint32_t>(entries.first + entries.count)});
    step.work = static_cast<std::uint64_t>(targets.count + entries.count * width) * 4;
}

void select_scatter(const OpCall& call,
                    std::span<const Tensor> outputs,
                    const vk::Capabilities& caps,
                    Program& program) {
    const Plan plan = plan_of(call, impl_of(outputs[0]), caps);
    const std::int64_t index_count = impl_of(call.inputs[kIndex]).numel;
    program.workspace_bytes.push_back(
        static_cast<std::uint64_t>(bucket_count(plan, plan.rows_at_once) * kBucketBytes));
    program.workspace_bytes.push_back(static_cast<std::uint64_t>(index_count) * 4);
    if (plan.sum_dtype != impl_of(outputs[0]).dtype) {
        program.workspace_bytes.push_back(
            static_cast<std::uint64_t>(plan.rows_at_once * plan.outer * plan.inner * kSumBytes));
    }
    for (std::int64_t row = 0; row < plan.extent; row += plan.rows_at_once) {
        const dispatch::Run rows{.first = row,
                                 .count = std::min(plan.rows_at_once, plan.extent - row)};
        std::int64_t entry = 0;
        do {
            const dispatch::Run entries{
                .first = entry, .count = std::min(plan.entries_at_once, plan.entries - entry)};
            add_lists(call, plan, {rows, entries}, caps, program);
            add_sum(call, outputs[0], plan, {rows, entries}, caps, program);
            entry += plan.entries_at_once;
        } while (entry < plan.entries);
    }
}

std::int64_t window_of_scatter(const OpCall& call,
                               std::size_t input,
                               std::int64_t /*output_rank*/,
                               std::int64_t dim) noexcept {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    if (dim == attrs.dim) {
        return dispatch::kUncut;
    }
    return input == kIndex && attrs.form == IndexForm::kRows ? dispatch::kWhole : dim;
}

void backward_scatter(BackwardCall& call) {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    if (call.needs(kSource)) {
        call.set(
            kSource,
            take_or_zero(call.grad(), attrs.dim, call.input(kIndex), attrs.form, attrs.ignored));
    }
    if (call.input_count() > kBase && call.needs(kBase)) {
        call.set(kBase, call.grad());
    }
}

// Which entries of the index nobody overwrites, as many as it has.
Tensor wins(const Tensor& index, std::int64_t row_count) {
    const Tensor positions = arange(index.numel());
    const Tensor last = replace_rows(full({row_count}, -1), 0, index, positions);
    return eq(take_rows(last, 0, index), positions);
}

void backward_index_copy(BackwardCall& call) {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    const Tensor index = call.input(kIndex);
    const Dims& sizes = call.input_sizes(kSource);
    if (call.needs(kSource)) {
        Dims column = Dims::filled(sizes.count(), 1);
        column[attrs.dim] = sizes[attrs.dim];
        const Tensor lost = logical_not(wins(index, attrs.sizes[attrs.dim]));
        call.set(
            kSource,
            masked_fill(
                take_or_zero(call.grad(), attrs.dim, index, attrs.form), view(lost, column), 0));
    }
    if (call.needs(kBase)) {
        call.set(
            kBase,
            replace_rows(call.grad(), attrs.dim, index, zeros(sizes, call.input_dtype(kBase))));
    }
}

constexpr dispatch::SavedSet kSavesIndexForSource{.inputs = 1U << kIndex,
                                                  .input_is_for = {0, 1U << kSource}};

}  // namespace

constexpr OpDef kScatterSum{.name = "scatter_sum",
                            .inputs = {{{"source", Grad::kFormula}, {"index", Grad::kNever}}},
                            .infer = infer_scatter,
                            .select = select_scatter,
                            .window = window_of_scatter,
                            .saved = kSavesIndexForSource,
                            .backward = backward_scatter};
static_assert(well_formed(kScatterSum));

constexpr OpDef kScatterAdd{
    .name = "scatter_add",
    .inputs = {{{"source", Grad::kFormula}, {"index", Grad::kNever}, {"x", Grad::kFormula}}},
    .infer = infer_scatter,
    .select = select_scatter,
    .window = window_of_scatter,
    .saved = kSavesIndexForSource,
    .backward = backward_scatter};
static_assert(well_formed(kScatterAdd));

constexpr OpDef kIndexAdd{
    .name = "index_add",
    .inputs = {{{"source", Grad::kFormula}, {"index", Grad::kNever}, {"x", Grad::kFormula}}},
    .infer = infer_scatter,
    .select = select_scatter,
    .window = window_of_scatter,
    .saved = kSavesIndexForSource,
    .backward = backward_scatter};
static_assert(well_formed(kIndexAdd));

constexpr OpDef kIndexCopy{
    .name = "index_copy",
    .inputs = {{{"source", Grad::kFormula}, {"index", Grad::kNever}, {"x", Grad::kFormula}}},
    .infer = infer_scatter,
    .select = select_scatter,
    .window = window_of_scatter,
    .saved = {.inputs = 1U << kIndex},
    .backward = backward_index_copy};
static_assert(well_formed(kIndexCopy));

namespace {

// The kernels want source and index to have the output's extents but along dim: what is missing is
// filled with indices that are left out. Whether something was.
bool widen_to(Dims sizes, std::int64_t dim, Tensor& source, Tensor& index) {
    sizes[dim] = impl_of(index).sizes[dim];
    if (impl_of(index).sizes == sizes) {
        return false;
    }
    source = pad_to(std::move(source), sizes, 0);
    index = pad_to(std::move(index), sizes, kPadding);
    return true;
}

}  // namespace

Tensor scatter_sum(Tensor source,
                   std::int64_t dim,
                   Tensor index,
                   const Dims& sizes,
                   IndexForm form,
                   std::int64_t ignored) {
    const std::int64_t wrapped = wrap_dim("scatter_sum", dim, sizes.count());
    if (form == IndexForm::kElements) {
        widen_to(sizes, wrapped, source, index);
    }
    std::array<Tensor, 2> inputs{contiguous(std::move(source)), contiguous(std::move(index))};
    return dispatch::call(
        kScatterSum,
        inputs,
        ScatterAttrs{.sizes = sizes, .dim = wrapped, .ignored = ignored, .form = form});
}

}  // namespace pumice::ops

namespace pumice {

namespace {

void check_operands(std::string_view op,
                    const Tensor& x,
                    const Tensor& index,
                    const Tensor& source) {
    checked_impl(x, op);
    checked_impl(index, op);
    checked_impl(source, op);
    ops::check_index_dtype(op, index);
    if (impl_of(x).dtype != impl_of(source).dtype) {
        throw DTypeError(op,
                         fmt::format("source must have x's dtype; got source {} for x {}",
                                     describe(source),
                                     describe(x)));
    }
    if (impl_of(x).sizes.empty()) {
        throw ArgumentError(op, "x must have at least one dimension");
    }
}

}  // namespace

Tensor scatter_add(Tensor x, std::int64_t dim, Tensor index, Tensor source) try {
    check_operands("scatter_add", x, index, source);
    const Dims sizes = impl_of(x).sizes;
    const std::int64_t wrapped = wrap_dim("scatter_add", dim, sizes.count());
    const Dims& wanted = impl_of(index).sizes;
    const Dims& given = impl_of(source).sizes;
    bool fits = wanted.count() == sizes.count() && given.count() == sizes.count();
    for (std::int64_t d = 0; fits && d < sizes.count(); ++d) {
        fits = wanted[d] <= given[d] && (d == wrapped || wanted[d] <= sizes[d]);
    }
    if (!fits) {
        throw ShapeError("scatter_add",
                         fmt::format("index must have x's dimensions, none longer but dim {}, and "
                                     "none longer than source's; got index {} and source {} for x "
                                     "{}",
                                     wrapped,
                                     describe(index),
                                     describe(source),
                                     describe(x)));
    }
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        if (impl_of(source).sizes[d] != impl_of(index).sizes[d]) {
            source = narrow(source, d, 0, impl_of(index).sizes[d]);
        }
    }
    const bool is_padded = ops::widen_to(sizes, wrapped, source, index);
    std::array<Tensor, 3> inputs{
        contiguous(std::move(source)), contiguous(std::move(index)), contiguous(std::move(x))};
    return dispatch::call(ops::kScatterAdd,
                          inputs,
                          ops::ScatterAttrs{.sizes = sizes,
                                            .dim = wrapped,
                                            .form = ops::IndexForm::kElements,
                                            .is_padded = is_padded,
                                            .user = IndexUser::kScatterAdd});

} catch (const Error&) {
    rethrow_under("scatter_add");
}

namespace {

// index_add and index_copy: rows of source into x.
Tensor write_rows(const dispatch::OpDef& def,
                  IndexUser user,
                  Tensor x,
                  std::int64_t dim,
                  Tensor index,
                  Tensor source) {
    const std::string_view op = def.where();
    check_operands(op, x, index, source);
    const Dims sizes = impl_of(x).sizes;
    const std::int64_t wrapped = wrap_dim(op, dim, sizes.count());
    Dims wanted = sizes;
    wanted[wrapped] = impl_of(index).numel;
    if (impl_of(index).sizes.count() > 1 || impl_of(source).sizes != wanted) {
        throw ShapeError(op,
                         fmt::format("source must have x's shape with one element along dim {} for "
                                     "each of a one-dimensional index; got index {} and source {} "
                                     "for x {}",
                                     wrapped,
                                     describe(index),
                                     describe(source),
                                     describe(x)));
    }
    index = reshape(index, {wanted[wrapped]});
    std::array<Tensor, 3> inputs{
        contiguous(std::move(source)), contiguous(std::move(index)), contiguous(std::move(x))};
    return dispatch::call(def,
                          inputs,
                          ops::ScatterAttrs{.sizes = sizes,
                                            .dim = wrapped,
                                            .form = ops::IndexForm::kRows,
                                            .takes_last = &def == &ops::kIndexCopy,
                                            .user = user});
}

}  // namespace

namespace ops {

Tensor replace_rows(Tensor x, std::int64_t dim, Tensor index, Tensor source) {
    return write_rows(
        kIndexCopy, IndexUser::kNone, std::move(x), dim, std::move(index), std::move(source));
}

Tensor add_rows(Tensor x, std::int64_t dim, Tensor index, Tensor source) {
    return write_rows(
        kIndexAdd, IndexUser::kNone, std::move(x), dim, std::move(index), std::move(source));
}

}  // namespace ops

Tensor index_add(Tensor x, std::int64_t dim, Tensor index, Tensor source) try {
    return write_rows(ops::kIndexAdd,
                      IndexUser::kIndexAdd,
                      std::move(x),
                      dim,
                      std::move(index),
                      std::move(source));

} catch (const Error&) {
    rethrow_under("index_add");
}

Tensor index_copy(Tensor x, std::int64_t dim, Tensor index, Tensor source) try {
    return write_rows(ops::kIndexCopy,
                      IndexUser::kIndexCopy,
                      std::move(x),
                      dim,
                      std::move(index),
                      std::move(source));

} catch (const Error&) {
    rethrow_under("index_copy");
}

}  // namespace pumice
