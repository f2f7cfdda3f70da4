// SPDX-License-Identifier: Apache-2.0
// sum, mean, sum_to_size.
#include "pumice/error.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::ops {

namespace {

void infer_sum(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const DType dtype = checked_impl(call.inputs[0], "sum").dtype;
    infer_reduction(call, is_floating_point(dtype) ? dtype : kInt32, inferred);
}

void infer_mean(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    require_floating("mean", call.inputs[0]);
    infer_reduction(call, impl_of(call.inputs[0]).dtype, inferred);
}

template <vk::ReduceOp kOp>
void select_sum(const dispatch::OpCall& call,
                std::span<const Tensor> outputs,
                const vk::Capabilities& caps,
                dispatch::Program& program) {
    const Dims& sizes = impl_of(call.inputs[0]).sizes;
    const DimMask mask =
        reduction_mask(call.def.where(), call.attrs_as<ReductionAttrs>().dims, sizes.count());
    const auto count = static_cast<float>(reduced_numel(sizes, mask));
    select_reduction(call, outputs, caps, program, {.mask = mask, .op = kOp, .divisor = count});
}

// Every element of the reduced range has the gradient of its sum.
Tensor spread(const dispatch::BackwardCall& call, const Tensor& gradient) {
    const Dims& sizes = call.input_sizes(0);
    const DimMask mask = reduction_mask("sum", call.attrs_as<ReductionAttrs>().dims, sizes.count());
    return expand(with_reduced_dims(gradient, sizes, mask), sizes);
}

void backward_sum(dispatch::BackwardCall& call) {
    call.set(0, spread(call, call.grad()));
}

void backward_mean(dispatch::BackwardCall& call) {
    const Dims& sizes = call.input_sizes(0);
    const DimMask mask =
        reduction_mask("mean", call.attrs_as<ReductionAttrs>().dims, sizes.count());
    call.set(0, spread(call, div(call.grad(), reduced_numel(sizes, mask))));
}

}  // namespace

constexpr dispatch::OpDef kSum{
    .name = "sum",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_sum,
    .select = select_sum<vk::ReduceOp::kSum>,
    .window = window_of_reduction,
    .backward = backward_sum,
};
static_assert(well_formed(kSum));

constexpr dispatch::OpDef kMean{
    .name = "mean",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_mean,
    .select = select_sum<vk::ReduceOp::kMean>,
    .window = window_of_reduction,
    .backward = backward_mean,
};
static_assert(well_formed(kMean));

}  // namespace pumice::ops

namespace pumice {

Tensor sum(Tensor x, const Dims& dims, bool keepdim) {
    Tensor inputs[] = {ops::collapsible("sum", std::move(x), dims)};
    return dispatch::call(ops::kSum, inputs, ops::ReductionAttrs{.dims = dims, .keepdim = keepdim});
}

Tensor mean(Tensor x, const Dims& dims, bool keepdim) {
    Tensor inputs[] = {ops::collapsible("mean", std::move(x), dims)};
    return dispatch::call(
        ops::kMean, inputs, ops::ReductionAttrs{.dims = dims, .keepdim = keepdim});
}

Tensor sum_to_size(Tensor x, const Dims& sizes) try {
    const Dims& from = checked_impl(x, "sum_to_size").sizes;
    if (from == sizes) {
        return x;
    }
    const std::int64_t leading = from.count() - sizes.count();
    Dims dims;
    bool fits = leading >= 0;
    for (std::int64_t d = 0; fits && d < from.count(); ++d) {
        const std::int64_t wanted = d < leading ? 1 : sizes[d - leading];
        fits = wanted == from[d] || wanted == 1;
        if (d < leading || wanted != from[d]) {
            dims.push_back(d);
        }
    }
    if (!fits) {
        throw ShapeError("sum_to_size",
                         fmt::format("sizes must broadcast to x's shape; got {} for x {}",
                                     to_string(sizes),
                                     describe(x)));
    }
    return view(sum(std::move(x), dims, true), sizes);

} catch (const Error&) {
    rethrow_under("sum_to_size");
}

}  // namespace pumice
