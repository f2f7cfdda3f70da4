// SPDX-License-Identifier: Apache-2.0
// pack_mask and apply_mask: see the header. Both walk contiguous elements, in windows where a
// tensor cannot be bound whole.
#include "ops/elementwise/packed_mask.h"

#include "pumice/ops.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "ops/all_ops.h"
#include "vk/kernels/elementwise_apply_mask.h"
#include "vk/kernels/elementwise_pack_mask.h"

#include <utility>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Grad;
using dispatch::OpCall;
using dispatch::OpDef;

namespace {

constexpr std::uint32_t kLocalSize = 64;

struct MaskAttrs {
    std::array<float, 4> weights{};
    CodeBits bits = CodeBits::kOne;
};

std::int64_t codes_per_word(CodeBits bits) {
    return 32 / static_cast<std::int64_t>(bits);
}

std::int64_t word_count(std::int64_t codes, CodeBits bits) {
    return (codes + codes_per_word(bits) - 1) / codes_per_word(bits);
}

void infer_pack(const OpCall& call, dispatch::Inferred& inferred) {
    const std::int64_t codes = impl_of(call.inputs[0]).numel;
    inferred.push_back(
        dispatch::contiguous_meta({word_count(codes, call.attrs_as<MaskAttrs>().bits)}, kInt32));
}

// Each window's words start where outputs may.
void select_pack(const OpCall& call,
                 std::span<const Tensor> /*outputs*/,
                 const vk::Capabilities& caps,
                 dispatch::Program& program) {
    const TensorImpl& codes = impl_of(call.inputs[0]);
    const CodeBits bits = call.attrs_as<MaskAttrs>().bits;
    const auto add = [&](const dispatch::Run& run) {
        const std::int64_t words = word_count(run.count, bits);
        const std::uint32_t offset = dispatch::bound_offset(codes, caps, run.first);
        PUMICE_INVARIANT(offset % 4 == 0);
        dispatch::Step& step = program.steps.emplace_back();
        step.bindings.push_back(dispatch::window_of(dispatch::input(0), run.first, run.count));
        step.bindings.push_back(
            dispatch::window_of(dispatch::output(), run.first / codes_per_word(bits), words));
        step.set(vk::ElementwisePackMaskSpec{.local_size = kLocalSize,
                                             .bits = static_cast<std::uint32_t>(bits)},
                 {.count = static_cast<std::uint32_t>(run.count), .codes_offset = offset / 4});
        step.groups = dispatch::fold_groups(
            (static_cast<std::uint64_t>(words) + kLocalSize - 1) / kLocalSize, caps);
        step.work = static_cast<std::uint64_t>(run.count);
    };
    const auto alignment = static_cast<std::int64_t>(caps.storage_alignment_bytes);
    dispatch::for_each_run(codes.numel, codes.dtype, caps, add, codes_per_word(bits) * alignment);
}

void infer_apply(const OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    inferred.push_back(dispatch::contiguous_meta(x.sizes, x.dtype));
}

void select_apply(const OpCall& call,
                  std::span<const Tensor> /*outputs*/,
                  const vk::Capabilities& caps,
                  dispatch::Program& program) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    const auto& attrs = call.attrs_as<MaskAttrs>();
    dispatch::for_each_run(x.numel, x.dtype, caps, [&](const dispatch::Run& run) {
        const std::int64_t first_word = run.first / codes_per_word(attrs.bits);
        dispatch::Step& step = program.steps.emplace_back();
        step.bindings.push_back(dispatch::window_of(dispatch::input(0), run.first, run.count));
        step.bindings.push_back(
            dispatch::window_of(dispatch::input(1), first_word, word_count(run.count, attrs.bits)));
        step.bindings.push_back(dispatch::window_of(dispatch::output(), run.first, run.count));
        step.set(vk::ElementwiseApplyMaskSpec{.local_size = kLocalSize,
                                              .dtype = x.dtype,
                                              .bits = static_cast<std::uint32_t>(attrs.bits)},
                 {.weights = attrs.weights,
                  .count = static_cast<std::uint32_t>(run.count),
                  .x_offset = dispatch::bound_offset(x, caps, run.first),
                  .mask_offset = dispatch::bound_offset(call.inputs[1], caps, first_word)});
        const auto words = static_cast<std::uint64_t>(run.count * itemsize(x.dtype) + 3) / 4;
        step.groups = dispatch::fold_groups((words + kLocalSize - 1) / kLocalSize, caps);
        step.work = static_cast<std::uint64_t>(run.count) * 2;
    });
}

void apply_grad(BackwardCall& call) {
    const auto& attrs = call.attrs_as<MaskAttrs>();
    call.set(0, apply_mask(call.grad(), call.input(1), attrs.bits, attrs.weights));
}

}  // namespace

constexpr OpDef kPackMask{
    .name = "pack_mask", .inputs = {{{"codes"}}}, .infer = infer_pack, .select = select_pack};
constexpr OpDef kApplyMask{.name = "apply_mask",
                           .inputs = {{{"x", Grad::kFormula}, {"mask"}}},
                           .infer = infer_apply,
                           .select = select_apply,
                           .saved = {.inputs = 0b10},
                           .lends = 1,
                           .backward = apply_grad};
static_assert(well_formed(kPackMask) && well_formed(kApplyMask));

Tensor pack_mask(Tensor codes, CodeBits bits) {
    Tensor inputs[] = {contiguous(std::move(codes))};
    return dispatch::call(kPackMask, inputs, MaskAttrs{.bits = bits});
}

Tensor apply_mask(Tensor x, Tensor mask, CodeBits bits, const std::array<float, 4>& weights) {
    Tensor inputs[] = {contiguous(std::move(x)), std::move(mask)};
    return dispatch::call(kApplyMask, inputs, MaskAttrs{.weights = weights, .bits = bits});
}

}  // namespace pumice::ops
