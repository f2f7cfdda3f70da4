// SPDX-License-Identifier: Apache-2.0
// any, all: values other than zero count as true, NaN too.
#include "pumice/ops/reduce.h"

#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"

#include <utility>

namespace pumice::ops {

namespace {

void infer_truth(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    checked_impl(call.inputs[0], call.def.where());
    infer_reduction(call, kBool, inferred);
}

}  // namespace

constexpr dispatch::OpDef kAny{
    .name = "any",
    .inputs = {{{"x", dispatch::Grad::kNever}}},
    .infer = infer_truth,
    .select = select_reduction_by<vk::ReduceOp::kAny>,
    .window = window_of_reduction,
};
static_assert(well_formed(kAny));

constexpr dispatch::OpDef kAll{
    .name = "all",
    .inputs = {{{"x", dispatch::Grad::kNever}}},
    .infer = infer_truth,
    .select = select_reduction_by<vk::ReduceOp::kAll>,
    .window = window_of_reduction,
};
static_assert(well_formed(kAll));

}  // namespace pumice::ops

namespace pumice {

Tensor any(Tensor x, const Dims& dims, bool keepdim) {
    Tensor inputs[] = {ops::collapsible("any", std::move(x), dims)};
    return dispatch::call(ops::kAny, inputs, ops::ReductionAttrs{.dims = dims, .keepdim = keepdim});
}

Tensor all(Tensor x, const Dims& dims, bool keepdim) {
    Tensor inputs[] = {ops::collapsible("all", std::move(x), dims)};
    return dispatch::call(ops::kAll, inputs, ops::ReductionAttrs{.dims = dims, .keepdim = keepdim});
}

}  // namespace pumice
