// SPDX-License-Identifier: Apache-2.0
// MultiheadAttention: projections, heads and masks.
#include "pumice/nn/attention.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace pumice::nn {

namespace {

std::int64_t head_dim_of(const MultiheadAttentionOptions& options) {
    if (options.head_dim < 0) {
        throw ArgumentError(
            "MultiheadAttention",
            fmt::format("head_dim must be positive, or 0 for embed_dim / num_heads; got {}",
                        options.head_dim));
    }
    if (options.embed_dim <= 0 || options.num_heads <= 0) {
        throw ArgumentError("MultiheadAttention",
                            fmt::format("embed_dim and num_heads must be positive; got "
                                        "embed_dim {} and num_heads {}",
                                        options.embed_dim,
                                        options.num_heads));
    }
    if (options.head_dim > 0) {
        return options.head_dim;
    }
    if (options.embed_dim % options.num_heads != 0) {
        throw ArgumentError("MultiheadAttention",
                            fmt::format("num_heads must divide embed_dim; got num_heads {} and "
                                        "embed_dim {}",
                                        options.num_heads,
                                        options.embed_dim));
    }
    return options.embed_dim / options.num_heads;
}

}  // namespace

RotaryEmbeddingImpl::RotaryEmbeddingImpl(std::int64_t dim, double base) : dim_(dim), base_(base) {
    if (dim <= 0 || dim % 2 != 0 || !(base > 0.0)) {
        throw ArgumentError(
            "RotaryEmbedding",
            fmt::format(
                "dim must be positive and even, base above 0; got dim {} and base {}", dim, base));
    }
}

Tensor RotaryEmbeddingImpl::forward(Tensor x) {
    if (x.dim() < 2 || x.size(-1) != dim_) {
        throw ShapeError("RotaryEmbedding",
                         fmt::format("wanted [..., T, {}]; got {}", dim_, to_string(x.sizes())));
    }
    const std::int64_t position_count = x.size(-2);
    if (!cos_.defined() || cos_.size(0) < position_count) {
        grow(position_count);
    }
    return rotary_embedding(
        std::move(x), cos_.narrow(0, 0, position_count), sin_.narrow(0, 0, position_count));
}

// Angles in double on the host, so that the tables do not depend on the driver's sin and cos.
void RotaryEmbeddingImpl::grow(std::int64_t position_count) {
    const std::int64_t rows = std::max<std::int64_t>(
        position_count, cos_.defined() ? 2 * cos_.size(0) : std::int64_t{64});
    const std::int64_t columns = dim_ / 2;
    std::vector<float> cos_values;
    std::vector<float> sin_values;
    for (std::int64_t t = 0; t < rows; ++t) {
        for (std::int64_t i = 0; i < columns; ++i) {
            const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(dim_);
            const double angle = static_cast<double>(t) * std::pow(base_, exponent);
            cos_values.push_back(static_cast<float>(std::cos(angle)));
            sin_values.push_back(static_cast<float>(std::sin(angle)));
        }
    }
    const PersistentAllocGuard guard;
    cos_ = from_values<float>(cos_values, {rows, columns}, kFloat32);
    sin_ = from_values<float>(sin_values, {rows, columns}, kFloat32);
}

MultiheadAttentionImpl::MultiheadAttentionImpl(const MultiheadAttentionOptions& options)
    : num_heads_(options.num_heads), head_dim_(head_dim_of(options)), scale_(options.scale) {
    const std::int64_t inner = num_heads_ * head_dim_;
    q_proj = register_module("q_proj", Linear(options.embed_dim, inner, options.has_bias));
    k_proj = register_module("k_proj", Linear(options.embed_dim, inner, options.has_bias));
    v_proj = register_module("v_proj", Linear(options.embed_dim, inner, options.has_bias));
    out_proj = register_module("out_proj", Linear(inner, options.embed_dim, options.has_bias));
    if (options.rotary_base) {
        rotary = register_module("rotary", RotaryEmbedding(head_dim_, *options.rotary_base));
    }
}

void MultiheadAttentionImpl::rebind() {
    q_proj = registered_module<Linear>("q_proj");
    k_proj = registered_module<Linear>("k_proj");
    v_proj = registered_module<Linear>("v_proj");
    out_proj = registered_module<Linear>("out_proj");
    rotary = registered_module<RotaryEmbedding>("rotary");
}

Tensor MultiheadAttentionImpl::split_heads(const Tensor& x) const {
    return x.view({x.size(0), x.size(1), num_heads_, head_dim_}).transpose(1, 2);
}

Tensor MultiheadAttentionImpl::forward(const Tensor& query,
                                       const Tensor& key,
                                       const Tensor& value,
                                       const Tensor& mask,
                                       bool is_causal) {
    if (query.dim() != 3 || key.dim() != 3 || value.dim() != 3) {
        throw ShapeError("MultiheadAttention",
                         fmt::format("wanted query [B, L, E], key [B, S, E] and value [B, S, E]; "
                                     "got query {}, key {} and value {}",
                                     to_string(query.sizes()),
                                     to_string(key.sizes()),
                                     to_string(value.sizes())));
    }
    Tensor q = split_heads(q_proj(query));
    Tensor k = split_heads(k_proj(key));
    if (!rotary.is_empty()) {
        q = rotary(std::move(q));
        k = rotary(std::move(k));
    }
    Tensor mixed = scaled_dot_product_attention(
        std::move(q), std::move(k), split_heads(v_proj(value)), mask, is_causal, scale_);
    return out_proj(
        reshape(mixed.transpose(1, 2), {query.size(0), query.size(1), num_heads_ * head_dim_}));
}

}  // namespace pumice::nn
