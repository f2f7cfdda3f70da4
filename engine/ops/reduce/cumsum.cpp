// SPDX-License-Identifier: Apache-2.0
// cumsum: running sums along one dimension; its gradient runs the other way.
#include "pumice/ops/reduce.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "dispatch/windows.h"
#include "geometry/tiles.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"
#include "vk/kernels/reduce_cumsum.h"

#include <algorithm>
#include <utility>

namespace pumice::ops {

namespace {

constexpr std::uint64_t kChunkSumBytes = 8;
constexpr std::uint32_t kMostScanned = 25000;  // chunks a step, by one invocation a row

enum class Phase : std::uint32_t { kSumChunks = 0, kScanChunks = 1, kWrite = 2 };

struct CumsumAttrs {
    std::int64_t dim;
    bool is_reversed;
};

std::int64_t cumsum_dim(const dispatch::OpCall& call) {
    return wrap_dim(
        "cumsum", call.attrs_as<CumsumAttrs>().dim, impl_of(call.inputs[0]).sizes.count());
}

void infer_cumsum(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = checked_impl(call.inputs[0], "cumsum");
    cumsum_dim(call);
    inferred.push_back(
        dispatch::contiguous_meta(x.sizes, is_floating_point(x.dtype) ? x.dtype : kInt32));
}

struct Scan {
    const dispatch::OpCall& call;
    const Tensor& y;
    FoldLayout layout;
};

// The window of an operand for some positions along the dimension, and where its first element is
// from there.
struct Part {
    dispatch::Operand operand;
    std::uint32_t offset = 0;
};

Part part_of(dispatch::Operand operand,
             const Tensor& tensor,
             std::int64_t dim,
             const dispatch::Run& positions,
             const vk::Capabilities& caps) {
    const TensorImpl& impl = impl_of(tensor);
    if (impl.sizes.empty()) {
        return {.operand = operand, .offset = dispatch::bound_offset(impl, caps)};
    }
    Dims sizes = impl.sizes;
    sizes[dim] = positions.count;
    const std::int64_t first = positions.first * impl.strides[dim];
    return {
        .operand = dispatch::window_of(operand, first, hull_elements(sizes, impl.strides)),
        .offset = dispatch::bound_offset(impl, caps, first) - static_cast<std::uint32_t>(first)};
}

// Positions along the dimension that the push's chunks cover.
dispatch::Run positions_of(const vk::ReduceCumsumPush& push, bool is_reversed) noexcept {
    const std::int64_t length = push.row_length;
    const std::int64_t first = std::int64_t{push.first_chunk} * push.chunk_length;
    const std::int64_t end = std::min(std::int64_t{push.end_chunk} * push.chunk_length, length);
    return {.first = is_reversed ? length - end : first, .count = end - first};
}

// One step over chunks [push.first_chunk, push.end_chunk).
void append_phase(dispatch::Program& program,
                  Phase phase,
                  vk::ReduceCumsumPush push,
                  const Scan& scan,
                  const vk::Capabilities& caps) {
    const bool is_reversed = scan.call.attrs_as<CumsumAttrs>().is_reversed;
    const Tensor& input = scan.call.inputs[0];
    const std::int64_t dim = cumsum_dim(scan.call);
    const bool is_scan = phase == Phase::kScanChunks;
    vk::ReduceCumsumPush bound = push;
    bound.end_chunk = is_scan ? push.first_chunk + 1 : push.end_chunk;  // a scan reads no elements
    const dispatch::Run positions = positions_of(bound, is_reversed);
    const Part x = part_of(dispatch::input(0), input, dim, positions, caps);
    const Part y = part_of(dispatch::output(0), scan.y, dim, positions, caps);
    push.x_offset = x.offset;
    push.y_offset = y.offset;
    dispatch::Step& step = program.steps.emplace_back();
    step.bindings.push_back(x.operand);
    step.bindings.push_back(y.operand);
    step.bindings.push_back(push.chunk_count > 1 ? dispatch::workspace(0) : y.operand);
    step.set(vk::ReduceCumsumSpec{.local_size = scan.layout.local_size,
                                  .x_dtype = impl_of(input).dtype,
                                  .y_dtype = impl_of(scan.y).dtype,
                                  .phase = static_cast<std::uint32_t>(phase),
                                  .is_reversed = is_reversed},
             push);
    const std::uint32_t chunks = push.end_chunk - push.first_chunk;
    const std::uint64_t items = static_cast<std::uint64_t>(push.row_count) * (is_scan ? 1 : chunks);
    step.groups = fold_grid(scan.layout, items, caps);
    step.work = items * (is_scan ? chunks : push.chunk_length) * 4;
}

// Positions of a row that a step can have, all of them if none fit.
std::uint32_t positions_of_step(const dispatch::OpCall& call,
                                const Tensor& output,
                                std::uint32_t row_length,
                                const vk::Capabilities& caps) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    if (x.sizes.empty()) {
        return row_length;
    }
    const std::int64_t dim = cumsum_dim(call);
    const std::int64_t bindable =
        std::min(dispatch::bindable_positions(x, dim, caps),
                 dispatch::bindable_positions(impl_of(output), dim, caps));
    return bindable == 0 ? row_length : static_cast<std::uint32_t>(bindable);
}

// What the loops of an item run, in passes, that sums or writes a chunk.
double passes_of_chunk(const FoldLayout& layout, std::uint32_t row_length, DType dtype) noexcept {
    const double elements = std::min(layout.chunk_length, row_length);
    return 1 + std::max(elements,
                        vk::iterations::reduce_range(static_cast<double>(vk::ReduceOp::kSum),
                                                     static_cast<double>(dtype),
                                                     0,
                                                     elements,
                                                     elements));
}

void select_cumsum(const dispatch::OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   dispatch::Program& program) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const std::int64_t dim = cumsum_dim(call);
    const PartedDims parted = part_dims(x.sizes, x.strides, 1U << dim);
    FoldLayout layout = choose_fold_layout(parted, parted.output_count, true, caps);
    layout.lanes = 1;
    const std::uint32_t most = positions_of_step(call, outputs[0], parted.reduced_count, caps);
    bound_chunks(
        layout, parted.reduced_count, passes_of_chunk(layout, parted.reduced_count, x.dtype));
    if (layout.chunk_length > most) {
        layout.chunk_length = most;
        layout.chunk_count = ceil_div(parted.reduced_count, most);
    }
    const Scan scan{.call = call, .y = outputs[0], .layout = layout};
    vk::ReduceCumsumPush push{
        .kept_sizes = parted.kept.sizes,
        .kept_strides = parted.kept.strides,
        .row_count = parted.output_count,
        .row_length = parted.reduced_count,
        .x_offset = 0,
        .x_stride = parted.reduced.strides[3],
        .inner_count =
            x.sizes.empty() ? 1U : static_cast<std::uint32_t>(contiguous_strides(x.sizes)[dim]),
        .chunk_length = layout.chunk_length,
        .chunk_count = layout.chunk_count,
        .y_offset = 0,
        .first_chunk = 0,
        .end_chunk = 1};
    const std::uint32_t chunks_at_once = std::max(most / layout.chunk_length, 1U);
    const auto append_all = [&](Phase phase, std::uint32_t count) {
        for (push.first_chunk = 0; push.first_chunk < layout.chunk_count;
             push.first_chunk = push.end_chunk) {
            push.end_chunk = std::min(push.first_chunk + count, layout.chunk_count);
            append_phase(program, phase, push, scan, caps);
        }
    };
    if (layout.chunk_count > 1) {
        program.workspace_bytes.push_back(std::uint64_t{push.row_count} * (layout.chunk_count + 1) *
                                          kChunkSumBytes);
        append_all(Phase::kSumChunks, chunks_at_once);
        append_all(Phase::kScanChunks, kMostScanned);
    }
    append_all(Phase::kWrite, chunks_at_once);
}

std::int64_t window_of_cumsum(const dispatch::OpCall& call,
                              std::size_t /*input*/,
                              std::int64_t output_rank,
                              std::int64_t dim) noexcept {
    const std::int64_t along = call.attrs_as<CumsumAttrs>().dim;
    return dim == (along < 0 ? along + output_rank : along) ? dispatch::kUncut : dim;
}

Tensor cumsum_along(Tensor x, const CumsumAttrs& attrs) {
    Tensor inputs[] = {collapsible("cumsum", std::move(x), {attrs.dim})};
    return dispatch::call(kCumsum, inputs, attrs);
}

void backward_cumsum(dispatch::BackwardCall& call) {
    CumsumAttrs attrs = call.attrs_as<CumsumAttrs>();
    attrs.is_reversed = !attrs.is_reversed;
    call.set(0, cumsum_along(call.grad(), attrs));
}

}  // namespace

constexpr dispatch::OpDef kCumsum{
    .name = "cumsum",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_cumsum,
    .select = select_cumsum,
    .window = window_of_cumsum,
    .backward = backward_cumsum,
};
static_assert(well_formed(kCumsum));

}  // namespace pumice::ops

namespace pumice {

Tensor cumsum(Tensor x, std::int64_t dim) {
    return ops::cumsum_along(std::move(x), {.dim = dim, .is_reversed = false});
}

}  // namespace pumice
