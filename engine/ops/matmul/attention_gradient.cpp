// SPDX-License-Identifier: Apache-2.0
// The gradient of an attention: from products of its operands and one kernel between them. Where
// the gradient is itself differentiated, the weights are made of differentiable operators instead.
#include "ops/matmul/attention_gradient.h"

#include "pumice/grad_mode.h"
#include "pumice/ops/elementwise.h"
#include "pumice/ops/factory.h"
#include "pumice/ops/index.h"
#include "pumice/ops/linalg.h"
#include "pumice/ops/nn.h"
#include "pumice/ops/reduce.h"
#include "pumice/ops/view.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "geometry/words.h"
#include "ops/all_ops.h"
#include "ops/matmul/attention.h"
#include "vk/kernels.h"
#include "vk/kernels/attention_gradient.h"

#include <array>
#include <utility>

namespace pumice::ops {

namespace {

using vk::KernelId;

constexpr std::size_t kRank = kMaxAttentionBatchRank;

struct GradientAttrs {
    AttentionAttrs forward;
    float factor = 1.0F;  ///< what d_scores is multiplied by
};

void infer_gradient(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& scores = checked_impl(call.inputs[0], "attention_gradient");
    inferred.push_back(dispatch::contiguous_meta(scores.sizes, scores.dtype));
    inferred.push_back(dispatch::contiguous_meta(scores.sizes, scores.dtype));
}

void select_gradient(const dispatch::OpCall& call,
                     std::span<const Tensor> outputs,
                     const vk::Capabilities& caps,
                     dispatch::Program& program) {
    const auto& attrs = call.attrs_as<GradientAttrs>();
    const TensorImpl& scores = impl_of(outputs[0]);
    const Tensor& mask = call.inputs[4];
    Dims batch = scores.sizes;
    batch.pop_back();
    batch.pop_back();
    const Walk<1> walk = merge_dims<1>(batch, {batch_strides(mask, batch)});
    vk::AttentionGradientPush push{
        .query_count = static_cast<std::uint32_t>(scores.sizes[batch.count()]),
        .key_count = static_cast<std::uint32_t>(scores.sizes.back()),
        .element_count = static_cast<std::uint32_t>(scores.numel),
        .scale = attrs.forward.scale,
        .factor = attrs.factor,
        .log_sum_exp_offset = dispatch::bound_offset(call.inputs[2], caps),
        .dot_offset = dispatch::bound_offset(call.inputs[3], caps),
        .mask_offset = mask.defined() ? dispatch::bound_offset(mask, caps) : 0,
        .mask_row_stride = mask_stride(mask, -2),
        .mask_col_stride = mask_stride(mask, -1),
        .mask_batch_strides = {},
        .batch_sizes = {}};
    for (std::uint32_t d = 0; d < walk.rank; ++d) {
        push.mask_batch_strides[d] = walk.strides[0][d];
        if (d > 0) {
            push.batch_sizes[d - 1] = walk.sizes[d];
        }
    }
    dispatch::Step& step = program.steps.emplace_back();
    const std::size_t mask_input = mask.defined() ? 4 : 0;
    for (const std::size_t i :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, mask_input, std::size_t{3}}) {
        step.bindings.push_back(dispatch::input(i));
    }
    step.bindings.push_back(dispatch::output(0));
    step.bindings.push_back(dispatch::output(1));
    // Elements of an invocation: on software drivers enough to pay for finding the first.
    const std::uint32_t chunk = caps.is_cpu ? 16 : elements_per_word(scores.dtype);
    const auto chunk_count = static_cast<std::uint64_t>((scores.numel + chunk - 1) / chunk);
    const std::uint32_t local_size = launch_flat(step, chunk_count, caps);
    step.set(vk::AttentionGradientSpec{.local_size = local_size,
                                       .dtype = scores.dtype,
                                       .chunk = chunk,
                                       .mask = static_cast<std::uint32_t>(mask_kind(mask)),
                                       .is_causal = attrs.forward.is_causal,
                                       .batch_rank = walk.rank},
             push);
    step.work = static_cast<std::uint64_t>(scores.numel) * 32;
}

// Scores [batch, queries, keys]; causal queries count from the first.
std::int64_t window_of_gradient(const dispatch::OpCall& call,
                                std::size_t input,
                                std::int64_t output_rank,
                                std::int64_t dim) noexcept {
    const bool is_query = dim == output_rank - 2;
    if (dim == output_rank - 1 || (is_query && call.attrs_as<GradientAttrs>().forward.is_causal)) {
        return dispatch::kUncut;
    }
    return input == 4 ? dispatch::window_of_map(call, input, output_rank, dim) : dim;
}

struct Weights {
    Tensor weights;
    Tensor d_scores;  ///< times the factor asked for
};

Tensor transposed(const Tensor& x) {
    return transpose(x, -2, -1);
}

// True where a query may see a key, or undefined where all may.
Tensor allowed_keys(const Tensor& mask, bool is_causal, const Dims& scores) {
    Tensor allowed;
    if (is_causal) {
        const Dims square{scores[scores.count() - 2], scores.back()};
        allowed = tril(ones(square, kBool));
    }
    if (mask_kind(mask) == MaskKind::kBool) {
        allowed = allowed.defined() ? logical_and(allowed, mask) : mask;
    }
    return allowed;
}

// The weights from differentiable operators; a query without any key gets zeros.
Tensor differentiable_weights(const dispatch::BackwardCall& call) {
    const auto& attrs = call.attrs_as<AttentionAttrs>();
    const Tensor mask = call.input(3);
    Tensor scores = mul(matmul(call.input(0), transposed(call.input(1))), attrs.scale);
    if (mask_kind(mask) == MaskKind::kAdditive) {
        scores = add(scores, mask);
    }
    const Tensor allowed = allowed_keys(mask, attrs.is_causal, scores.sizes());
    if (!allowed.defined()) {
        return softmax(scores, -1);
    }
    constexpr double kFarBelow = -3e4;  // finite in every dtype, so that no row is all -infinity
    const Tensor floor = scalar_tensor(kFarBelow, scores.dtype());
    const Tensor zero = scalar_tensor(0.0, scores.dtype());
    return where(allowed, softmax(where(allowed, scores, floor), -1), zero);
}

// The value's gradient alone needs the weights, but neither the value nor d_scores.
bool wants_scores(const dispatch::BackwardCall& call) {
    return call.needs(0) || call.needs(1) || call.needs(3);
}

Weights differentiable(const dispatch::BackwardCall& call, const Tensor& d_result, double factor) {
    const Tensor weights = differentiable_weights(call);
    if (!wants_scores(call)) {
        return {.weights = weights, .d_scores = {}};
    }
    const Tensor d_weights = matmul(d_result, transposed(call.input(2)));
    const Tensor dot = sum(mul(weights, d_weights), {-1}, true);
    return {.weights = weights, .d_scores = mul(mul(weights, sub(d_weights, dot)), factor)};
}

// A mask with as many dimensions as the kernels walk.
Tensor with_batch(const Tensor& mask, const Dims& sizes) {
    if (!mask.defined() || sizes.count() - 2 <= kMaxAttentionBatchRank) {
        return mask;
    }
    return expand(mask, sizes).contiguous();
}

Tensor dot_of(const Tensor& d_result, const Tensor& result) {
    return sum(mul(d_result.to(kFloat32), result.to(kFloat32)), {-1});
}

Weights fused(const dispatch::BackwardCall& call, const Tensor& d_result, double factor) {
    const Tensor scores = matmul(call.input(0), transposed(call.input(1)));
    const Tensor log_sum_exp = call.output(1);
    const bool has_scores = wants_scores(call);
    // The kernel makes the same weights whatever it makes d_scores of.
    Tensor inputs[] = {scores,
                       has_scores ? matmul(d_result, transposed(call.input(2))) : scores,
                       log_sum_exp,
                       has_scores ? dot_of(d_result, call.output(0)) : log_sum_exp,
                       with_batch(call.input(3), scores.sizes())};
    std::array<Tensor, 2> outputs;
    dispatch::call_many(kAttentionGradient,
                        inputs,
                        GradientAttrs{.forward = call.attrs_as<AttentionAttrs>(),
                                      .factor = static_cast<float>(factor)},
                        outputs);
    return {.weights = outputs[0], .d_scores = outputs[1]};
}

void set_gradient(dispatch::BackwardCall& call, std::size_t index, const Tensor& gradient) {
    call.set(index, sum_to_size(gradient, call.input_sizes(index)));
}

}  // namespace

constexpr dispatch::OpDef kAttentionGradient{
    .name = "attention_gradient",
    .inputs = {{{"scores"}, {"d_weights"}, {"log_sum_exp"}, {"dot"}, {"mask"}}},
    .infer = infer_gradient,
    .select = select_gradient,
    .window = window_of_gradient,
};
static_assert(well_formed(kAttentionGradient));

// With S = scale Q K^T + M, P = softmax(S), O = P V: dV = P^T dO, dP = dO V^T,
// dS = P (dP - sum(dO O)), dM = dS, dQ = scale dS K, dK = scale dS^T Q.
void backward_attention(dispatch::BackwardCall& call) {
    const Tensor& d_result = call.grad(0);
    const double scale = call.attrs_as<AttentionAttrs>().scale;
    const double factor = call.needs(3) ? 1.0 : scale;
    const Weights found =
        is_grad_enabled() ? differentiable(call, d_result, factor) : fused(call, d_result, factor);
    if (call.needs(2)) {
        set_gradient(call, 2, matmul(transposed(found.weights), d_result));
    }
    if (call.needs(3)) {
        set_gradient(call, 3, found.d_scores);
    }
    const double rest = call.needs(3) ? scale : 1.0;
    const auto scaled = [rest](const Tensor& x) { return rest == 1.0 ? x : mul(x, rest); };
    if (call.needs(0)) {
        set_gradient(call, 0, scaled(matmul(found.d_scores, call.input(1))));
    }
    if (call.needs(1)) {
        set_gradient(call, 1, scaled(matmul(transposed(found.d_scores), call.input(0))));
    }
}

}  // namespace pumice::ops
