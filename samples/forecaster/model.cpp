// SPDX-License-Identifier: Apache-2.0
#include "forecaster/model.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include <cmath>
#include <limits>

namespace forecaster {

using pumice::Dims;
using pumice::Tensor;
using pumice::nn::Linear;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Overwrites a parameter with normal(0, deviation).
void set_normal(Tensor parameter, double deviation) {
    pumice::no_grad([&] { copy_(parameter, mul(pumice::randn(parameter.sizes()), deviation)); });
}

double inverse_root(std::int64_t count) {
    return 1.0 / std::sqrt(static_cast<double>(count));
}

pumice::nn::MultiheadAttentionOptions attention_options(const Config& config) {
    return {.embed_dim = config.model_dim,
            .num_heads = config.head_count,
            .head_dim = config.head_dim,
            .has_bias = false,
            .rotary_base = config.rotary_base,
            .scale = 1.0};
}

// Location and scale of each row over its observed values; an unobserved row has 0 and 1e-5.
struct Norm {
    Tensor loc;
    Tensor scale;
};

Norm instance_norm(const Tensor& values, const Tensor& observed) {
    const Tensor count = clamp(sum(observed, {1}, true), 1.0, {});
    const Tensor loc = div(sum(values, {1}, true), count);
    const Tensor centered = mul(sub(values, loc), observed);
    const Tensor deviation = sqrt(div(sum(square(centered), {1}, true), count));
    const Tensor floor = full_like(deviation, 1e-5);
    return {.loc = loc, .scale = where(gt(deviation, 0.0), deviation, floor)};
}

}  // namespace

ResidualBlockImpl::ResidualBlockImpl(std::int64_t in_dim,
                                     std::int64_t hidden_dim,
                                     std::int64_t out_dim) {
    hidden_layer = register_module("hidden_layer", Linear(in_dim, hidden_dim));
    output_layer = register_module("output_layer", Linear(hidden_dim, out_dim));
    residual_layer = register_module("residual_layer", Linear(in_dim, out_dim));
    for (const Linear& layer : {hidden_layer, output_layer, residual_layer}) {
        set_normal(layer->weight, inverse_root(layer->weight.size(1)));
        pumice::no_grad([&] { zero_(layer->bias); });
    }
}

Tensor ResidualBlockImpl::forward(const Tensor& x) const {
    return output_layer(relu(hidden_layer(x))) + residual_layer(x);
}

EncoderBlockImpl::EncoderBlockImpl(const Config& config) {
    const std::int64_t dim = config.model_dim;
    attention_norm = register_module("attention_norm", pumice::nn::RMSNorm(Dims{dim}));
    attention =
        register_module("attention", pumice::nn::MultiheadAttention(attention_options(config)));
    feed_forward_norm = register_module("feed_forward_norm", pumice::nn::RMSNorm(Dims{dim}));
    wi = register_module("wi", Linear(dim, config.feed_forward_dim, false));
    wo = register_module("wo", Linear(config.feed_forward_dim, dim, false));
}

Tensor EncoderBlockImpl::forward(Tensor x, const Tensor& mask) const {
    {
        const Tensor normed = attention_norm(x);
        x = x + attention->forward(normed, normed, normed, mask);
    }
    return x + wo(relu(wi(feed_forward_norm(x))));
}

ForecasterImpl::ForecasterImpl(const Config& config) : config_(config) {
    const std::int64_t quantile_count = static_cast<std::int64_t>(config.quantiles.size());
    const std::int64_t patch = config.patch_length;
    input_patch_embedding_ = register_module(
        "input_patch_embedding", ResidualBlock(3 * patch, config.hidden_dim, config.model_dim));
    output_patch_embedding_ =
        register_module("output_patch_embedding",
                        ResidualBlock(config.model_dim, config.hidden_dim, quantile_count * patch));
    reg_token_ = register_parameter("reg_token", pumice::zeros({config.model_dim}));
    for (std::int64_t i = 0; i < config.block_count; ++i) {
        blocks_->push_back(EncoderBlock(config));
    }
    register_module("blocks", blocks_);
    final_norm_ = register_module("final_norm", pumice::nn::RMSNorm(Dims{config.model_dim}));
    quantiles_ = register_buffer(
        "quantiles",
        pumice::from_values<double>(config.quantiles, {quantile_count}, pumice::kFloat32),
        false);
    initialise();
}

// Scales under which a deep pre-norm encoder without attention scaling starts calm: queries absorb
// the missing 1/sqrt(d), branches shrink with depth, the head starts near zero.
void ForecasterImpl::initialise() {
    const double branch = inverse_root(2 * config_.block_count);
    const double model = inverse_root(config_.model_dim);
    set_normal(reg_token_, 0.5);
    for (const EncoderBlock& block : *blocks_) {
        set_normal(block->attention->q_proj->weight, model * inverse_root(config_.head_dim));
        set_normal(block->attention->k_proj->weight, model);
        set_normal(block->attention->v_proj->weight, model);
        set_normal(block->attention->out_proj->weight,
                   inverse_root(config_.head_count * config_.head_dim) * branch);
        set_normal(block->wi->weight, model);
        set_normal(block->wo->weight, inverse_root(config_.feed_forward_dim) * branch);
    }
    constexpr double kHeadScale = 0.3;
    pumice::no_grad([&] {
        for (const Linear& layer :
             {output_patch_embedding_->output_layer, output_patch_embedding_->residual_layer}) {
            Tensor weight = layer->weight;
            mul_(weight, kHeadScale);
        }
    });
}

Tensor ForecasterImpl::features(const Tensor& values,
                                const Tensor& observed,
                                std::int64_t patch_count) const {
    const std::int64_t patch = config_.patch_length;
    const std::int64_t rows = values.size(0);
    const std::int64_t context_patches = values.size(1) / patch;
    const std::int64_t all = context_patches + patch_count;
    const Dims future = {0, patch_count * patch};
    const Tensor steps =
        div(pumice::arange(-context_patches * patch, patch_count * patch, 1, pumice::kFloat32),
            config_.time_scale);
    return pumice::cat({expand(steps.view({1, all, patch}), {rows, all, patch}),
                        pad(values, future).view({rows, all, patch}),
                        pad(observed, future).view({rows, all, patch})},
                       -1);
}

// A function of its own, so that everything but its result dies before the encoder's peak.
ForecasterImpl::Embedded ForecasterImpl::embed(const Tensor& context,
                                               std::int64_t patch_count) const {
    const std::int64_t patch = config_.patch_length;
    const std::int64_t missing = (patch - context.size(1) % patch) % patch;
    const Tensor padded = pad(context, {missing, 0}, kNaN);
    const std::int64_t rows = padded.size(0);
    const std::int64_t context_patches = padded.size(1) / patch;

    const Tensor is_observed = logical_not(isnan(padded));
    const Tensor observed = is_observed.to(pumice::kFloat32);
    const Tensor raw = where(is_observed, padded, pumice::zeros_like(padded));
    Norm norm = instance_norm(raw, observed);
    const Tensor values = mul(asinh(div(sub(raw, norm.loc), norm.scale)), observed);

    const Tensor tokens = input_patch_embedding_(features(values, observed, patch_count));
    const Tensor reg =
        expand(reg_token_.view({1, 1, config_.model_dim}), {rows, 1, config_.model_dim});
    Tensor sequence = pumice::cat(
        {tokens.narrow(1, 0, context_patches), reg, tokens.narrow(1, context_patches, patch_count)},
        1);
    const Tensor has_values = any(is_observed.view({rows, context_patches, patch}), {2});
    const Tensor mask =
        pumice::cat({has_values, pumice::ones({rows, 1 + patch_count}, pumice::kBool)}, 1)
            .view({rows, 1, 1, context_patches + 1 + patch_count});
    return {.tokens = std::move(sequence),
            .mask = mask,
            .loc = std::move(norm.loc),
            .scale = std::move(norm.scale)};
}

Prediction ForecasterImpl::forward(const Tensor& context, std::int64_t patch_count) {
    const std::int64_t patch = config_.patch_length;
    if (context.dim() != 2 || context.size(1) < 1 || context.size(1) > config_.context_length ||
        patch_count < 1 || patch_count * patch > config_.horizon_length) {
        throw pumice::ShapeError(
            "forecaster",
            "wanted a context [B, 1.." + std::to_string(config_.context_length) + "] and at most " +
                std::to_string(config_.horizon_length) + " steps; got " +
                to_string(context.sizes()) + " and " + std::to_string(patch_count * patch));
    }
    const std::int64_t rows = context.size(0);
    Embedded embedded = embed(context, patch_count);
    Tensor hidden = std::move(embedded.tokens);
    for (const EncoderBlock& block : *blocks_) {
        hidden = block->forward(std::move(hidden), embedded.mask);
    }
    const std::int64_t token_count = hidden.size(1);
    const Tensor last = final_norm_(hidden.narrow(1, token_count - patch_count, patch_count));
    const std::int64_t quantile_count = quantiles_.numel();
    const Tensor patches = output_patch_embedding_(last)
                               .view({rows, patch_count, quantile_count, patch})
                               .permute({0, 1, 3, 2});
    return {.normalised = reshape(patches, {rows, patch_count * patch, quantile_count}),
            .loc = std::move(embedded.loc),
            .scale = std::move(embedded.scale)};
}

Tensor ForecasterImpl::predict(const Tensor& context, std::int64_t patch_count) {
    Prediction prediction = forward(context, patch_count);
    const Tensor spread =
        mul(sinh(std::move(prediction.normalised)), prediction.scale.unsqueeze(-1));
    return add(spread, prediction.loc.unsqueeze(-1));
}

Tensor ForecasterImpl::loss(const Tensor& context, const Tensor& target) {
    constexpr double kTargetLimit = 10.0;
    const Prediction prediction = forward(context, target.size(1) / config_.patch_length);
    // No gradient flows through location and scale: they come from the data alone.
    const Tensor wanted = pumice::no_grad([&] {
        return clamp(
            asinh(div(sub(target, prediction.loc), prediction.scale)), -kTargetLimit, kTargetLimit);
    });
    const double factor = 2.0 * static_cast<double>(quantiles_.numel());
    return mul(quantile_loss(prediction.normalised, wanted, quantiles_), factor);
}

}  // namespace forecaster
