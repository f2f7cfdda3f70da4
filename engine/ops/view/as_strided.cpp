// SPDX-License-Identifier: Apache-2.0
// Views of any geometry: as_strided, unfold.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/factory/factory.h"
#include "ops/view/strided_sum.h"
#include "ops/view/view_op.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::OutputMeta;

namespace {

struct AsStridedAttrs {
    Dims sizes;
    Dims strides;
    std::int64_t offset = 0;
    // x's own place in the storage, which its gradient needs; 0 strides for extents of 1.
    std::int64_t input_offset = 0;
    std::array<std::uint32_t, kMaxDims> input_strides{};
};

struct UnfoldAttrs {
    std::int64_t dim;
    std::int64_t length;
    std::int64_t step;
};

std::int64_t storage_elements(const TensorImpl& x) noexcept {
    return x.storage ? static_cast<std::int64_t>(x.storage->size_bytes()) / itemsize(x.dtype)
                     : x.offset + hull_elements(x.sizes, x.strides);
}

// As offset + hull_elements, for extents and strides that nobody has checked: nothing where the
// sum is past int64.
std::optional<std::int64_t> checked_reach(const AsStridedAttrs& attrs) noexcept {
    std::int64_t reach = attrs.offset;
    bool overflows = false;
    for (std::int64_t d = 0; d < attrs.sizes.count(); ++d) {
        if (attrs.sizes[d] == 0) {
            return 0;  // wherever it is said to lie
        }
        std::int64_t length = 0;
        overflows = __builtin_mul_overflow(attrs.sizes[d] - 1, attrs.strides[d], &length) ||
                    __builtin_add_overflow(reach, length, &reach) || overflows;
    }
    overflows = overflows || __builtin_add_overflow(reach, 1, &reach);
    return overflows ? std::nullopt : std::optional(reach);
}

void infer_as_strided(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<AsStridedAttrs>();
    const auto is_negative = [](std::int64_t value) { return value < 0; };
    if (attrs.sizes.count() != attrs.strides.count() || attrs.offset < 0 ||
        std::any_of(attrs.sizes.begin(), attrs.sizes.end(), is_negative) ||
        std::any_of(attrs.strides.begin(), attrs.strides.end(), is_negative)) {
        throw ArgumentError("as_strided",
                            fmt::format("sizes, strides and offset must not be negative, and as "
                                        "many strides as sizes; got {}",
                                        listed({{"sizes", to_string(attrs.sizes)},
                                                {"strides", to_string(attrs.strides)},
                                                {"offset", std::to_string(attrs.offset)}})));
    }
    const std::optional<std::int64_t> reach = checked_reach(attrs);
    if (!reach || *reach > storage_elements(x)) {
        throw ShapeError("as_strided",
                         fmt::format("sizes {}, strides {} and offset {} reach element {} of a "
                                     "storage of {}",
                                     to_string(attrs.sizes),
                                     to_string(attrs.strides),
                                     attrs.offset,
                                     reach ? std::to_string(*reach - 1) : "2^63 or later",
                                     storage_elements(x)));
    }
    check_view_sizes("as_strided", attrs.sizes);
    inferred.emplace_back(OutputMeta{attrs.sizes, attrs.strides, attrs.offset, x.dtype});
}

// The gradient is summed in the part of the storage that x and the view span, then read as x is.
// Where x itself names an element more than once, each name gets its share (as in PyTorch).
void backward_as_strided(BackwardCall& call) {
    const auto& attrs = call.attrs_as<AsStridedAttrs>();
    const Dims& sizes = call.input_sizes(0);
    if (numel(sizes) == 0) {
        call.set(0, zeros(sizes, call.input_dtype(0)));
        return;
    }
    Dims strides;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        strides.push_back(attrs.input_strides[static_cast<std::size_t>(d)]);
    }
    const std::int64_t first = std::min(attrs.offset, attrs.input_offset);
    const std::int64_t end = std::max(attrs.offset + hull_elements(attrs.sizes, attrs.strides),
                                      attrs.input_offset + hull_elements(sizes, strides));
    const Dims span{end - first};
    Tensor sums = strided_sum(call.grad(), span, attrs.strides, attrs.offset - first);
    if (may_overlap(sizes, strides)) {
        const Tensor names = strided_sum(
            ones(sizes, call.input_dtype(0)), span, strides, attrs.input_offset - first);
        sums = div(sums, names);
    }
    call.set(0, as_strided(sums, sizes, strides, attrs.input_offset - first));
}

void infer_unfold(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<UnfoldAttrs>();
    if (x.sizes.empty()) {
        throw ArgumentError("unfold", "x must have at least one dimension");
    }
    const std::int64_t dim = wrap_dim("unfold", attrs.dim, x.sizes.count());
    if (attrs.length < 0 || attrs.length > x.sizes[dim] || attrs.step <= 0) {
        throw ArgumentError("unfold",
                            fmt::format("length must be in [0, {}] and step positive; got length "
                                        "{} and step {} for dim {} of x {}",
                                        x.sizes[dim],
                                        attrs.length,
                                        attrs.step,
                                        dim,
                                        describe(call.inputs[0])));
    }
    OutputMeta& meta = inferred.emplace_back(OutputMeta{x.sizes, x.strides, x.offset, x.dtype});
    meta.sizes[dim] = (x.sizes[dim] - attrs.length) / attrs.step + 1;
    meta.strides[dim] *= std::min(attrs.step, longest_step(x.sizes[dim]));
    meta.sizes.push_back(attrs.length);
    meta.strides.push_back(x.strides[dim]);
    check_view_sizes("unfold", meta.sizes);
}

void backward_unfold(BackwardCall& call) {
    const auto& attrs = call.attrs_as<UnfoldAttrs>();
    const Dims& sizes = call.input_sizes(0);
    const std::int64_t dim = wrap_dim("unfold", attrs.dim, sizes.count());
    Dims strides = contiguous_strides(sizes);
    strides.push_back(strides[dim]);
    strides[dim] *= std::min(attrs.step, longest_step(sizes[dim]));
    call.set(0, strided_sum(call.grad(), sizes, strides, 0));
}

}  // namespace

constexpr OpDef kAsStrided = view_op("as_strided", infer_as_strided, backward_as_strided);
static_assert(well_formed(kAsStrided));

constexpr OpDef kUnfold = view_op("unfold", infer_unfold, backward_unfold);
static_assert(well_formed(kUnfold));

}  // namespace pumice::ops

namespace pumice {

Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides, std::int64_t offset) {
    const TensorImpl& impl = checked_impl(x, "as_strided");
    ops::AsStridedAttrs attrs{.sizes = sizes,
                              .strides = strides,
                              .offset = offset,
                              .input_offset = impl.offset,
                              .input_strides = {}};
    for (std::int64_t d = 0; d < impl.sizes.count(); ++d) {
        attrs.input_strides[static_cast<std::size_t>(d)] =
            impl.sizes[d] == 1 ? 0 : static_cast<std::uint32_t>(impl.strides[d]);
    }
    return dispatch::call_view(ops::kAsStrided, x, attrs);
}

Tensor unfold(const Tensor& x, std::int64_t dim, std::int64_t length, std::int64_t step) try {
    checked_impl(x, "unfold");
    return dispatch::call_view(ops::kUnfold, x, ops::UnfoldAttrs{dim, length, step});

} catch (const Error&) {
    rethrow_under("unfold");
}

}  // namespace pumice
