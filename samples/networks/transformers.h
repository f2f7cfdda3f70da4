// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/nn/attention.h"
#include "pumice/nn/containers.h"
#include "pumice/nn/layers.h"
#include "pumice/nn/module.h"

#include <cstdint>

namespace networks {

/// Sizes of an Encoder; the defaults are BERT-base's.
struct EncoderConfig {
    std::int64_t vocabulary = 30522;
    std::int64_t most_positions = 512;
    std::int64_t dim = 768;
    std::int64_t head_count = 12;
    std::int64_t feed_forward_dim = 3072;
    std::int64_t layer_count = 12;
};

/// An encoder layer that normalises after each half. x: [B, T, dim] -> same.
class EncoderLayerImpl : public pumice::nn::Module {
public:
    explicit EncoderLayerImpl(const EncoderConfig& config);
    [[nodiscard]] pumice::Tensor forward(pumice::Tensor x) const;

private:
    pumice::nn::MultiheadAttention attention_ = nullptr;
    pumice::nn::LayerNorm attention_norm_ = nullptr;
    pumice::nn::Linear up_ = nullptr;
    pumice::nn::Linear down_ = nullptr;
    pumice::nn::LayerNorm output_norm_ = nullptr;
};

using EncoderLayer = pumice::nn::ModuleHolder<EncoderLayerImpl>;

/// Token and position embeddings, then layers. Source: Devlin et al., "BERT", 2018.
class EncoderImpl : public pumice::nn::Module {
public:
    explicit EncoderImpl(const EncoderConfig& config);
    /// ids: int32 [B, T] -> [B, T, dim].
    [[nodiscard]] pumice::Tensor forward(const pumice::Tensor& ids) const;

private:
    pumice::nn::Embedding tokens_ = nullptr;
    pumice::nn::Embedding positions_ = nullptr;
    pumice::nn::LayerNorm norm_ = nullptr;
    pumice::nn::ModuleList<EncoderLayer> layers_;
};

using Encoder = pumice::nn::ModuleHolder<EncoderImpl>;

/// Sizes of a Decoder.
struct DecoderConfig {
    std::int64_t dim = 1024;
    std::int64_t head_count = 16;
    std::int64_t feed_forward_dim = 2816;
    std::int64_t layer_count = 4;
    std::int64_t most_positions = 512;
};

/// A decoder layer with a cache of its keys and values. x: [B, 1, dim] -> same.
class DecoderLayerImpl : public pumice::nn::Module {
public:
    explicit DecoderLayerImpl(const DecoderConfig& config);
    /// Writes the token's keys and values at `position`, and looks at all up to it.
    /// cos, sin: [1, head_dim / 2] of that position.
    [[nodiscard]] pumice::Tensor forward(pumice::Tensor x,
                                         const pumice::Tensor& cos,
                                         const pumice::Tensor& sin,
                                         std::int64_t position) const;

private:
    [[nodiscard]] pumice::Tensor split_heads(const pumice::Tensor& x) const;

    std::int64_t head_count_;
    pumice::nn::RMSNorm attention_norm_ = nullptr;
    pumice::nn::Linear query_ = nullptr;
    pumice::nn::Linear key_ = nullptr;
    pumice::nn::Linear value_ = nullptr;
    pumice::nn::Linear output_ = nullptr;
    pumice::nn::RMSNorm feed_forward_norm_ = nullptr;
    pumice::nn::Linear gate_ = nullptr;
    pumice::nn::Linear up_ = nullptr;
    pumice::nn::Linear down_ = nullptr;
    pumice::Tensor keys_;    ///< [1, heads, most_positions, head_dim]
    pumice::Tensor values_;  ///< the same
};

using DecoderLayer = pumice::nn::ModuleHolder<DecoderLayerImpl>;

/// One step of a decoder-only transformer with rotary positions and gated feed-forward. Source:
/// Touvron et al., "LLaMA", 2023.
class DecoderImpl : public pumice::nn::Module {
public:
    explicit DecoderImpl(const DecoderConfig& config);
    /// x: [1, 1, dim], the embedded token at `position` -> [1, 1, dim].
    [[nodiscard]] pumice::Tensor forward(const pumice::Tensor& x, std::int64_t position) const;

private:
    pumice::nn::ModuleList<DecoderLayer> layers_;
    pumice::nn::RMSNorm norm_ = nullptr;
    pumice::Tensor cos_;  ///< [most_positions, head_dim / 2]
    pumice::Tensor sin_;
};

using Decoder = pumice::nn::ModuleHolder<DecoderImpl>;

}  // namespace networks
