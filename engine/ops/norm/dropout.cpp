// SPDX-License-Identifier: Apache-2.0
// dropout: the mask comes from the generator's state at the call, so that the backward pass
// computes it again instead of keeping it.
#include "pumice/error.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/nn.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/generator.h"
#include "dispatch/windows.h"
#include "ops/all_ops.h"
#include "ops/factory/factory.h"
#include "ops/reduce/reduction.h"
#include "vk/kernels/norm_dropout.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::ops {

namespace {

struct DropoutAttrs {
    double p = 0.0;
    GeneratorState state;
};

void check_probability(double p) {
    if (!(p >= 0.0 && p <= 1.0)) {
        throw ArgumentError("dropout", fmt::format("p must be in [0, 1]; got {}", p));
    }
}

void infer_dropout(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    require_floating("dropout", call.inputs[0]);
    check_probability(call.attrs_as<DropoutAttrs>().p);
    const TensorImpl& x = impl_of(call.inputs[0]);
    inferred.push_back(dispatch::contiguous_meta(x.sizes, x.dtype));
}

void select_dropout(const dispatch::OpCall& call,
                    std::span<const Tensor> /*outputs*/,
                    const vk::Capabilities& caps,
                    dispatch::Program& program) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<DropoutAttrs>();
    const bool is_captured = call.inputs[1].defined();
    constexpr std::uint32_t kLocalSize = 64;
    dispatch::for_each_run(x.numel, x.dtype, caps, [&](const dispatch::Run& run) {
        dispatch::Step& step = program.steps.emplace_back();
        step.bindings.push_back(dispatch::window_of(dispatch::input(0), run.first, run.count));
        step.bindings.push_back(dispatch::window_of(dispatch::output(0), run.first, run.count));
        if (is_captured) {
            step.bindings.push_back(dispatch::input(1));
        }
        step.set(
            is_captured ? vk::KernelId::kNormDropoutDevice : vk::KernelId::kNormDropoutHost,
            vk::NormDropoutSpec{.local_size = kLocalSize, .x_dtype = x.dtype},
            {.seed = dispatch::words_of(attrs.state.seed),
             .offset = dispatch::words_of(attrs.state.offset + dispatch::random_blocks(run.first)),
             .count = static_cast<std::uint32_t>(run.count),
             .x_offset = dispatch::bound_offset(call.inputs[0], caps, run.first),
             .p = static_cast<float>(attrs.p),
             .scale = static_cast<float>(1.0 / (1.0 - attrs.p))});
        step.groups = dispatch::fold_groups(
            (dispatch::random_blocks(run.count) + kLocalSize - 1) / kLocalSize, caps);
        step.work = static_cast<std::uint64_t>(run.count) * 32;
    });
}

Tensor masked(Tensor x, const DropoutAttrs& attrs) {
    Tensor inputs[] = {contiguous(std::move(x)), dispatch::generator_tensor(attrs.state)};
    return dispatch::call(kDropout, inputs, attrs);
}

// The same mask and scale, on the gradient.
void backward_dropout(dispatch::BackwardCall& call) {
    call.set(0, masked(call.grad(), call.attrs_as<DropoutAttrs>()));
}

}  // namespace

constexpr dispatch::OpDef kDropout{
    .name = "dropout",
    .inputs = {{{"x", dispatch::Grad::kFormula}, {"generator"}}},
    .infer = infer_dropout,
    .select = select_dropout,
    .lends = 1,
    .backward = backward_dropout,
};
static_assert(well_formed(kDropout));

}  // namespace pumice::ops

namespace pumice {

Tensor dropout(Tensor x, double p, bool training) {
    ops::require_floating("dropout", x);
    ops::check_probability(p);
    if (!training || p == 0.0) {
        return x;
    }
    ops::check_element_count("dropout", x);  // before the generator moves on
    const std::uint64_t blocks = dispatch::random_blocks(x.numel());
    return ops::masked(std::move(x), {.p = p, .state = dispatch::take_random_blocks(blocks)});
}

}  // namespace pumice
