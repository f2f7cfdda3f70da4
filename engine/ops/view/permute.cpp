// SPDX-License-Identifier: Apache-2.0
// Views that reorder dimensions: permute, transpose (t).
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/view/view_op.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::OutputMeta;

namespace {

struct PermuteAttrs {
    Dims dims;
};

struct TransposeAttrs {
    std::int64_t dim0;
    std::int64_t dim1;
};

void infer_permute(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const Dims& dims = call.attrs_as<PermuteAttrs>().dims;
    const std::int64_t count = x.sizes.count();
    std::uint32_t seen = 0;
    OutputMeta& meta = inferred.emplace_back(OutputMeta{{}, {}, x.offset, x.dtype});
    for (const std::int64_t wanted : dims) {
        const std::int64_t dim = wrap_dim("permute", wanted, count);
        if (dim >= count || (seen >> dim & 1U) != 0) {
            break;
        }
        seen |= 1U << dim;
        meta.sizes.push_back(x.sizes[dim]);
        meta.strides.push_back(x.strides[dim]);
    }
    if (dims.count() != count || meta.sizes.count() != count) {
        throw ArgumentError("permute",
                            fmt::format("dims must name each dimension once; got {} for x {}",
                                        to_string(dims),
                                        describe(call.inputs[0])));
    }
}

void backward_permute(BackwardCall& call) {
    const Dims& dims = call.attrs_as<PermuteAttrs>().dims;
    Dims inverse = dims;
    for (std::int64_t i = 0; i < dims.count(); ++i) {
        inverse[wrap_dim("permute", dims[i], dims.count())] = i;
    }
    call.set(0, permute(call.grad(), inverse));
}

void infer_transpose(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<TransposeAttrs>();
    const std::int64_t dim0 = wrap_dim("transpose", attrs.dim0, x.sizes.count());
    const std::int64_t dim1 = wrap_dim("transpose", attrs.dim1, x.sizes.count());
    OutputMeta& meta = inferred.emplace_back(OutputMeta{x.sizes, x.strides, x.offset, x.dtype});
    if (!x.sizes.empty()) {
        std::swap(meta.sizes[dim0], meta.sizes[dim1]);
        std::swap(meta.strides[dim0], meta.strides[dim1]);
    }
}

void backward_transpose(BackwardCall& call) {
    const auto& attrs = call.attrs_as<TransposeAttrs>();
    call.set(0, transpose(call.grad(), attrs.dim0, attrs.dim1));
}

}  // namespace

constexpr OpDef kPermute = view_op("permute", infer_permute, backward_permute);
static_assert(well_formed(kPermute));

constexpr OpDef kTranspose = view_op("transpose", infer_transpose, backward_transpose);
static_assert(well_formed(kTranspose));

}  // namespace pumice::ops

namespace pumice {

Tensor permute(const Tensor& x, const Dims& dims) {
    checked_impl(x, "permute");
    return dispatch::call_view(ops::kPermute, x, ops::PermuteAttrs{dims});
}

Tensor transpose(const Tensor& x, std::int64_t dim0, std::int64_t dim1) {
    checked_impl(x, "transpose");
    return dispatch::call_view(ops::kTranspose, x, ops::TransposeAttrs{dim0, dim1});
}

Tensor t(const Tensor& x) try {
    const std::int64_t count = checked_impl(x, "t").sizes.count();
    if (count > 2) {
        throw ShapeError("t",
                         fmt::format("x must have at most two dimensions; got {}", describe(x)));
    }
    return transpose(x, 0, count == 2 ? 1 : 0);

} catch (const Error&) {
    rethrow_under("t");
}

}  // namespace pumice
