// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding; see rotary_embedding in pumice/ops/nn.h.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "geometry/words.h"
#include "ops/all_ops.h"
#include "vk/kernels/attention_rotary.h"

#include <fmt/format.h>

namespace pumice::ops {

using dispatch::Grad;
using dispatch::OpCall;
using dispatch::OpDef;

namespace {

struct Attrs {
    bool is_inverse = false;  ///< turns back: what the gradient needs
};

void infer(const OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const TensorImpl& cos = impl_of(call.inputs[1]);
    const TensorImpl& sin = impl_of(call.inputs[2]);
    const std::int64_t rank = x.sizes.count();
    const bool fits = rank >= 2 && rank <= 4 && x.sizes[rank - 1] % 2 == 0 &&
                      cos.sizes == Dims{x.sizes[rank - 2], x.sizes[rank - 1] / 2} &&
                      sin.sizes == cos.sizes;
    if (!fits) {
        throw ShapeError(call.def.where(),
                         fmt::format("wanted x [..., T, d] with d even and cos, sin [T, d/2]; got "
                                     "{}",
                                     dispatch::describe_inputs(call)));
    }
    if (!is_floating_point(x.dtype) || cos.dtype != kFloat32 || sin.dtype != kFloat32) {
        throw DTypeError(call.def.where(),
                         fmt::format("wanted a floating x and float32 tables; got {}",
                                     dispatch::describe_inputs(call)));
    }
    inferred.push_back(dispatch::contiguous_meta(x.sizes, x.dtype));
}

void select(const OpCall& call,
            std::span<const Tensor> /*outputs*/,
            const vk::Capabilities& caps,
            dispatch::Program& program) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const std::int64_t rank = x.sizes.count();
    const std::uint32_t per_word = elements_per_word(x.dtype);
    std::array<std::uint32_t, 4> x_strides{};
    for (std::int64_t i = 0; i < rank; ++i) {
        x_strides[static_cast<std::size_t>(4 - rank + i)] =
            static_cast<std::uint32_t>(x.strides[i]);
    }
    const auto half_count = static_cast<std::uint32_t>(x.sizes[rank - 1] / 2);
    const auto rows = static_cast<std::uint32_t>(x.numel / x.sizes[rank - 1]);
    const std::uint32_t unit_count = rows * ((half_count + per_word - 1) / per_word);

    constexpr std::uint32_t kLocalSize = 64;
    dispatch::Step& step = program.steps.emplace_back();
    for (std::size_t i = 0; i < 3; ++i) {
        step.bindings.push_back(dispatch::input(i));
    }
    step.bindings.push_back(dispatch::output());
    step.set(
        vk::AttentionRotarySpec{
            .local_size = kLocalSize, .dtype = x.dtype, .is_masked = half_count % per_word != 0},
        {.x_strides = x_strides,
         .n1 = rank >= 3 ? static_cast<std::uint32_t>(x.sizes[rank - 3]) : 1,
         .position_count = static_cast<std::uint32_t>(x.sizes[rank - 2]),
         .half_count = half_count,
         .unit_count = unit_count,
         .x_offset = dispatch::bound_offset(call.inputs[0], caps),
         .cos_offset = dispatch::bound_offset(call.inputs[1], caps),
         .sin_offset = dispatch::bound_offset(call.inputs[2], caps),
         .sign = call.attrs_as<Attrs>().is_inverse ? -1.0F : 1.0F});
    step.groups = dispatch::fold_groups((unit_count + kLocalSize - 1) / kLocalSize, caps);
    step.work = static_cast<std::uint64_t>(x.numel) * 4;
}

// The tables have a row for each position.
std::int64_t window_of_rotary(const OpCall& /*call*/,
                              std::size_t input,
                              std::int64_t output_rank,
                              std::int64_t dim) noexcept {
    if (dim == output_rank - 1) {
        return dispatch::kUncut;
    }
    if (input == 0) {
        return dim;
    }
    return dim == output_rank - 2 ? 0 : dispatch::kWhole;
}

Tensor turn(Tensor x, Tensor cos, Tensor sin, bool is_inverse);

// A rotation's gradient is the rotation back.
void backward(dispatch::BackwardCall& call) {
    if (call.needs(0)) {
        call.set(
            0, turn(call.grad(), call.input(1), call.input(2), !call.attrs_as<Attrs>().is_inverse));
    }
}

}  // namespace

constexpr OpDef kRotaryEmbedding{
    .name = "rotary_embedding",
    .inputs = {{{"x", Grad::kFormula}, {"cos", Grad::kNever}, {"sin", Grad::kNever}}},
    .infer = infer,
    .select = select,
    .window = window_of_rotary,
    .saved = {.inputs = 0b110},
    .backward = backward,
};
static_assert(well_formed(kRotaryEmbedding));

namespace {

Tensor turn(Tensor x, Tensor cos, Tensor sin, bool is_inverse) {
    // The kernel reads tables without strides; those that the modules make already are so.
    Tensor inputs[] = {std::move(x), contiguous(std::move(cos)), contiguous(std::move(sin))};
    return dispatch::call(kRotaryEmbedding, inputs, Attrs{.is_inverse = is_inverse});
}

}  // namespace

}  // namespace pumice::ops

namespace pumice {

Tensor rotary_embedding(Tensor x, Tensor cos, Tensor sin) try {
    for (const Tensor* operand : {&x, &cos, &sin}) {
        checked_impl(*operand, "rotary_embedding");
    }
    return ops::turn(std::move(x), std::move(cos), std::move(sin), false);

} catch (const Error&) {
    rethrow_under("rotary_embedding");
}

}  // namespace pumice
