// SPDX-License-Identifier: Apache-2.0
// cumsum: running sums along one dimension; its gradient runs the other way.
#include "pumice/ops/reduce.h"

#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/reduction.h"

#include <utility>

namespace pumice::ops {

namespace {

constexpr std::uint64_t kChunkSumBytes = 8;

enum class Phase : std::uint32_t { kSumChunks = 0, kScanChunks = 1, kWrite = 2 };

struct CumsumAttrs {
    std::int64_t dim;
    bool is_reversed;
};

struct CumsumPush {
    std::array<std::uint32_t, 4> kept_sizes;
    std::array<std::uint32_t, 4> kept_strides;
    std::uint32_t row_count;
    std::uint32_t row_length;
    std::uint32_t x_offset;
    std::uint32_t x_stride;
    std::uint32_t inner_count;
    std::uint32_t chunk_length;
    std::uint32_t chunk_count;
};

static_assert(sizeof(CumsumPush) == vk::push_size_bytes(vk::KernelId::kReduceCumsum));

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

void append_phase(dispatch::Program& program,
                  Phase phase,
                  const CumsumPush& push,
                  std::uint32_t local_size,
                  std::array<DType, 2> dtypes,
                  bool is_reversed) {
    dispatch::Step& step = program.steps.emplace_back();
    step.kernel = vk::KernelId::kReduceCumsum;
    for (const std::uint32_t value : {local_size,
                                      static_cast<std::uint32_t>(dtypes[0]),
                                      static_cast<std::uint32_t>(dtypes[1]),
                                      static_cast<std::uint32_t>(phase),
                                      static_cast<std::uint32_t>(is_reversed)}) {
        step.spec.push_back(value);
    }
    step.bindings.push_back(dispatch::input(0));
    step.bindings.push_back(dispatch::output(0));
    step.bindings.push_back(push.chunk_count > 1 ? dispatch::workspace(0) : dispatch::output(0));
    step.set_push(push);
    step.work = static_cast<std::uint64_t>(push.row_count) *
                (phase == Phase::kScanChunks ? push.chunk_count : push.row_length) * 4;
}

void select_cumsum(const dispatch::OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   dispatch::Program& program) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const std::int64_t dim = cumsum_dim(call);
    const ReductionPlan plan = plan_reduction(x.sizes, x.strides, 1U << dim);
    FoldLayout layout = choose_fold_layout(plan, plan.output_count, true, caps);
    layout.lanes = 1;
    const CumsumPush push{
        .kept_sizes = plan.kept.sizes,
        .kept_strides = plan.kept.strides,
        .row_count = plan.output_count,
        .row_length = plan.reduced_count,
        .x_offset = dispatch::bound_offset(call.inputs[0], caps),
        .x_stride = plan.reduced.strides[3],
        .inner_count =
            x.sizes.empty() ? 1U : static_cast<std::uint32_t>(contiguous_strides(x.sizes)[dim]),
        .chunk_length = layout.chunk_length,
        .chunk_count = layout.chunk_count};
    const std::array<DType, 2> dtypes{x.dtype, impl_of(outputs[0]).dtype};
    const bool is_reversed = call.attrs_as<CumsumAttrs>().is_reversed;
    const std::uint64_t items = static_cast<std::uint64_t>(push.row_count) * push.chunk_count;
    const auto append = [&](Phase phase, std::uint64_t item_count) {
        append_phase(program, phase, push, layout.local_size, dtypes, is_reversed);
        program.steps.back().groups = fold_grid(layout, item_count, caps);
    };
    if (push.chunk_count > 1) {
        program.workspace_bytes.push_back(items * kChunkSumBytes);
        append(Phase::kSumChunks, items);
        append(Phase::kScanChunks, push.row_count);
    }
    append(Phase::kWrite, items);
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
    .backward = backward_cumsum,
};
static_assert(well_formed(kCumsum));

}  // namespace pumice::ops

namespace pumice {

Tensor cumsum(Tensor x, std::int64_t dim) {
    return ops::cumsum_along(std::move(x), {.dim = dim, .is_reversed = false});
}

}  // namespace pumice
