// SPDX-License-Identifier: Apache-2.0
// amax, amin.
#include "pumice/error.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/reduce.h"

#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::ops {

namespace {

void infer_extremum(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = checked_impl(call.inputs[0], call.def.where());
    infer_reduction(call, x.dtype, inferred);
    const DimMask mask =
        reduction_mask(call.def.where(), call.attrs_as<ReductionAttrs>().dims, x.sizes.count());
    if (reduced_numel(x.sizes, mask) == 0) {
        throw ShapeError(call.def.where(),
                         fmt::format("each reduced dim must have an extent above 0; got x {}",
                                     describe(call.inputs[0])));
    }
}

// Elements that are equal to the extremum share its gradient evenly, as in PyTorch.
void backward_extremum(dispatch::BackwardCall& call) {
    const Dims& sizes = call.input_sizes(0);
    const Dims& dims = call.attrs_as<ReductionAttrs>().dims;
    const DimMask mask = reduction_mask("amax", dims, sizes.count());
    const Tensor extremum = with_reduced_dims(call.output(0), sizes, mask);
    const Tensor is_extremum = eq(call.input(0), extremum).to(call.input_dtype(0));
    const Tensor share =
        div(with_reduced_dims(call.grad(), sizes, mask), sum(is_extremum, dims, true));
    call.set(0, mul(is_extremum, share));
}

}  // namespace

constexpr dispatch::OpDef kAMax{
    .name = "amax",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_extremum,
    .select = select_reduction_by<vk::ReduceOp::kAMax>,
    .window = window_of_reduction,
    .saved = {.inputs = 1, .outputs = 1},
    .backward = backward_extremum,
};
static_assert(well_formed(kAMax));

constexpr dispatch::OpDef kAMin{
    .name = "amin",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_extremum,
    .select = select_reduction_by<vk::ReduceOp::kAMin>,
    .window = window_of_reduction,
    .saved = {.inputs = 1, .outputs = 1},
    .backward = backward_extremum,
};
static_assert(well_formed(kAMin));

}  // namespace pumice::ops

namespace pumice {

Tensor amax(Tensor x, const Dims& dims, bool keepdim) {
    Tensor inputs[] = {ops::collapsible("amax", std::move(x), dims)};
    return dispatch::call(
        ops::kAMax, inputs, ops::ReductionAttrs{.dims = dims, .keepdim = keepdim});
}

Tensor amin(Tensor x, const Dims& dims, bool keepdim) {
    Tensor inputs[] = {ops::collapsible("amin", std::move(x), dims)};
    return dispatch::call(
        ops::kAMin, inputs, ops::ReductionAttrs{.dims = dims, .keepdim = keepdim});
}

}  // namespace pumice
