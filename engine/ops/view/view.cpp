// SPDX-License-Identifier: Apache-2.0
// Views that keep the order of elements: view (reshape, flatten, view_as), squeeze, unsqueeze,
// alias.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/view/view_op.h"

#include <fmt/format.h>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::OutputMeta;

namespace {

struct SizesAttrs {
    Dims sizes;
};

struct DimAttrs {
    std::int64_t dim;
};

[[noreturn]] void throw_count(std::string_view op, const Dims& wanted, const Tensor& x) {
    throw ShapeError(op,
                     fmt::format("shape must have as many elements as x, {}; got {} for x {}",
                                 impl_of(x).numel,
                                 to_string(wanted),
                                 describe(x)));
}

// Replaces the one -1 of a wanted shape.
void resolve_sizes(std::string_view op, const Tensor& x, Dims& sizes) {
    const std::int64_t count = impl_of(x).numel;
    std::int64_t known = 1;
    std::int64_t open_dim = -1;
    bool overflows = false;
    for (std::int64_t i = 0; i < sizes.count(); ++i) {
        if (sizes[i] >= 0) {
            overflows = __builtin_mul_overflow(known, sizes[i], &known) || overflows;
        } else if (sizes[i] == -1 && open_dim < 0) {
            open_dim = i;
        } else {
            throw ShapeError(op,
                             fmt::format("extents must not be negative but for one -1; got {}",
                                         to_string(sizes)));
        }
    }
    if (overflows || (open_dim < 0 ? known != count : known == 0 || count % known != 0)) {
        throw_count(op, sizes, x);
    }
    if (open_dim >= 0) {
        sizes[open_dim] = count / known;
    }
}

// Sets the strides under which x's storage reads as `sizes`, if there are such: each run of x's
// dimensions that lie behind one another without a gap may be cut anew (as
// at::detail::computeStride). `strides` has as many values as `sizes`.
bool set_view_strides(const TensorImpl& x, const Dims& sizes, Dims& strides) noexcept {
    std::int64_t at = sizes.count() - 1;
    if (x.is_contiguous) {
        std::int64_t step = 1;
        for (; at >= 0; --at) {
            strides[at] = step;
            step *= sizes[at] > 1 ? sizes[at] : 1;
        }
        return true;
    }
    std::int64_t chunk_stride = x.strides.back();
    std::int64_t in_run = 1;
    std::int64_t in_view = 1;
    for (std::int64_t d = x.sizes.count() - 1; d >= 0; --d) {
        in_run *= x.sizes[d];
        const bool ends =
            d == 0 || (x.sizes[d - 1] != 1 && x.strides[d - 1] != in_run * chunk_stride);
        if (!ends) {
            continue;
        }
        while (at >= 0 && (in_view < in_run || sizes[at] == 1)) {
            strides[at] = in_view * chunk_stride;
            in_view *= sizes[at];
            --at;
        }
        if (in_view != in_run) {
            return false;
        }
        if (d > 0) {
            chunk_stride = x.strides[d - 1];
            in_run = 1;
            in_view = 1;
        }
    }
    return at < 0;
}

void infer_view(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const Dims& wanted = call.attrs_as<SizesAttrs>().sizes;
    OutputMeta& meta = inferred.emplace_back(OutputMeta{wanted, wanted, x.offset, x.dtype});
    resolve_sizes("view", call.inputs[0], meta.sizes);
    if (!set_view_strides(x, meta.sizes, meta.strides)) {
        throw ShapeError("view",
                         fmt::format("strides {} of x {} do not allow a view of shape {}; use "
                                     "reshape",
                                     to_string(x.strides),
                                     describe(call.inputs[0]),
                                     to_string(meta.sizes)));
    }
}

// Each of these keeps the elements and their order.
void reshape_gradient(BackwardCall& call) {
    call.set(0, reshape(call.grad(), call.input_sizes(0)));
}

void infer_squeeze(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const std::int64_t dim = wrap_dim("squeeze", call.attrs_as<DimAttrs>().dim, x.sizes.count());
    OutputMeta& meta = inferred.emplace_back(OutputMeta{x.sizes, x.strides, x.offset, x.dtype});
    if (dim < x.sizes.count() && x.sizes[dim] == 1) {
        meta.sizes.erase(dim);
        meta.strides.erase(dim);
    }
}

void infer_unsqueeze(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const std::int64_t dim =
        wrap_dim("unsqueeze", call.attrs_as<DimAttrs>().dim, x.sizes.count() + 1);
    const std::int64_t stride = dim < x.sizes.count() ? x.sizes[dim] * x.strides[dim] : 1;
    OutputMeta& meta = inferred.emplace_back(OutputMeta{x.sizes, x.strides, x.offset, x.dtype});
    meta.sizes.insert(dim, 1);
    meta.strides.insert(dim, stride);
}

void infer_alias(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    inferred.emplace_back(OutputMeta{x.sizes, x.strides, x.offset, x.dtype});
}

}  // namespace

constexpr OpDef kView = view_op("view", infer_view, reshape_gradient);
static_assert(well_formed(kView));

constexpr OpDef kSqueeze = view_op("squeeze", infer_squeeze, reshape_gradient);
static_assert(well_formed(kSqueeze));

constexpr OpDef kUnsqueeze = view_op("unsqueeze", infer_unsqueeze, reshape_gradient);
static_assert(well_formed(kUnsqueeze));

constexpr OpDef kAlias = view_op("alias", infer_alias, reshape_gradient);
static_assert(well_formed(kAlias));

}  // namespace pumice::ops

namespace pumice {

Tensor view(const Tensor& x, const Dims& sizes) {
    checked_impl(x, "view");
    return dispatch::call_view(ops::kView, x, ops::SizesAttrs{sizes});
}

Tensor reshape(const Tensor& x, const Dims& sizes) try {
    const TensorImpl& impl = checked_impl(x, "reshape");
    Dims resolved = sizes;
    ops::resolve_sizes("reshape", x, resolved);
    Dims strides = resolved;
    if (ops::set_view_strides(impl, resolved, strides)) {
        return view(x, resolved);
    }
    // Nobody else has the copy: the result is no view of it, which other rules would hold for.
    Tensor copied = view(contiguous(x), resolved);
    impl_of(copied).view.reset();
    return copied;

} catch (const Error&) {
    rethrow_under("reshape");
}

Tensor flatten(const Tensor& x, std::int64_t start_dim, std::int64_t end_dim) try {
    const Dims& sizes = checked_impl(x, "flatten").sizes;
    const std::int64_t start = wrap_dim("flatten", start_dim, sizes.count());
    const std::int64_t end = wrap_dim("flatten", end_dim, sizes.count());
    if (start > end) {
        throw ArgumentError("flatten",
                            fmt::format("start_dim must not come after end_dim; got start_dim {} "
                                        "and end_dim {} for x {}",
                                        start_dim,
                                        end_dim,
                                        describe(x)));
    }
    Dims flat;
    std::int64_t merged = 1;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        if (d < start || d > end) {
            flat.push_back(sizes[d]);
            continue;
        }
        merged *= sizes[d];
        if (d == end) {
            flat.push_back(merged);
        }
    }
    return sizes.empty() ? reshape(x, {1}) : reshape(x, flat);

} catch (const Error&) {
    rethrow_under("flatten");
}

Tensor view_as(const Tensor& x, const Tensor& other) try {
    return view(x, checked_impl(other, "view_as").sizes);

} catch (const Error&) {
    rethrow_under("view_as");
}

Tensor squeeze(const Tensor& x, std::int64_t dim) {
    checked_impl(x, "squeeze");
    return dispatch::call_view(ops::kSqueeze, x, ops::DimAttrs{dim});
}

Tensor unsqueeze(const Tensor& x, std::int64_t dim) try {
    checked_impl(x, "unsqueeze");
    return dispatch::call_view(ops::kUnsqueeze, x, ops::DimAttrs{dim});

} catch (const Error&) {
    rethrow_under("unsqueeze");
}

Tensor alias(const Tensor& x) {
    checked_impl(x, "alias");
    return dispatch::call_view(ops::kAlias, x);
}

}  // namespace pumice
