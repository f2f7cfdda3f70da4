// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"
#include "geometry/fold.h"

#include <span>
#include <string_view>

namespace pumice::ops {

/// Attributes of the reductions over a list of dimensions.
struct ReductionAttrs {
    Dims dims;                    ///< as the user gave them; none stands for all
    std::int64_t correction = 0;  ///< var and std only
    bool keepdim = false;
};

/// WindowFn of reductions with ReductionAttrs: parts are cut along dimensions that are kept.
std::int64_t window_of_reduction(const dispatch::OpCall& call,
                                 std::size_t input,
                                 std::int64_t output_rank,
                                 std::int64_t dim) noexcept;

/// @throws ArgumentError for a dimension outside the range or given twice
DimMask reduction_mask(std::string_view op, const Dims& dims, std::int64_t rank);

/// The result's extents: reduced dimensions are left out, or 1 with `keepdim`.
Dims reduced_sizes(const Dims& sizes, DimMask mask, bool keepdim);

/// Elements that make one of the result's.
std::int64_t reduced_numel(const Dims& sizes, DimMask mask) noexcept;

/// @throws DTypeError unless x is floating
void require_floating(std::string_view op, const Tensor& x);

/// The rule of reductions that keep the dtype, with `ReductionAttrs`.
/// @throws ArgumentError
void infer_reduction(const dispatch::OpCall& call, DType dtype, dispatch::Inferred& inferred);

/// What is folded, and how.
struct ReductionKind {
    DimMask mask = 0;
    vk::ReduceOp op{};
    float divisor = 1.0F;
};

/// Appends the fold of inputs[0] to outputs[0].
void select_reduction(const dispatch::OpCall& call,
                      std::span<const Tensor> outputs,
                      const vk::Capabilities& caps,
                      dispatch::Program& program,
                      const ReductionKind& kind);

/// SelectFn of the reductions that fold with ReductionAttrs and nothing else.
template <vk::ReduceOp kOp>
void select_reduction_by(const dispatch::OpCall& call,
                         std::span<const Tensor> outputs,
                         const vk::Capabilities& caps,
                         dispatch::Program& program) {
    const DimMask mask = reduction_mask(call.def.where(),
                                        call.attrs_as<ReductionAttrs>().dims,
                                        impl_of(call.inputs[0]).sizes.count());
    select_reduction(call, outputs, caps, program, {.mask = mask, .op = kOp});
}

/// x, or a contiguous copy when its dimensions do not collapse far enough for the kernel.
Tensor collapsible(std::string_view op, Tensor x, const Dims& dims);

/// The gradient of a reduction as a view of the input's rank: reduced dimensions put back with
/// extent 1.
Tensor with_reduced_dims(const Tensor& reduced, const Dims& input_sizes, DimMask mask);

}  // namespace pumice::ops
