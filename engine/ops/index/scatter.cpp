// SPDX-License-Identifier: Apache-2.0
// Writes by index: scatter_add, index_add, index_copy, and scatter_sum, which is the gradient of
// the reads by index. Note [Deterministic scatter] is in scatter_steps.h.
#include "ops/index/scatter.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "ops/all_ops.h"
#include "ops/index/gather.h"
#include "ops/index/indexing.h"
#include "ops/index/scatter_steps.h"
#include "ops/view/strided_sum.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Grad;
using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;

namespace {

// Shapes were checked, and operands made contiguous and of one shape, by the public functions.
void infer_scatter(const OpCall& call, Inferred& inferred) {
    const TensorImpl& source = impl_of(call.inputs[kScatterSource]);
    check_index_dtype(call.def.where(), call.inputs[kScatterIndex]);
    inferred.emplace_back(
        dispatch::contiguous_meta(call.attrs_as<ScatterAttrs>().sizes, source.dtype));
}

std::int64_t window_of_scatter(const OpCall& call,
                               std::size_t input,
                               std::int64_t /*output_rank*/,
                               std::int64_t dim) noexcept {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    if (dim == attrs.dim) {
        return dispatch::kUncut;
    }
    return input == kScatterIndex && attrs.form == IndexForm::kRows ? dispatch::kWhole : dim;
}

void backward_scatter(BackwardCall& call) {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    if (call.needs(kScatterSource)) {
        call.set(kScatterSource,
                 take_or_zero(
                     call.grad(), attrs.dim, call.input(kScatterIndex), attrs.form, attrs.ignored));
    }
    if (call.input_count() > kScatterBase && call.needs(kScatterBase)) {
        call.set(kScatterBase, call.grad());
    }
}

// Which entries of the index nobody overwrites, as many as it has.
Tensor wins(const Tensor& index, std::int64_t row_count) {
    const Tensor positions = arange(index.numel());
    const Tensor last = replace_rows(full({row_count}, -1), 0, index, positions);
    return eq(take_rows(last, 0, index), positions);
}

void backward_index_copy(BackwardCall& call) {
    const auto& attrs = call.attrs_as<ScatterAttrs>();
    const Tensor index = call.input(kScatterIndex);
    const Dims& sizes = call.input_sizes(kScatterSource);
    if (call.needs(kScatterSource)) {
        Dims column = Dims::filled(sizes.count(), 1);
        column[attrs.dim] = sizes[attrs.dim];
        const Tensor lost = logical_not(wins(index, attrs.sizes[attrs.dim]));
        call.set(
            kScatterSource,
            masked_fill(
                take_or_zero(call.grad(), attrs.dim, index, attrs.form), view(lost, column), 0));
    }
    if (call.needs(kScatterBase)) {
        call.set(kScatterBase,
                 replace_rows(
                     call.grad(), attrs.dim, index, zeros(sizes, call.input_dtype(kScatterBase))));
    }
}

constexpr dispatch::SavedSet kSavesIndexForSource{.inputs = 1U << kScatterIndex,
                                                  .input_is_for = {0, 1U << kScatterSource}};

}  // namespace

constexpr OpDef kScatterSum{.name = "scatter_sum",
                            .inputs = {{{"source", Grad::kFormula}, {"index", Grad::kNever}}},
                            .infer = infer_scatter,
                            .select = select_scatter,
                            .window = window_of_scatter,
                            .saved = kSavesIndexForSource,
                            .backward = backward_scatter};
static_assert(well_formed(kScatterSum));

constexpr OpDef kScatterAdd{
    .name = "scatter_add",
    .inputs = {{{"source", Grad::kFormula}, {"index", Grad::kNever}, {"x", Grad::kFormula}}},
    .infer = infer_scatter,
    .select = select_scatter,
    .window = window_of_scatter,
    .saved = kSavesIndexForSource,
    .backward = backward_scatter};
static_assert(well_formed(kScatterAdd));

constexpr OpDef kIndexAdd{
    .name = "index_add",
    .inputs = {{{"source", Grad::kFormula}, {"index", Grad::kNever}, {"x", Grad::kFormula}}},
    .infer = infer_scatter,
    .select = select_scatter,
    .window = window_of_scatter,
    .saved = kSavesIndexForSource,
    .backward = backward_scatter};
static_assert(well_formed(kIndexAdd));

constexpr OpDef kIndexCopy{
    .name = "index_copy",
    .inputs = {{{"source", Grad::kFormula}, {"index", Grad::kNever}, {"x", Grad::kFormula}}},
    .infer = infer_scatter,
    .select = select_scatter,
    .window = window_of_scatter,
    .saved = {.inputs = 1U << kScatterIndex},
    .backward = backward_index_copy};
static_assert(well_formed(kIndexCopy));

namespace {

// The kernels want source and index to have the output's extents but along dim: what is missing is
// filled with indices that are left out. Whether something was.
bool widen_to(Dims sizes, std::int64_t dim, Tensor& source, Tensor& index) {
    sizes[dim] = impl_of(index).sizes[dim];
    if (impl_of(index).sizes == sizes) {
        return false;
    }
    source = pad_to(std::move(source), sizes, 0);
    index = pad_to(std::move(index), sizes, kPadding);
    return true;
}

}  // namespace

Tensor scatter_sum(Tensor source,
                   std::int64_t dim,
                   Tensor index,
                   const Dims& sizes,
                   IndexForm form,
                   std::int64_t ignored) {
    const std::int64_t wrapped = wrap_dim("scatter_sum", dim, sizes.count());
    if (form == IndexForm::kElements) {
        widen_to(sizes, wrapped, source, index);
    }
    std::array<Tensor, 2> inputs{contiguous(std::move(source)), contiguous(std::move(index))};
    return dispatch::call(
        kScatterSum,
        inputs,
        ScatterAttrs{.sizes = sizes, .dim = wrapped, .ignored = ignored, .form = form});
}

}  // namespace pumice::ops

namespace pumice {

namespace {

void check_operands(std::string_view op,
                    const Tensor& x,
                    const Tensor& index,
                    const Tensor& source) {
    checked_impl(x, op);
    checked_impl(index, op);
    checked_impl(source, op);
    ops::check_index_dtype(op, index);
    if (impl_of(x).dtype != impl_of(source).dtype) {
        throw DTypeError(op,
                         fmt::format("source must have x's dtype; got source {} for x {}",
                                     describe(source),
                                     describe(x)));
    }
    if (impl_of(x).sizes.empty()) {
        throw ArgumentError(op, "x must have at least one dimension");
    }
}

}  // namespace

Tensor scatter_add(Tensor x, std::int64_t dim, Tensor index, Tensor source) try {
    check_operands("scatter_add", x, index, source);
    const Dims sizes = impl_of(x).sizes;
    const std::int64_t wrapped = wrap_dim("scatter_add", dim, sizes.count());
    const Dims& wanted = impl_of(index).sizes;
    const Dims& given = impl_of(source).sizes;
    bool fits = wanted.count() == sizes.count() && given.count() == sizes.count();
    for (std::int64_t d = 0; fits && d < sizes.count(); ++d) {
        fits = wanted[d] <= given[d] && (d == wrapped || wanted[d] <= sizes[d]);
    }
    if (!fits) {
        throw ShapeError("scatter_add",
                         fmt::format("index must have x's dimensions, none longer but dim {}, and "
                                     "none longer than source's; got index {} and source {} for x "
                                     "{}",
                                     wrapped,
                                     describe(index),
                                     describe(source),
                                     describe(x)));
    }
    for (std::int64_t d = 0; d < sizes.count(); ++d) {
        if (impl_of(source).sizes[d] != impl_of(index).sizes[d]) {
            source = narrow(source, d, 0, impl_of(index).sizes[d]);
        }
    }
    const bool is_padded = ops::widen_to(sizes, wrapped, source, index);
    std::array<Tensor, 3> inputs{
        contiguous(std::move(source)), contiguous(std::move(index)), contiguous(std::move(x))};
    return dispatch::call(ops::kScatterAdd,
                          inputs,
                          ops::ScatterAttrs{.sizes = sizes,
                                            .dim = wrapped,
                                            .form = ops::IndexForm::kElements,
                                            .is_padded = is_padded,
                                            .user = IndexUser::kScatterAdd});

} catch (const Error&) {
    rethrow_under("scatter_add");
}

namespace {

// index_add and index_copy: rows of source into x.
Tensor write_rows(const dispatch::OpDef& def,
                  IndexUser user,
                  Tensor x,
                  std::int64_t dim,
                  Tensor index,
                  Tensor source) {
    const std::string_view op = def.where();
    check_operands(op, x, index, source);
    const Dims sizes = impl_of(x).sizes;
    const std::int64_t wrapped = wrap_dim(op, dim, sizes.count());
    Dims wanted = sizes;
    wanted[wrapped] = impl_of(index).numel;
    if (impl_of(index).sizes.count() > 1 || impl_of(source).sizes != wanted) {
        throw ShapeError(op,
                         fmt::format("source must have x's shape with one element along dim {} for "
                                     "each of a one-dimensional index; got index {} and source {} "
                                     "for x {}",
                                     wrapped,
                                     describe(index),
                                     describe(source),
                                     describe(x)));
    }
    index = reshape(index, {wanted[wrapped]});
    std::array<Tensor, 3> inputs{
        contiguous(std::move(source)), contiguous(std::move(index)), contiguous(std::move(x))};
    return dispatch::call(def,
                          inputs,
                          ops::ScatterAttrs{.sizes = sizes,
                                            .dim = wrapped,
                                            .form = ops::IndexForm::kRows,
                                            .takes_last = &def == &ops::kIndexCopy,
                                            .user = user});
}

}  // namespace

namespace ops {

Tensor replace_rows(Tensor x, std::int64_t dim, Tensor index, Tensor source) {
    return write_rows(
        kIndexCopy, IndexUser::kNone, std::move(x), dim, std::move(index), std::move(source));
}

Tensor add_rows(Tensor x, std::int64_t dim, Tensor index, Tensor source) {
    return write_rows(
        kIndexAdd, IndexUser::kNone, std::move(x), dim, std::move(index), std::move(source));
}

}  // namespace ops

Tensor index_add(Tensor x, std::int64_t dim, Tensor index, Tensor source) try {
    return write_rows(ops::kIndexAdd,
                      IndexUser::kIndexAdd,
                      std::move(x),
                      dim,
                      std::move(index),
                      std::move(source));

} catch (const Error&) {
    rethrow_under("index_add");
}

Tensor index_copy(Tensor x, std::int64_t dim, Tensor index, Tensor source) try {
    return write_rows(ops::kIndexCopy,
                      IndexUser::kIndexCopy,
                      std::move(x),
                      dim,
                      std::move(index),
                      std::move(source));

} catch (const Error&) {
    rethrow_under("index_copy");
}

}  // namespace pumice
