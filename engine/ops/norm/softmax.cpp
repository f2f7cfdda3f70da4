// SPDX-License-Identifier: Apache-2.0
// softmax, log_softmax.
#include "ops/norm/softmax.h"

#include "pumice/ops/elementwise.h"
#include "pumice/ops/nn.h"
#include "pumice/ops/reduce.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "geometry/tiles.h"
#include "geometry/words.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"
#include "vk/kernels/norm_softmax.h"

#include <algorithm>
#include <utility>

namespace pumice::ops {

namespace {

std::int64_t softmax_dim(const dispatch::OpCall& call) {
    return wrap_dim(
        call.def.where(), call.attrs_as<SoftmaxAttrs>().dim, impl_of(call.inputs[0]).sizes.count());
}

void infer_softmax(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    require_floating(call.def.where(), call.inputs[0]);
    softmax_dim(call);
    const TensorImpl& x = impl_of(call.inputs[0]);
    inferred.push_back(dispatch::contiguous_meta(x.sizes, x.dtype));
}

// Elements of y between neighbours of a row.
std::uint32_t inner_count(const Dims& sizes, std::int64_t dim) {
    return sizes.empty() ? 1U : static_cast<std::uint32_t>(contiguous_strides(sizes)[dim]);
}

// Rows that one item could not walk are cut as well.
FoldLayout softmax_layout(const PartedDims& parted,
                          DType dtype,
                          bool owns_words,
                          const vk::Capabilities& caps) {
    FoldLayout layout = choose_fold_layout(parted, parted.output_count, true, caps);
    const std::uint32_t length = std::min(layout.chunk_length, parted.reduced_count);
    const double elements = ceil_div(length, layout.lanes);
    double passes = 20 + (owns_words ? elements / elements_per_word(dtype) : elements);
    if (layout.chunk_count == 1) {
        passes += vk::iterations::reduce_range(static_cast<double>(vk::ReduceOp::kLogSumExp),
                                               static_cast<double>(dtype),
                                               0,
                                               elements,
                                               length);
    }
    bound_chunks(layout, parted.reduced_count, passes);
    return layout;
}

// Leaves the statistics of long rows in a workspace, so that several items can share a row.
dispatch::Operand append_stats(const dispatch::OpCall& call,
                               const PartedDims& parted,
                               const vk::Capabilities& caps,
                               dispatch::Program& program) {
    const dispatch::Operand stats = dispatch::workspace(program.workspace_bytes.size());
    program.workspace_bytes.push_back(parted.output_count * kPartialBytes);
    append_fold(program,
                {.op = vk::ReduceOp::kLogSumExp,
                 .parted = parted,
                 .x_dtype = impl_of(call.inputs[0]).dtype,
                 .x = dispatch::input(0),
                 .result = stats,
                 .x_offset = dispatch::bound_offset(call.inputs[0], caps),
                 .writes_partials = true},
                caps);
    return stats;
}

template <bool kIsLog>
void select_softmax(const dispatch::OpCall& call,
                    std::span<const Tensor> outputs,
                    const vk::Capabilities& caps,
                    dispatch::Program& program) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const std::int64_t dim = softmax_dim(call);
    const PartedDims parted = part_dims(x.sizes, x.strides, 1U << dim);
    const std::uint32_t inner = inner_count(x.sizes, dim);
    const bool owns_words = inner == 1 && (parted.reduced_count * itemsize(x.dtype)) % 4 == 0;
    const FoldLayout layout = softmax_layout(parted, x.dtype, owns_words, caps);
    const bool is_split = layout.chunk_count > 1;
    const dispatch::Operand stats =
        is_split ? append_stats(call, parted, caps, program) : dispatch::input(0);
    dispatch::Step& step = program.steps.emplace_back();
    for (const dispatch::Operand operand : {dispatch::input(0), dispatch::output(0), stats}) {
        step.bindings.push_back(operand);
    }
    step.set(vk::NormSoftmaxSpec{.local_size = layout.local_size,
                                 .reduce_dtype = x.dtype,
                                 .lanes = layout.lanes,
                                 .is_log = kIsLog,
                                 .reads_stats = is_split,
                                 .stores_masked = !owns_words},
             {.kept_sizes = parted.kept.sizes,
              .kept_strides = parted.kept.strides,
              .row_count = parted.output_count,
              .row_length = parted.reduced_count,
              .x_offset = dispatch::bound_offset(call.inputs[0], caps),
              .x_stride = parted.reduced.strides[3],
              .inner_count = inner,
              .chunk_length = layout.chunk_length,
              .chunk_count = layout.chunk_count});
    const std::uint64_t items =
        static_cast<std::uint64_t>(parted.output_count) * layout.chunk_count;
    step.groups = fold_grid(layout, items, caps);
    step.work = static_cast<std::uint64_t>(impl_of(outputs[0]).numel) * 8;
}

std::int64_t window_of_softmax(const dispatch::OpCall& call,
                               std::size_t /*input*/,
                               std::int64_t output_rank,
                               std::int64_t dim) noexcept {
    const std::int64_t softmax_dim = call.attrs_as<SoftmaxAttrs>().dim;
    const std::int64_t own = softmax_dim < 0 ? softmax_dim + output_rank : softmax_dim;
    return dim == own ? dispatch::kUncut : dim;
}

// y * (grad - sum(grad * y))
void backward_softmax(dispatch::BackwardCall& call) {
    const std::int64_t dim = call.attrs_as<SoftmaxAttrs>().dim;
    const Tensor y = call.output(0);
    const Tensor weighted = mul(call.grad(), y);
    call.set(0, sub(weighted, mul(y, sum(weighted, {dim}, true))));
}

// grad - exp(y) * sum(grad)
void backward_log_softmax(dispatch::BackwardCall& call) {
    const std::int64_t dim = call.attrs_as<SoftmaxAttrs>().dim;
    call.set(0, sub(call.grad(), mul(exp(call.output(0)), sum(call.grad(), {dim}, true))));
}

}  // namespace

constexpr dispatch::OpDef kSoftmax{
    .name = "softmax",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_softmax,
    .select = select_softmax<false>,
    .window = window_of_softmax,
    .saved = {.outputs = 1},
    .backward = backward_softmax,
};
static_assert(well_formed(kSoftmax));

constexpr dispatch::OpDef kLogSoftmax{
    .name = "log_softmax",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_softmax,
    .select = select_softmax<true>,
    .window = window_of_softmax,
    .saved = {.outputs = 1},
    .backward = backward_log_softmax,
};
static_assert(well_formed(kLogSoftmax));

}  // namespace pumice::ops

namespace pumice {

Tensor softmax(Tensor x, std::int64_t dim) {
    Tensor inputs[] = {ops::collapsible("softmax", std::move(x), {dim})};
    return dispatch::call(ops::kSoftmax, inputs, ops::SoftmaxAttrs{.dim = dim});
}

Tensor log_softmax(Tensor x, std::int64_t dim) {
    Tensor inputs[] = {ops::collapsible("log_softmax", std::move(x), {dim})};
    return dispatch::call(ops::kLogSoftmax, inputs, ops::SoftmaxAttrs{.dim = dim});
}

}  // namespace pumice
