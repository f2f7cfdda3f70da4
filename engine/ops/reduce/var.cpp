// SPDX-License-Identifier: Apache-2.0
// var, std: sum((x - mean)^2) / max(n - correction, 0), and its root.
#include "pumice/ops/elementwise.h"
#include "pumice/ops/factory.h"
#include "pumice/ops/reduce.h"

#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"

#include <algorithm>
#include <utility>

namespace pumice::ops {

namespace {

void infer_var(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    require_floating(call.def.where(), call.inputs[0]);
    infer_reduction(call, impl_of(call.inputs[0]).dtype, inferred);
}

double degrees_of_freedom(const Dims& sizes, const ReductionAttrs& attrs) {
    const DimMask mask = reduction_mask("var", attrs.dims, sizes.count());
    return static_cast<double>(
        std::max<std::int64_t>(0, reduced_numel(sizes, mask) - attrs.correction));
}

template <vk::ReduceOp kOp>
void select_var(const dispatch::OpCall& call,
                std::span<const Tensor> outputs,
                const vk::Capabilities& caps,
                dispatch::Program& program) {
    const Dims& sizes = impl_of(call.inputs[0]).sizes;
    const auto& attrs = call.attrs_as<ReductionAttrs>();
    select_reduction(call,
                     outputs,
                     caps,
                     program,
                     {.mask = reduction_mask(call.def.where(), attrs.dims, sizes.count()),
                      .op = kOp,
                      .divisor = static_cast<float>(degrees_of_freedom(sizes, attrs))});
}

// scale * (x - mean), where scale has the result's shape.
Tensor scaled_deviation(const dispatch::BackwardCall& call, const Tensor& scale) {
    const Dims& sizes = call.input_sizes(0);
    const auto& attrs = call.attrs_as<ReductionAttrs>();
    const DimMask mask = reduction_mask("var", attrs.dims, sizes.count());
    const Tensor x = call.input(0);
    return mul(sub(x, mean(x, attrs.dims, true)), with_reduced_dims(scale, sizes, mask));
}

void backward_var(dispatch::BackwardCall& call) {
    const double freedom = degrees_of_freedom(call.input_sizes(0), call.attrs_as<ReductionAttrs>());
    call.set(0, scaled_deviation(call, mul(call.grad(), 2.0 / freedom)));
}

// Zero where the deviation is zero, as in PyTorch.
void backward_std(dispatch::BackwardCall& call) {
    const double freedom = degrees_of_freedom(call.input_sizes(0), call.attrs_as<ReductionAttrs>());
    const Tensor deviation = call.output(0);
    const Tensor scale = div(mul(call.grad(), 1.0 / freedom), deviation);
    call.set(0, scaled_deviation(call, where(eq(deviation, 0), zeros_like(deviation), scale)));
}

}  // namespace

constexpr dispatch::OpDef kVar{
    .name = "var",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_var,
    .select = select_var<vk::ReduceOp::kVar>,
    .window = window_of_reduction,
    .saved = {.inputs = 1},
    .backward = backward_var,
};
static_assert(well_formed(kVar));

constexpr dispatch::OpDef kStd{
    .name = "std",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_var,
    .select = select_var<vk::ReduceOp::kStd>,
    .window = window_of_reduction,
    .saved = {.inputs = 1, .outputs = 1},
    .backward = backward_std,
};
static_assert(well_formed(kStd));

}  // namespace pumice::ops

namespace pumice {

Tensor var(Tensor x, const Dims& dims, std::int64_t correction, bool keepdim) {
    Tensor inputs[] = {ops::collapsible("var", std::move(x), dims)};
    return dispatch::call(
        ops::kVar,
        inputs,
        ops::ReductionAttrs{.dims = dims, .correction = correction, .keepdim = keepdim});
}

Tensor std(Tensor x, const Dims& dims, std::int64_t correction, bool keepdim) {
    Tensor inputs[] = {ops::collapsible("std", std::move(x), dims)};
    return dispatch::call(
        ops::kStd,
        inputs,
        ops::ReductionAttrs{.dims = dims, .correction = correction, .keepdim = keepdim});
}

}  // namespace pumice
