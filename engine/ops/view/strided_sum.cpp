// SPDX-License-Identifier: Apache-2.0
// The transpose of strided views, for their gradients; pad is the same movement with a value
// around it.
#include "ops/view/strided_sum.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/iterations.h"
#include "dispatch/windows.h"
#include "geometry/walk.h"
#include "geometry/words.h"
#include "ops/all_ops.h"
#include "ops/factory/factory.h"
#include "tensor/scalar_bits.h"
#include "vk/device.h"
#include "vk/kernels/index_strided_sum.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Grad;
using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::Program;
using dispatch::Step;

namespace {

struct StridedSumAttrs {
    Dims sizes;
    Dims strides;
    std::int64_t offset = 0;
};

struct PadAttrs {
    std::array<std::int64_t, kMaxDims> before;
    std::array<std::int64_t, kMaxDims> after;
    std::uint32_t fill_bits;
};

void infer_strided_sum(const OpCall& call, Inferred& inferred) {
    const TensorImpl& parts = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<StridedSumAttrs>();
    const std::int64_t reach = attrs.offset + hull_elements(parts.sizes, attrs.strides);
    if (parts.numel != 0 && (attrs.offset < 0 || reach > numel(attrs.sizes))) {
        throw ShapeError("strided_sum",
                         fmt::format("positions must lie within shape {}; got {} elements from "
                                     "offset {}",
                                     to_string(attrs.sizes),
                                     reach - attrs.offset,
                                     attrs.offset));
    }
    inferred.emplace_back(dispatch::contiguous_meta(attrs.sizes, parts.dtype));
}

// Dimensions of more than one element, by falling stride in the output.
void sort_by_stride(const Dims& sizes,
                    const Dims& strides,
                    const Dims& part_strides,
                    Dims& sorted_sizes,
                    std::array<Dims, 2>& sorted_strides) {
    std::array<std::int64_t, kMaxDims> order{};
    std::int64_t count = 0;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        if (sizes[d] != 1) {
            order[static_cast<std::size_t>(count++)] = d;
        }
    }
    std::stable_sort(order.begin(), order.begin() + count, [&](std::int64_t a, std::int64_t b) {
        return strides[a] > strides[b];
    });
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t d = order[static_cast<std::size_t>(i)];
        sorted_sizes.push_back(sizes[d]);
        sorted_strides[0].push_back(strides[d]);
        sorted_strides[1].push_back(part_strides[d]);
    }
}

// Whether two indices may give one position. Sorted dimensions do not overlap if each stride is
// longer than all that lies below it.
bool overlaps(const Walk<2>& walk) noexcept {
    std::uint64_t reach = 0;
    for (std::uint32_t d = walk.rank; d-- > 0;) {
        if (walk.strides[0][d] <= reach) {
            return true;
        }
        reach += static_cast<std::uint64_t>(walk.sizes[d] - 1) * walk.strides[0][d];
    }
    return false;
}

// Beginnings of index tuples that the kernel tries at most for one position: of a dimension, only
// the indices that those below it can complete.
std::uint64_t candidates_of(const Walk<2>& walk) noexcept {
    constexpr std::uint64_t kMost = 1U << 31U;  // far past what any kernel may try
    std::uint64_t below = 0;
    for (std::uint32_t d = 0; d < walk.rank; ++d) {
        below += static_cast<std::uint64_t>(walk.sizes[d] - 1) * walk.strides[0][d];
    }
    std::uint64_t tuples = 1;
    std::uint64_t candidates = 0;
    for (std::uint32_t d = 0; d < walk.rank && tuples < kMost; ++d) {
        const std::uint64_t size = walk.sizes[d];
        const std::uint64_t stride = walk.strides[0][d];
        below -= (size - 1) * stride;
        tuples *= stride == 0 ? size : std::min(size, below / stride + 1);
        candidates += tuples;
    }
    return std::min(candidates, kMost);
}

// Whether the kernel may search for the parts of a position, all in one invocation.
bool may_search(const Walk<2>& walk, DType dtype) noexcept {
    const double passes = 4.0 + walk.rank + 2.0 * static_cast<double>(candidates_of(walk));
    return !overlaps(walk) || 1 + elements_per_word(dtype) * passes <= vk::kMostIterations;
}

// Where the parts lie in the output, and what the rest of it holds.
struct Placement {
    const Dims& strides;
    std::int64_t offset;
    std::uint32_t fill_bits;
};

void add_step(const Tensor& parts,
              const Tensor& output,
              const Placement& placement,
              const vk::Capabilities& caps,
              Program& program) {
    const TensorImpl& from = impl_of(parts);
    const std::int64_t element_count = impl_of(output).numel;
    Dims sizes;
    std::array<Dims, 2> both;
    sort_by_stride(from.sizes, placement.strides, from.strides, sizes, both);
    const Walk<2> walk = merge_dims<2>(sizes, both);
    Step& step = program.steps.emplace_back();
    const std::uint32_t local_size = launch_flat(step, word_count(element_count, from.dtype), caps);
    step.bindings.push_back(dispatch::input(0));
    step.bindings.push_back(dispatch::output());
    step.set(
        vk::IndexStridedSumSpec{
            .local_size = local_size, .dtype = from.dtype, .overlaps = overlaps(walk)},
        {.sizes = walk.sizes,
         .strides = walk.strides[0],
         .part_strides = walk.strides[1],
         .rank = walk.rank,
         // No part at all: nothing is reached.
         .offset = static_cast<std::uint32_t>(from.numel == 0 ? element_count : placement.offset),
         .element_count = static_cast<std::uint32_t>(element_count),
         .part_offset = dispatch::bound_offset(parts, caps),
         .fill_bits = placement.fill_bits,
         .candidates = static_cast<std::uint32_t>(candidates_of(walk))});
    step.work = static_cast<std::uint64_t>(element_count) * walk.rank * 4;
}

void select_strided_sum(const OpCall& call,
                        std::span<const Tensor> outputs,
                        const vk::Capabilities& caps,
                        Program& program) {
    const auto& attrs = call.attrs_as<StridedSumAttrs>();
    add_step(call.inputs[0], outputs[0], {attrs.strides, attrs.offset, 0}, caps, program);
}

void backward_strided_sum(BackwardCall& call) {
    const auto& attrs = call.attrs_as<StridedSumAttrs>();
    const Tensor grad = contiguous(call.grad());
    call.set(
        0,
        as_strided(grad, call.input_sizes(0), attrs.strides, grad.storage_offset() + attrs.offset));
}

void infer_pad(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<PadAttrs>();
    Dims sizes = x.sizes;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        const auto at = static_cast<std::size_t>(d);
        sizes[d] += attrs.before[at] + attrs.after[at];
    }
    inferred.emplace_back(dispatch::contiguous_meta(sizes, x.dtype));
}

// Where the first element of x lies.
std::int64_t pad_offset(const PadAttrs& attrs, const Dims& strides) noexcept {
    std::int64_t offset = 0;
    for (std::int64_t d = 0; d < strides.count(); ++d) {
        offset += attrs.before[static_cast<std::size_t>(d)] * strides[d];
    }
    return offset;
}

void select_pad(const OpCall& call,
                std::span<const Tensor> outputs,
                const vk::Capabilities& caps,
                Program& program) {
    const auto& attrs = call.attrs_as<PadAttrs>();
    const Dims& strides = impl_of(outputs[0]).strides;
    const std::int64_t offset = pad_offset(attrs, strides);
    add_step(call.inputs[0], outputs[0], {strides, offset, attrs.fill_bits}, caps, program);
}

void backward_pad(BackwardCall& call) {
    const auto& attrs = call.attrs_as<PadAttrs>();
    const Dims& sizes = call.input_sizes(0);
    Tensor inner = call.grad();
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        if (inner.size(d) != sizes[d]) {
            inner = narrow(inner, d, attrs.before[static_cast<std::size_t>(d)], sizes[d]);
        }
    }
    call.set(0, inner);
}

}  // namespace

constexpr OpDef kStridedSum{.name = "strided_sum",
                            .inputs = {{{"parts", Grad::kFormula}}},
                            .infer = infer_strided_sum,
                            .select = select_strided_sum,
                            .backward = backward_strided_sum};
static_assert(well_formed(kStridedSum));

constexpr OpDef kPad{.name = "pad",
                     .inputs = {{{"x", Grad::kFormula}}},
                     .infer = infer_pad,
                     .select = select_pad,
                     .backward = backward_pad};
static_assert(well_formed(kPad));

namespace {

Walk<2> walk_of(const Dims& sizes, const Dims& strides) {
    Dims sorted_sizes;
    std::array<Dims, 2> sorted;
    sort_by_stride(sizes, strides, strides, sorted_sizes, sorted);
    return merge_dims<2>(sorted_sizes, sorted);
}

}  // namespace

bool may_overlap(const Dims& sizes, const Dims& strides) {
    return numel(sizes) != 0 && overlaps(walk_of(sizes, strides));
}

namespace {

bool exceeds_range(const Tensor& parts, const Dims& sizes) {
    const TensorImpl& from = impl_of(parts);
    const vk::Capabilities& caps = vk::device().capabilities();
    return dispatch::exceeds_range(from, caps) ||
           numel(sizes) > dispatch::bindable_elements(from.dtype, caps);
}

// What no kernel can bind is copied to its place in `around`, which copy_ cuts as it needs.
Tensor placed(Tensor around, const Tensor& parts, const Dims& strides, std::int64_t offset) {
    Tensor place = as_strided(around, impl_of(parts).sizes, strides, offset);
    copy_(place, parts);
    return around;
}

Tensor pad_by(Tensor x, const PadAttrs& attrs, const Scalar& value) {
    const TensorImpl& impl = impl_of(x);
    Dims sizes = impl.sizes;
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        const auto at = static_cast<std::size_t>(d);
        sizes[d] += attrs.before[at] + attrs.after[at];
    }
    check_new_sizes("pad", sizes);
    if (exceeds_range(x, sizes)) [[unlikely]] {
        const Dims strides = contiguous_strides(sizes);
        return placed(full(sizes, value, impl.dtype), x, strides, pad_offset(attrs, strides));
    }
    std::array<Tensor, 1> inputs{std::move(x)};
    return dispatch::call(kPad, inputs, attrs);
}

}  // namespace

namespace {

// The dimension that leaves the least to search for when it is halved.
std::int64_t dim_to_halve(const Dims& sizes, const Dims& strides) {
    std::int64_t best = 0;
    std::uint64_t least = ~std::uint64_t{0};
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        Dims half = sizes;
        half[d] = (sizes[d] + 1) / 2;
        const std::uint64_t candidates = candidates_of(walk_of(half, strides));
        if (sizes[d] > 1 && candidates < least) {
            best = d;
            least = candidates;
        }
    }
    return best;
}

// Where one position has more parts than an invocation may add: two sums, in float32 at least.
Tensor sum_of_halves(const Tensor& parts,
                     const Dims& sizes,
                     const Dims& strides,
                     std::int64_t offset) {
    const DType dtype = parts.dtype();
    if (is_floating_point(dtype) && dtype != kFloat32) {
        return sum_of_halves(parts.to(kFloat32), sizes, strides, offset).to(dtype);
    }
    const std::int64_t dim = dim_to_halve(impl_of(parts).sizes, strides);
    const std::int64_t count = parts.size(dim);
    const std::int64_t half = (count + 1) / 2;
    const Tensor first = strided_sum(narrow(parts, dim, 0, half), sizes, strides, offset);
    const Tensor second = strided_sum(
        narrow(parts, dim, half, count - half), sizes, strides, offset + half * strides[dim]);
    return add(first, second);
}

}  // namespace

Tensor strided_sum(Tensor parts, const Dims& sizes, const Dims& strides, std::int64_t offset) {
    const TensorImpl& impl = checked_impl(parts, "strided_sum");
    if (exceeds_range(parts, sizes) && !may_overlap(impl.sizes, strides)) [[unlikely]] {
        return placed(zeros(sizes, impl.dtype), parts, strides, offset);
    }
    if (numel(impl.sizes) != 0 && !may_search(walk_of(impl.sizes, strides), impl.dtype))
        [[unlikely]] {
        return sum_of_halves(parts, sizes, strides, offset);
    }
    std::array<Tensor, 1> inputs{std::move(parts)};
    return dispatch::call(kStridedSum, inputs, StridedSumAttrs{sizes, strides, offset});
}

Tensor pad_to(Tensor x, const Dims& sizes, const Scalar& value) {
    const TensorImpl& impl = checked_impl(x, "pad");
    PadAttrs attrs{.before = {}, .after = {}, .fill_bits = scalar_bits("pad", value, impl.dtype)};
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        attrs.after[static_cast<std::size_t>(d)] = sizes[d] - impl.sizes[d];
    }
    return pad_by(std::move(x), attrs, value);
}

}  // namespace pumice::ops

namespace pumice {

namespace {

// Extents that no result can have are refused before sums of them overflow.
void check_extents(std::int64_t before, std::int64_t after, std::int64_t dim, const Tensor& x) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    const auto is_huge = [](std::int64_t extent) { return extent > kMost || extent < -kMost; };
    if (is_huge(before) || is_huge(after) || is_huge(impl_of(x).sizes[dim])) {
        throw ShapeError("pad",
                         fmt::format("at most {} elements; got padding ({}, {}) for dim {} of x {}",
                                     kMost,
                                     before,
                                     after,
                                     dim,
                                     describe(x)));
    }
}

}  // namespace

Tensor pad(Tensor x, const Dims& padding, const Scalar& value) try {
    const TensorImpl& impl = checked_impl(x, "pad");
    const std::int64_t dims = impl.sizes.count();
    if (padding.count() % 2 != 0 || padding.count() / 2 > dims) {
        throw ArgumentError("pad",
                            fmt::format("padding must hold (before, after) pairs for at most x's "
                                        "dimensions; got {} for x {}",
                                        to_string(padding),
                                        describe(x)));
    }
    ops::PadAttrs attrs{
        .before = {}, .after = {}, .fill_bits = scalar_bits("pad", value, impl.dtype)};
    const Dims sizes = impl.sizes;
    for (std::int64_t pair = 0; pair < padding.count() / 2; ++pair) {
        const std::int64_t d = dims - 1 - pair;
        const std::int64_t before = padding[2 * pair];
        const std::int64_t after = padding[2 * pair + 1];
        check_extents(before, after, d, x);
        if (sizes[d] + before + after < 0 || -before > sizes[d] || -after > sizes[d]) {
            throw ShapeError("pad",
                             fmt::format("negative padding must leave dim {}; got ({}, {}) for x "
                                         "{}",
                                         d,
                                         before,
                                         after,
                                         describe(x)));
        }
        if (before < 0 || after < 0) {
            const std::int64_t start = std::max<std::int64_t>(0, -before);
            x = narrow(x, d, start, sizes[d] - start - std::max<std::int64_t>(0, -after));
        }
        attrs.before[static_cast<std::size_t>(d)] = std::max<std::int64_t>(0, before);
        attrs.after[static_cast<std::size_t>(d)] = std::max<std::int64_t>(0, after);
    }
    return ops::pad_by(std::move(x), attrs, value);

} catch (const Error&) {
    rethrow_under("pad");
}

}  // namespace pumice
