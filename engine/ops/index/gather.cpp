// SPDX-License-Identifier: Apache-2.0
// Reads by index: gather, index_select, embedding, and what Tensor::index makes of tensors. One
// kernel serves them all.
#include "ops/index/gather.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "geometry/walk.h"
#include "ops/all_ops.h"
#include "ops/factory/factory.h"
#include "ops/index/indexing.h"
#include "ops/index/scatter.h"
#include "tensor/scalar_bits.h"
#include "vk/kernels/index_take.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

struct TakeAttrs {
    std::int64_t dim = 0;
    std::int64_t ignored = -1;
    bool missing_is_zero = false;
    IndexUser user = IndexUser::kNone;
};

constexpr std::size_t kX = 0;
constexpr std::size_t kIndex = 1;

std::int64_t indexed_dim(const OpCall& call) {
    const Dims& sizes = impl_of(call.inputs[kX]).sizes;
    if (sizes.empty()) {
        throw ArgumentError(call.def.where(), "x must have at least one dimension");
    }
    return wrap_dim(call.def.where(), call.attrs_as<TakeAttrs>().dim, sizes.count());
}

void infer_gather(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const TensorImpl& index = impl_of(call.inputs[kIndex]);
    check_index_dtype(call.def.where(), call.inputs[kIndex]);
    const std::int64_t dim = indexed_dim(call);
    bool fits = index.sizes.count() == x.sizes.count();
    for (std::int64_t d = 0; fits && d < x.sizes.count(); ++d) {
        fits = d == dim || index.sizes[d] <= x.sizes[d];
    }
    if (!fits) {
        throw ShapeError("gather",
                         fmt::format("index must have x's dimensions, none longer but dim {}; got "
                                     "index {} for x {}",
                                     dim,
                                     describe(call.inputs[kIndex]),
                                     describe(call.inputs[kX])));
    }
    inferred.emplace_back(dispatch::contiguous_meta(index.sizes, x.dtype));
}

void infer_index_select(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const TensorImpl& index = impl_of(call.inputs[kIndex]);
    check_index_dtype(call.def.where(), call.inputs[kIndex]);
    const std::int64_t dim = indexed_dim(call);
    if (index.sizes.count() > 1) {
        throw ShapeError("index_select",
                         fmt::format("index must have at most one dimension; got {}",
                                     describe(call.inputs[kIndex])));
    }
    Dims sizes = x.sizes;
    sizes[dim] = index.numel;
    inferred.emplace_back(dispatch::contiguous_meta(sizes, x.dtype));
}

// The dimensions of the index stand where x's indexed one stood.
void infer_index(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const std::int64_t dim = call.attrs_as<TakeAttrs>().dim;
    Dims sizes;
    for (std::int64_t d = 0; d < x.sizes.count(); ++d) {
        if (d != dim) {
            sizes.push_back(x.sizes[d]);
            continue;
        }
        for (const std::int64_t extent : impl_of(call.inputs[kIndex]).sizes) {
            sizes.push_back(extent);
        }
    }
    check_new_sizes("index", sizes);
    inferred.emplace_back(dispatch::contiguous_meta(sizes, x.dtype));
}

void infer_embedding(const OpCall& call, Inferred& inferred) {
    const TensorImpl& weight = impl_of(call.inputs[kX]);
    const TensorImpl& index = impl_of(call.inputs[kIndex]);
    check_index_dtype(call.def.where(), call.inputs[kIndex]);
    if (weight.sizes.count() != 2) {
        throw ShapeError(
            "embedding",
            fmt::format("weight must have two dimensions; got {}", describe(call.inputs[kX])));
    }
    const std::int64_t padding = call.attrs_as<TakeAttrs>().ignored;
    if (padding >= weight.sizes[0]) {
        throw ArgumentError(
            "embedding",
            fmt::format(
                "padding_idx must be below the vocabulary's {}; got {}", weight.sizes[0], padding));
    }
    Dims sizes = index.sizes;
    sizes.push_back(weight.sizes[1]);
    inferred.emplace_back(dispatch::contiguous_meta(sizes, weight.dtype));
}

// Which dimension of x the index counts, and x's and the index's strides for each dimension of the
// output.
struct Take {
    std::int64_t dim = 0;
    std::array<Dims, 2> strides;
    std::int64_t ignored = -1;
};

// Indices [first, first + count), whose elements one step reads.
void add_step(const OpCall& call,
              const Tensor& output,
              const Take& take,
              const dispatch::Run& rows,
              const vk::Capabilities& caps,
              Program& program) {
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const TensorImpl& out = impl_of(output);
    const Walk<2> walk = merge_dims<2>(out.sizes, take.strides);
    const std::int64_t dim_stride = x.strides[take.dim];
    const std::int64_t first = rows.first * dim_stride;
    Dims window = x.sizes;
    window[take.dim] = rows.count;
    const bool has_last = rows.first + rows.count == x.sizes[take.dim];
    const auto user =
        static_cast<std::uint32_t>(has_last ? call.attrs_as<TakeAttrs>().user : IndexUser::kNone);
    Step& step = program.steps.emplace_back();
    const std::uint32_t words_shift = words_shift_of(word_count(out.numel, out.dtype), caps);
    const std::uint32_t local_size =
        launch_flat(step, word_count(out.numel, out.dtype), caps, words_shift);
    const bool missing_is_zero = call.attrs_as<TakeAttrs>().missing_is_zero;
    step.bindings.push_back(
        dispatch::window_of(dispatch::input(kX), first, hull_elements(window, x.strides)));
    step.bindings.push_back(dispatch::input(kIndex));
    step.bindings.push_back(dispatch::output());
    step.set(
        vk::IndexTakeSpec{.local_size = local_size,
                          .dtype = x.dtype,
                          .missing_bits = missing_is_zero ? 0 : missing_bits(x.dtype),
                          .keeps_missing = rows.first > 0},
        {.sizes = walk.sizes,
         .x_strides = walk.strides[0],
         .index_strides = walk.strides[1],
         .rank_and_user = walk.rank | words_shift << 4U | user << 8U,
         .element_count = static_cast<std::uint32_t>(out.numel),
         .x_offset = dispatch::bound_offset(x, caps, first) - static_cast<std::uint32_t>(first),
         .index_offset = dispatch::bound_offset(call.inputs[kIndex], caps),
         .dim_stride = static_cast<std::uint32_t>(dim_stride),
         .dim_first = static_cast<std::uint32_t>(rows.first),
         .dim_extent = static_cast<std::uint32_t>(rows.count),
         .ignored = static_cast<std::int32_t>(take.ignored)});
    step.work = static_cast<std::uint64_t>(out.numel) * (walk.rank + 1) * 4;
}

// As many indices at once as can be bound.
void add_steps(const OpCall& call,
               const Tensor& output,
               const Take& take,
               const vk::Capabilities& caps,
               Program& program) {
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const std::int64_t extent = x.sizes[take.dim];
    const std::int64_t bindable = dispatch::bindable_positions(x, take.dim, caps);
    const std::int64_t length = bindable == 0 ? extent : bindable;
    std::int64_t first = 0;
    do {
        add_step(call, output, take, {first, std::min(length, extent - first)}, caps, program);
        first += length;
    } while (first < extent);
}

void select_gather(const OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   Program& program) {
    const std::int64_t dim = indexed_dim(call);
    std::array<Dims, 2> strides{impl_of(call.inputs[kX]).strides,
                                impl_of(call.inputs[kIndex]).strides};
    strides[0][dim] = 0;
    add_steps(call, outputs[0], {dim, strides, call.attrs_as<TakeAttrs>().ignored}, caps, program);
}

void select_index_select(const OpCall& call,
                         std::span<const Tensor> outputs,
                         const vk::Capabilities& caps,
                         Program& program) {
    const std::int64_t dim = indexed_dim(call);
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const TensorImpl& index = impl_of(call.inputs[kIndex]);
    std::array<Dims, 2> strides{x.strides, Dims::filled(x.sizes.count(), 0)};
    strides[0][dim] = 0;
    strides[1][dim] = index.strides.empty() ? 0 : index.strides[0];
    add_steps(call, outputs[0], {dim, strides, call.attrs_as<TakeAttrs>().ignored}, caps, program);
}

void select_index(const OpCall& call,
                  std::span<const Tensor> outputs,
                  const vk::Capabilities& caps,
                  Program& program) {
    const std::int64_t dim = call.attrs_as<TakeAttrs>().dim;
    const TensorImpl& x = impl_of(call.inputs[kX]);
    const TensorImpl& index = impl_of(call.inputs[kIndex]);
    std::array<Dims, 2> strides;
    for (std::int64_t d = 0; d < x.sizes.count(); ++d) {
        if (d != dim) {
            strides[0].push_back(x.strides[d]);
            strides[1].push_back(0);
            continue;
        }
        for (const std::int64_t stride : index.strides) {
            strides[0].push_back(0);
            strides[1].push_back(stride);
        }
    }
    add_steps(call, outputs[0], {.dim = dim, .strides = strides}, caps, program);
}

void select_embedding(const OpCall& call,
                      std::span<const Tensor> outputs,
                      const vk::Capabilities& caps,
                      Program& program) {
    const TensorImpl& index = impl_of(call.inputs[kIndex]);
    std::array<Dims, 2> strides{Dims::filled(index.sizes.count(), 0), index.strides};
    strides[0].push_back(impl_of(call.inputs[kX]).strides[1]);
    strides[1].push_back(0);
    // The padding row is read like any other; it is its gradient that is left out.
    add_steps(call, outputs[0], {.dim = 0, .strides = strides}, caps, program);
}

void backward_gather(BackwardCall& call) {
    const auto& attrs = call.attrs_as<TakeAttrs>();
    call.set(0,
             scatter_sum(call.grad(),
                         attrs.dim,
                         call.input(kIndex),
                         call.input_sizes(kX),
                         IndexForm::kElements,
                         attrs.ignored));
}

void backward_index_select(BackwardCall& call) {
    const auto& attrs = call.attrs_as<TakeAttrs>();
    call.set(0,
             scatter_sum(call.grad(),
                         attrs.dim,
                         call.input(kIndex),
                         call.input_sizes(kX),
                         IndexForm::kRows,
                         attrs.ignored));
}

void backward_index(BackwardCall& call) {
    const std::int64_t dim = call.attrs_as<TakeAttrs>().dim;
    const Tensor index = call.input(kIndex);
    Dims rows = call.input_sizes(kX);
    rows[dim] = index.numel();
    call.set(0,
             scatter_sum(reshape(call.grad(), rows),
                         dim,
                         reshape(index, {index.numel()}),
                         call.input_sizes(kX),
                         IndexForm::kRows));
}

void backward_embedding(BackwardCall& call) {
    const Dims& sizes = call.input_sizes(kX);
    const Tensor index = call.input(kIndex);
    call.set(0,
             scatter_sum(reshape(call.grad(), {index.numel(), sizes[1]}),
                         0,
                         reshape(index, {index.numel()}),
                         sizes,
                         IndexForm::kRows,
                         call.attrs_as<TakeAttrs>().ignored));
}

std::int64_t wrapped_dim(const OpCall& call) noexcept {
    const std::int64_t dim = call.attrs_as<TakeAttrs>().dim;
    return dim < 0 ? dim + impl_of(call.inputs[kX]).sizes.count() : dim;
}

std::int64_t window_of_gather(const OpCall& call,
                              std::size_t input,
                              std::int64_t /*output_rank*/,
                              std::int64_t dim) noexcept {
    return input == kX && dim == wrapped_dim(call) ? dispatch::kWhole : dim;
}

std::int64_t window_of_index_select(const OpCall& call,
                                    std::size_t input,
                                    std::int64_t /*output_rank*/,
                                    std::int64_t dim) noexcept {
    const bool is_indexed = dim == wrapped_dim(call);
    if (input == kX) {
        return is_indexed ? dispatch::kWhole : dim;
    }
    return is_indexed ? 0 : dispatch::kWhole;
}

std::int64_t window_of_index(const OpCall& call,
                             std::size_t input,
                             std::int64_t /*output_rank*/,
                             std::int64_t dim) noexcept {
    const std::int64_t first = call.attrs_as<TakeAttrs>().dim;
    const std::int64_t end = first + impl_of(call.inputs[kIndex]).sizes.count();
    const bool is_indexed = dim >= first && dim < end;
    if (input == kIndex) {
        return is_indexed ? dim - first : dispatch::kWhole;
    }
    if (is_indexed) {
        return dispatch::kWhole;
    }
    return dim < first ? dim : dim - (end - first) + 1;
}

std::int64_t window_of_embedding(const OpCall& /*call*/,
                                 std::size_t input,
                                 std::int64_t output_rank,
                                 std::int64_t dim) noexcept {
    const bool is_column = dim == output_rank - 1;
    if (input == kX) {
        return is_column ? 1 : dispatch::kWhole;
    }
    return is_column ? dispatch::kWhole : dim;
}

constexpr std::uint32_t kSavesIndex = 1U << kIndex;

Tensor call_take(const OpDef& def, Tensor x, Tensor index, const TakeAttrs& attrs) {
    std::array<Tensor, 2> inputs{std::move(x), std::move(index)};
    return dispatch::call(def, inputs, attrs);
}

}  // namespace

constexpr OpDef kGather{.name = "gather",
                        .inputs = {{{"x", Grad::kFormula}, {"index", Grad::kNever}}},
                        .infer = infer_gather,
                        .select = select_gather,
                        .window = window_of_gather,
                        .saved = {.inputs = kSavesIndex},
                        .backward = backward_gather};
static_assert(well_formed(kGather));

constexpr OpDef kIndexSelect{.name = "index_select",
                             .inputs = {{{"x", Grad::kFormula}, {"index", Grad::kNever}}},
                             .infer = infer_index_select,
                             .select = select_index_select,
                             .window = window_of_index_select,
                             .saved = {.inputs = kSavesIndex},
                             .backward = backward_index_select};
static_assert(well_formed(kIndexSelect));

constexpr OpDef kIndexTensors{.name = "index",
                              .inputs = {{{"x", Grad::kFormula}, {"index", Grad::kNever}}},
                              .infer = infer_index,
                              .select = select_index,
                              .window = window_of_index,
                              .saved = {.inputs = kSavesIndex},
                              .backward = backward_index};
static_assert(well_formed(kIndexTensors));

constexpr OpDef kEmbedding{.name = "embedding",
                           .inputs = {{{"weight", Grad::kFormula}, {"indices", Grad::kNever}}},
                           .infer = infer_embedding,
                           .select = select_embedding,
                           .window = window_of_embedding,
                           .saved = {.inputs = kSavesIndex},
                           .backward = backward_embedding};
static_assert(well_formed(kEmbedding));

void check_index_dtype(std::string_view op, const Tensor& index) {
    if (impl_of(index).dtype != kInt32) {
        throw DTypeError(op, fmt::format("index must be int32; got {}", describe(index)));
    }
}

Tensor take_or_zero(
    Tensor x, std::int64_t dim, Tensor index, IndexForm form, std::int64_t ignored) {
    const OpDef& def = form == IndexForm::kRows ? kIndexSelect : kGather;
    return call_take(def,
                     std::move(x),
                     std::move(index),
                     {.dim = dim, .ignored = ignored, .missing_is_zero = true});
}

Tensor take_for(IndexUser user, Tensor x, std::int64_t dim, Tensor index) {
    return call_take(kGather, std::move(x), std::move(index), {.dim = dim, .user = user});
}

Tensor take_rows(Tensor x, std::int64_t dim, Tensor index) {
    return call_take(kIndexSelect, std::move(x), std::move(index), {.dim = dim});
}

Tensor take_in_place_of(Tensor x, std::int64_t dim, Tensor index) {
    return call_take(kIndexTensors, std::move(x), std::move(index), {.dim = dim});
}

}  // namespace pumice::ops

namespace pumice {

namespace {

// Before the call proper, which looks at shapes and dtypes alone.
void check_operands(std::string_view op, const Tensor& x, const Tensor& index) {
    checked_impl(x, op);
    checked_impl(index, op);
    ops::check_index_dtype(op, index);
}

}  // namespace

Tensor gather(Tensor x, std::int64_t dim, Tensor index) {
    check_operands("gather", x, index);
    return ops::take_for(IndexUser::kGather, std::move(x), dim, std::move(index));
}

Tensor index_select(Tensor x, std::int64_t dim, Tensor index) {
    check_operands("index_select", x, index);
    return ops::call_take(ops::kIndexSelect,
                          std::move(x),
                          std::move(index),
                          {.dim = dim, .user = IndexUser::kIndexSelect});
}

Tensor embedding(Tensor weight, Tensor indices, std::int64_t padding_idx) try {
    check_operands("embedding", weight, indices);
    return ops::call_take(ops::kEmbedding,
                          std::move(weight),
                          std::move(indices),
                          {.dim = 0, .ignored = padding_idx, .user = IndexUser::kEmbedding});

} catch (const Error&) {
    rethrow_under("embedding");
}

}  // namespace pumice
