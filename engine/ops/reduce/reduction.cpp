// SPDX-License-Identifier: Apache-2.0
// What sum, mean, var and their kin have in common: dims, shapes and dtypes.
#include "ops/reduce/reduction.h"

#include "pumice/error.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/view.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "vk/device.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::ops {

DimMask reduction_mask(std::string_view op, const Dims& dims, std::int64_t rank) {
    if (dims.empty()) {
        return (1U << rank) - 1U;
    }
    DimMask mask = 0;
    for (const std::int64_t dim : dims) {
        const DimMask bit = 1U << wrap_dim(op, dim, rank);
        if ((mask & bit) != 0) {
            throw ArgumentError(
                op, fmt::format("each dim may appear once in dims; got {}", to_string(dims)));
        }
        mask |= bit;
    }
    return mask;
}

Dims reduced_sizes(const Dims& sizes, DimMask mask, bool keepdim) {
    Dims out;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        if ((mask >> d & 1U) == 0) {
            out.push_back(sizes[d]);
        } else if (keepdim) {
            out.push_back(1);
        }
    }
    return out;
}

std::int64_t window_of_reduction(const dispatch::OpCall& call,
                                 std::size_t /*input*/,
                                 std::int64_t /*output_rank*/,
                                 std::int64_t dim) noexcept {
    const auto& attrs = call.attrs_as<ReductionAttrs>();
    const std::int64_t rank = impl_of(call.inputs[0]).sizes.count();
    DimMask mask = attrs.dims.empty() ? (1U << rank) - 1U : 0U;
    for (const std::int64_t each : attrs.dims) {
        mask |= 1U << (each < 0 ? each + rank : each);
    }
    std::int64_t kept = -1;
    for (std::int64_t own = 0; own < rank; ++own) {
        const bool is_reduced = (mask >> own & 1U) != 0;
        kept += !is_reduced || attrs.keepdim ? 1 : 0;
        if (!is_reduced && kept == dim) {
            return own;
        }
    }
    return dispatch::kUncut;
}

std::int64_t reduced_numel(const Dims& sizes, DimMask mask) noexcept {
    std::int64_t count = 1;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        count *= (mask >> d & 1U) != 0 ? sizes[d] : 1;
    }
    return count;
}

void require_floating(std::string_view op, const Tensor& x) {
    const TensorImpl& impl = checked_impl(x, op);
    if (!is_floating_point(impl.dtype)) {
        throw DTypeError(op, fmt::format("x must have a floating dtype; got x {}", describe(x)));
    }
}

void infer_reduction(const dispatch::OpCall& call, DType dtype, dispatch::Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<ReductionAttrs>();
    const DimMask mask = reduction_mask(call.def.where(), attrs.dims, x.sizes.count());
    inferred.push_back(
        dispatch::contiguous_meta(reduced_sizes(x.sizes, mask, attrs.keepdim), dtype));
}

void select_reduction(const dispatch::OpCall& call,
                      std::span<const Tensor> outputs,
                      const vk::Capabilities& caps,
                      dispatch::Program& program,
                      const ReductionKind& kind) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    append_fold(program,
                {.op = kind.op,
                 .parted = part_dims(x.sizes, x.strides, kind.mask),
                 .x_dtype = x.dtype,
                 .result_dtype = impl_of(outputs[0]).dtype,
                 .x = dispatch::input(0),
                 .result = dispatch::output(0),
                 .x_offset = dispatch::bound_offset(call.inputs[0], caps),
                 .divisor = kind.divisor},
                caps);
}

Tensor collapsible(std::string_view op, Tensor x, const Dims& dims) {
    const TensorImpl& impl = checked_impl(x, op);
    if (impl.is_contiguous) {
        return x;
    }
    const bool is_large = dispatch::exceeds_range(impl, vk::device().capabilities());
    if (impl.sizes.count() <= 4 && !is_large) {
        return x;
    }
    const DimMask mask = reduction_mask(op, dims, impl.sizes.count());
    const bool is_plain =
        can_part_dims(impl.sizes, impl.strides, mask) &&
        (!is_large || can_window_parts(part_dims(impl.sizes, impl.strides, mask)));
    return is_plain ? std::move(x) : contiguous(std::move(x));
}

Tensor with_reduced_dims(const Tensor& reduced, const Dims& input_sizes, DimMask mask) {
    return view(reduced, reduced_sizes(input_sizes, mask, true));
}

}  // namespace pumice::ops
