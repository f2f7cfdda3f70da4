// SPDX-License-Identifier: Apache-2.0
// tril and triu.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "geometry/walk.h"
#include "ops/all_ops.h"
#include "vk/kernels/index_triangular.h"

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

struct TriangularAttrs {
    std::int64_t diagonal;
};

void infer_triangular(const OpCall& call, Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    if (x.sizes.count() < 2) {
        throw ShapeError(
            call.def.where(),
            fmt::format("x must have at least two dimensions; got {}", describe(call.inputs[0])));
    }
    inferred.emplace_back(dispatch::contiguous_meta(x.sizes, x.dtype));
}

template <bool kIsUpper>
void select_triangular(const OpCall& call,
                       std::span<const Tensor> /*outputs*/,
                       const vk::Capabilities& caps,
                       Program& program) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const Walk<1> walk = merge_dims<1>(x.sizes, {x.strides});
    const std::int64_t columns = x.sizes.back();
    const std::int64_t rows = x.sizes[x.sizes.count() - 2];
    // Diagonals past the matrix keep all or nothing, as the nearest ones outside do.
    const std::int64_t diagonal =
        std::clamp(call.attrs_as<TriangularAttrs>().diagonal, -rows, columns);
    Step& step = program.steps.emplace_back();
    const std::uint32_t local_size = launch_flat(step, word_count(x.numel, x.dtype), caps);
    step.bindings.push_back(dispatch::input(0));
    step.bindings.push_back(dispatch::output());
    step.set(
        vk::IndexTriangularSpec{.local_size = local_size, .dtype = x.dtype, .is_upper = kIsUpper},
        {.sizes = walk.sizes,
         .strides = walk.strides[0],
         .rank = walk.rank,
         .element_count = static_cast<std::uint32_t>(x.numel),
         .x_offset = dispatch::bound_offset(call.inputs[0], caps),
         .rows = static_cast<std::uint32_t>(rows),
         .columns = static_cast<std::uint32_t>(columns),
         .diagonal = static_cast<std::int32_t>(diagonal)});
    step.work = static_cast<std::uint64_t>(x.numel) * 4;
}

std::int64_t window_of_triangular(const OpCall& /*call*/,
                                  std::size_t /*input*/,
                                  std::int64_t output_rank,
                                  std::int64_t dim) noexcept {
    return dim < output_rank - 2 ? dim : dispatch::kUncut;
}

void backward_tril(BackwardCall& call) {
    call.set(0, tril(call.grad(), call.attrs_as<TriangularAttrs>().diagonal));
}

void backward_triu(BackwardCall& call) {
    call.set(0, triu(call.grad(), call.attrs_as<TriangularAttrs>().diagonal));
}

}  // namespace

constexpr OpDef kTril{.name = "tril",
                      .inputs = {{{"x", Grad::kFormula}}},
                      .infer = infer_triangular,
                      .select = select_triangular<false>,
                      .window = window_of_triangular,
                      .backward = backward_tril};
static_assert(well_formed(kTril));

constexpr OpDef kTriu{.name = "triu",
                      .inputs = {{{"x", Grad::kFormula}}},
                      .infer = infer_triangular,
                      .select = select_triangular<true>,
                      .window = window_of_triangular,
                      .backward = backward_triu};
static_assert(well_formed(kTriu));

}  // namespace pumice::ops

namespace pumice {

Tensor tril(Tensor x, std::int64_t diagonal) {
    checked_impl(x, "tril");
    std::array<Tensor, 1> inputs{std::move(x)};
    return dispatch::call(ops::kTril, inputs, ops::TriangularAttrs{diagonal});
}

Tensor triu(Tensor x, std::int64_t diagonal) {
    checked_impl(x, "triu");
    std::array<Tensor, 1> inputs{std::move(x)};
    return dispatch::call(ops::kTriu, inputs, ops::TriangularAttrs{diagonal});
}

}  // namespace pumice
