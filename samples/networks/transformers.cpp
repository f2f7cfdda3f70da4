// SPDX-License-Identifier: Apache-2.0
#include "networks/transformers.h"

#include "pumice/pumice.h"

#include <cmath>
#include <utility>

namespace networks {

using pumice::Tensor;
namespace nn = pumice::nn;

EncoderLayerImpl::EncoderLayerImpl(const EncoderConfig& config) {
    attention_ = register_module("attention",
                                 nn::MultiheadAttention(nn::MultiheadAttentionOptions{
                                     .embed_dim = config.dim,
                                     .num_heads = config.head_count,
                                     .head_dim = config.dim / config.head_count}));
    attention_norm_ = register_module("attention_norm", nn::LayerNorm(pumice::Dims{config.dim}));
    up_ = register_module("up", nn::Linear(config.dim, config.feed_forward_dim));
    down_ = register_module("down", nn::Linear(config.feed_forward_dim, config.dim));
    output_norm_ = register_module("output_norm", nn::LayerNorm(pumice::Dims{config.dim}));
}

Tensor EncoderLayerImpl::forward(Tensor x) const {
    Tensor mixed = attention_(x, x, x);
    Tensor attended = attention_norm_(add(std::move(mixed), std::move(x)));
    Tensor hidden = down_(gelu(up_(attended)));
    return output_norm_(add(std::move(hidden), std::move(attended)));
}

EncoderImpl::EncoderImpl(const EncoderConfig& config) {
    tokens_ = register_module("tokens", nn::Embedding(config.vocabulary, config.dim));
    positions_ = register_module("positions", nn::Embedding(config.most_positions, config.dim));
    norm_ = register_module("norm", nn::LayerNorm(pumice::Dims{config.dim}));
    layers_ = register_module("layers", nn::ModuleList<EncoderLayer>());
    for (std::int64_t i = 0; i < config.layer_count; ++i) {
        layers_->push_back(EncoderLayer(config));
    }
}

Tensor EncoderImpl::forward(const Tensor& ids) const {
    const Tensor places = pumice::arange(0, ids.size(1), 1, pumice::kInt32);
    Tensor x = norm_(add(tokens_(ids), positions_(places)));
    for (const EncoderLayer& layer : *layers_) {
        x = layer(std::move(x));
    }
    return x;
}

DecoderLayerImpl::DecoderLayerImpl(const DecoderConfig& config) : head_count_(config.head_count) {
    const auto linear = [this](const char* name, std::int64_t in, std::int64_t out) {
        return register_module(name, nn::Linear(in, out, false));
    };
    attention_norm_ = register_module("attention_norm", nn::RMSNorm(pumice::Dims{config.dim}));
    query_ = linear("query", config.dim, config.dim);
    key_ = linear("key", config.dim, config.dim);
    value_ = linear("value", config.dim, config.dim);
    output_ = linear("output", config.dim, config.dim);
    feed_forward_norm_ =
        register_module("feed_forward_norm", nn::RMSNorm(pumice::Dims{config.dim}));
    gate_ = linear("gate", config.dim, config.feed_forward_dim);
    up_ = linear("up", config.dim, config.feed_forward_dim);
    down_ = linear("down", config.feed_forward_dim, config.dim);
    const pumice::Dims cache{
        1, config.head_count, config.most_positions, config.dim / config.head_count};
    keys_ = register_buffer("keys", pumice::zeros(cache), false);
    values_ = register_buffer("values", pumice::zeros(cache), false);
}

Tensor DecoderLayerImpl::split_heads(const Tensor& x) const {
    return x.view({x.size(0), x.size(1), head_count_, x.size(2) / head_count_}).transpose(1, 2);
}

Tensor DecoderLayerImpl::forward(Tensor x,
                                 const Tensor& cos,
                                 const Tensor& sin,
                                 std::int64_t position) const {
    Tensor normed = attention_norm_(x);
    Tensor query = rotary_embedding(split_heads(query_(normed)), cos, sin);
    {
        const pumice::NoGradGuard guard;  // the cache has no history
        Tensor key_place = keys_.narrow(2, position, 1);
        Tensor value_place = values_.narrow(2, position, 1);
        copy_(key_place, rotary_embedding(split_heads(key_(normed)), cos, sin));
        copy_(value_place, split_heads(value_(std::move(normed))));
    }
    const Tensor keys = keys_.narrow(2, 0, position + 1);
    const Tensor values = values_.narrow(2, 0, position + 1);
    Tensor attended = scaled_dot_product_attention(std::move(query), keys, values);
    attended = std::move(attended).transpose(1, 2).reshape(x.sizes());
    x = add(output_(std::move(attended)), std::move(x));
    Tensor hidden = feed_forward_norm_(x);
    Tensor gate = silu(gate_(hidden));
    hidden = mul(std::move(gate), up_(std::move(hidden)));
    return add(down_(std::move(hidden)), std::move(x));
}

DecoderImpl::DecoderImpl(const DecoderConfig& config) {
    layers_ = register_module("layers", nn::ModuleList<DecoderLayer>());
    for (std::int64_t i = 0; i < config.layer_count; ++i) {
        layers_->push_back(DecoderLayer(config));
    }
    norm_ = register_module("norm", nn::RMSNorm(pumice::Dims{config.dim}));
    const std::int64_t half = config.dim / config.head_count / 2;
    const Tensor places = pumice::arange(0, config.most_positions, 1, pumice::kFloat32);
    const Tensor rates = exp(mul(pumice::arange(0, half, 1, pumice::kFloat32),
                                 -std::log(1e4) / static_cast<double>(half)));
    const Tensor angles = mul(places.unsqueeze(1), rates);
    cos_ = register_buffer("cos", pumice::cos(angles), false);
    sin_ = register_buffer("sin", pumice::sin(angles), false);
}

Tensor DecoderImpl::forward(const Tensor& x, std::int64_t position) const {
    const Tensor cos = cos_.narrow(0, position, 1);
    const Tensor sin = sin_.narrow(0, position, 1);
    Tensor y = x;
    for (const DecoderLayer& layer : *layers_) {
        y = layer->forward(std::move(y), cos, sin, position);
    }
    return norm_(std::move(y));
}

}  // namespace networks
