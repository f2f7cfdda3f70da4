// SPDX-License-Identifier: Apache-2.0
// logsumexp: log(sum(exp(x))), taken against the largest element.
#include "pumice/ops/elementwise.h"
#include "pumice/ops/factory.h"
#include "pumice/ops/reduce.h"

#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"

#include <limits>
#include <utility>

namespace pumice::ops {

namespace {

void infer_logsumexp(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    require_floating("logsumexp", call.inputs[0]);
    infer_reduction(call, impl_of(call.inputs[0]).dtype, inferred);
}

void select_logsumexp(const dispatch::OpCall& call,
                      std::span<const Tensor> outputs,
                      const vk::Capabilities& caps,
                      dispatch::Program& program) {
    const DimMask mask = reduction_mask(
        "logsumexp", call.attrs_as<ReductionAttrs>().dims, impl_of(call.inputs[0]).sizes.count());
    select_reduction(call, outputs, caps, program, {.mask = mask, .op = vk::ReduceOp::kLogSumExp});
}

// grad * exp(x - result); a result of -inf means that all of its x are, and their gradient is 0.
void backward_logsumexp(dispatch::BackwardCall& call) {
    const Dims& sizes = call.input_sizes(0);
    const DimMask mask =
        reduction_mask("logsumexp", call.attrs_as<ReductionAttrs>().dims, sizes.count());
    const Tensor result = call.output(0);
    const Tensor zero = zeros_like(result);
    const Tensor is_empty = eq(result, -std::numeric_limits<double>::infinity());
    const Tensor origin = with_reduced_dims(where(is_empty, zero, result), sizes, mask);
    call.set(0, mul(exp(sub(call.input(0), origin)), with_reduced_dims(call.grad(), sizes, mask)));
}

}  // namespace

constexpr dispatch::OpDef kLogSumExp{
    .name = "logsumexp",
    .inputs = {{{"x", dispatch::Grad::kFormula}}},
    .infer = infer_logsumexp,
    .select = select_logsumexp,
    .window = window_of_reduction,
    .saved = {.inputs = 1, .outputs = 1},
    .backward = backward_logsumexp,
};
static_assert(well_formed(kLogSumExp));

}  // namespace pumice::ops

namespace pumice {

Tensor logsumexp(Tensor x, const Dims& dims, bool keepdim) {
    Tensor inputs[] = {ops::collapsible("logsumexp", std::move(x), dims)};
    return dispatch::call(
        ops::kLogSumExp, inputs, ops::ReductionAttrs{.dims = dims, .keepdim = keepdim});
}

}  // namespace pumice
