// SPDX-License-Identifier: Apache-2.0
// argmax, argmin: the first of equal elements wins; NaN wins over all numbers.
#include "pumice/error.h"
#include "pumice/ops/reduce.h"

#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/reduce/reduction.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

namespace pumice::ops {

namespace {

void infer_arg(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = checked_impl(call.inputs[0], call.def.where());
    if (x.dtype == kBool) {
        throw DTypeError(
            call.def.where(),
            fmt::format("x must have a numeric dtype; got x {}", describe(call.inputs[0])));
    }
    infer_reduction(call, kInt32, inferred);
    const DimMask mask =
        reduction_mask(call.def.where(), call.attrs_as<ReductionAttrs>().dims, x.sizes.count());
    if (reduced_numel(x.sizes, mask) == 0) {
        throw ShapeError(call.def.where(),
                         fmt::format("each reduced dim must have an extent above 0; got x {}",
                                     describe(call.inputs[0])));
    }
}

}  // namespace

constexpr dispatch::OpDef kArgMax{
    .name = "argmax",
    .inputs = {{{"x", dispatch::Grad::kNever}}},
    .infer = infer_arg,
    .select = select_reduction_by<vk::ReduceOp::kArgMax>,
    .window = window_of_reduction,
};
static_assert(well_formed(kArgMax));

constexpr dispatch::OpDef kArgMin{
    .name = "argmin",
    .inputs = {{{"x", dispatch::Grad::kNever}}},
    .infer = infer_arg,
    .select = select_reduction_by<vk::ReduceOp::kArgMin>,
    .window = window_of_reduction,
};
static_assert(well_formed(kArgMin));

namespace {

Tensor arg_reduce(const dispatch::OpDef& def,
                  Tensor x,
                  std::optional<std::int64_t> dim,
                  bool keepdim) {
    const Dims dims = dim ? Dims{*dim} : Dims{};
    Tensor inputs[] = {collapsible(def.where(), std::move(x), dims)};
    return dispatch::call(def, inputs, ReductionAttrs{.dims = dims, .keepdim = keepdim});
}

}  // namespace

}  // namespace pumice::ops

namespace pumice {

Tensor argmax(Tensor x, std::optional<std::int64_t> dim, bool keepdim) {
    return ops::arg_reduce(ops::kArgMax, std::move(x), dim, keepdim);
}

Tensor argmin(Tensor x, std::optional<std::int64_t> dim, bool keepdim) {
    return ops::arg_reduce(ops::kArgMin, std::move(x), dim, keepdim);
}

}  // namespace pumice
