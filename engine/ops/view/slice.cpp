// SPDX-License-Identifier: Apache-2.0
// Views of a part along one dimension: select, slice (narrow), split (chunk).
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "ops/all_ops.h"
#include "ops/view/strided_sum.h"
#include "ops/view/view_op.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Grad;
using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::OutputMeta;

namespace {

struct SelectAttrs {
    std::int64_t dim;
    std::int64_t index;
};

struct SliceAttrs {
    std::int64_t dim;
    std::int64_t start;
    std::int64_t end;
    std::int64_t step;
};

// As wrap_dim, but a zero-dimensional x has no dimension to take a part of.
std::int64_t part_dim(std::string_view op, std::int64_t dim, const Dims& sizes) {
    if (sizes.empty()) {
        throw ArgumentError(op, "x must have at least one dimension; got a zero-dimensional one");
    }
    return wrap_dim(op, dim, sizes.count());
}

void infer_select(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<SelectAttrs>();
    const std::int64_t dim = part_dim("select", attrs.dim, x.sizes);
    const std::int64_t extent = x.sizes[dim];
    if (attrs.index < -extent || attrs.index >= extent) {
        throw ArgumentError("select",
                            fmt::format("index must be in [{}, {}) for dim {}; got {} for x {}",
                                        -extent,
                                        extent,
                                        dim,
                                        attrs.index,
                                        describe(call.inputs[0])));
    }
    const std::int64_t index = attrs.index < 0 ? attrs.index + extent : attrs.index;
    OutputMeta& meta = inferred.emplace_back(
        OutputMeta{x.sizes, x.strides, x.offset + index * x.strides[dim], x.dtype});
    meta.sizes.erase(dim);
    meta.strides.erase(dim);
}

void backward_select(BackwardCall& call) {
    const auto& attrs = call.attrs_as<SelectAttrs>();
    const Dims& sizes = call.input_sizes(0);
    const std::int64_t dim = wrap_dim("select", attrs.dim, sizes.count());
    const std::int64_t index = attrs.index < 0 ? attrs.index + sizes[dim] : attrs.index;
    Dims strides = contiguous_strides(sizes);
    const std::int64_t offset = index * strides[dim];
    strides.erase(dim);
    call.set(0, strided_sum(call.grad(), sizes, strides, offset));
}

// Start and element count after Python's rules: negative counts from the end, the rest is clamped.
struct Part {
    std::int64_t start;
    std::int64_t count;
};

Part resolve_part(const SliceAttrs& attrs, std::int64_t extent) noexcept {
    const auto clamp = [extent](std::int64_t at) {
        return std::clamp(at < 0 ? at + extent : at, std::int64_t{0}, extent);
    };
    const std::int64_t start = clamp(attrs.start);
    const std::int64_t end = std::max(start, clamp(attrs.end));
    return {start, end == start ? 0 : (end - start - 1) / attrs.step + 1};
}

void infer_slice(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<SliceAttrs>();
    const std::int64_t dim = part_dim(call.def.where(), attrs.dim, x.sizes);
    if (attrs.step <= 0) {
        throw ArgumentError(call.def.where(),
                            fmt::format("step must be positive; got {}", attrs.step));
    }
    const Part part = resolve_part(attrs, x.sizes[dim]);
    OutputMeta& meta = inferred.emplace_back(
        OutputMeta{x.sizes, x.strides, x.offset + part.start * x.strides[dim], x.dtype});
    meta.sizes[dim] = part.count;
    meta.strides[dim] *= std::min(attrs.step, longest_step(x.sizes[dim]));
}

void backward_slice(BackwardCall& call) {
    const auto& attrs = call.attrs_as<SliceAttrs>();
    const Dims& sizes = call.input_sizes(0);
    const std::int64_t dim = wrap_dim("slice", attrs.dim, sizes.count());
    Dims strides = contiguous_strides(sizes);
    const std::int64_t offset = resolve_part(attrs, sizes[dim]).start * strides[dim];
    strides[dim] *= std::min(attrs.step, longest_step(sizes[dim]));
    call.set(0, strided_sum(call.grad(), sizes, strides, offset));
}

}  // namespace

constexpr OpDef kSelect = view_op("select", infer_select, backward_select);
static_assert(well_formed(kSelect));

constexpr OpDef kSlice = view_op("slice", infer_slice, backward_slice);
static_assert(well_formed(kSlice));

// A slice that is one of several made by one call, which autograd treats apart (G36).
constexpr OpDef kSplit{.name = "split",
                       .inputs = {{{"x", Grad::kFormula}}},
                       .is_view = true,
                       .is_multi_output_view = true,
                       .infer = infer_slice,
                       .backward = backward_slice};
static_assert(well_formed(kSplit));

}  // namespace pumice::ops

namespace pumice {

Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index) {
    checked_impl(x, "select");
    return dispatch::call_view(ops::kSelect, x, ops::SelectAttrs{dim, index});
}

Tensor slice(const Tensor& x,
             std::int64_t dim,
             std::int64_t start,
             std::optional<std::int64_t> end,
             std::int64_t step) {
    checked_impl(x, "slice");
    constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int64_t>::max();
    return dispatch::call_view(
        ops::kSlice, x, ops::SliceAttrs{dim, start, end.value_or(kToTheEnd), step});
}

Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length) try {
    const Dims& sizes = checked_impl(x, "narrow").sizes;
    const std::int64_t wrapped = ops::part_dim("narrow", dim, sizes);
    const std::int64_t extent = sizes[wrapped];
    const std::int64_t first = start < 0 ? start + extent : start;
    if (first < 0 || length < 0 || first > extent || length > extent - first) {
        throw ArgumentError("narrow",
                            fmt::format("start and length must lie within dim {} of extent {}; "
                                        "got start {} and length {} for x {}",
                                        wrapped,
                                        extent,
                                        start,
                                        length,
                                        describe(x)));
    }
    return dispatch::call_view(ops::kSlice, x, ops::SliceAttrs{wrapped, first, first + length, 1});

} catch (const Error&) {
    rethrow_under("narrow");
}

std::vector<Tensor> split(const Tensor& x, std::int64_t split_length, std::int64_t dim) {
    const Dims& sizes = checked_impl(x, "split").sizes;
    const std::int64_t wrapped = ops::part_dim("split", dim, sizes);
    const std::int64_t extent = sizes[wrapped];
    if (split_length < 0 || (split_length == 0 && extent != 0)) {
        throw ArgumentError(
            "split",
            fmt::format(
                "split_length must be positive; got {} for x {}", split_length, describe(x)));
    }
    std::vector<Tensor> parts;
    std::int64_t start = 0;
    do {
        const std::int64_t end = std::min(extent, start + split_length);
        parts.push_back(
            dispatch::call_view(ops::kSplit, x, ops::SliceAttrs{wrapped, start, end, 1}));
        start = end;
    } while (start < extent);
    return parts;
}

std::vector<Tensor> split_with_sizes(const Tensor& x,
                                     const std::vector<std::int64_t>& lengths,
                                     std::int64_t dim) try {
    const Dims& sizes = checked_impl(x, "split_with_sizes").sizes;
    const std::int64_t wrapped = ops::part_dim("split_with_sizes", dim, sizes);
    std::int64_t total = 0;
    bool has_negative = false;
    for (const std::int64_t length : lengths) {
        has_negative = has_negative || length < 0;
        total += length;
    }
    if (has_negative || total != sizes[wrapped]) {
        throw ArgumentError("split_with_sizes",
                            fmt::format("lengths must not be negative and sum to the extent {} of "
                                        "dim {}; got the sum {} for x {}",
                                        sizes[wrapped],
                                        wrapped,
                                        total,
                                        describe(x)));
    }
    std::vector<Tensor> parts;
    std::int64_t start = 0;
    for (const std::int64_t length : lengths) {
        parts.push_back(dispatch::call_view(
            ops::kSplit, x, ops::SliceAttrs{wrapped, start, start + length, 1}));
        start += length;
    }
    return parts;

} catch (const Error&) {
    rethrow_under("split_with_sizes");
}

std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, std::int64_t dim) try {
    const Dims& sizes = checked_impl(x, "chunk").sizes;
    const std::int64_t wrapped = ops::part_dim("chunk", dim, sizes);
    if (chunks <= 0) {
        throw ArgumentError("chunk", fmt::format("chunks must be positive; got {}", chunks));
    }
    const std::int64_t length = sizes[wrapped] == 0 ? 0 : (sizes[wrapped] - 1) / chunks + 1;
    if (length == 0) {  // PyTorch: as many empty parts as were asked for
        return split_with_sizes(
            x, std::vector<std::int64_t>(static_cast<std::size_t>(chunks), 0), wrapped);
    }
    return split(x, length, wrapped);

} catch (const Error&) {
    rethrow_under("chunk");
}

}  // namespace pumice
