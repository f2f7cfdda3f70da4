// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/nn/layers.h"

#include <optional>

namespace pumice::nn {

/// How a MultiheadAttention is made.
struct MultiheadAttentionOptions {
    std::int64_t embed_dim = 0;
    std::int64_t num_heads = 1;
    /// Per head; 0 stands for embed_dim / num_heads.
    std::int64_t head_dim = 0;
    bool has_bias = true;
    /// Base of the rotary angles; no rotary positions when absent.
    std::optional<double> rotary_base = {};
    /// Factor on query key^T; 1/sqrt(head_dim) when absent.
    std::optional<double> scale = {};
};

/// Rotary position tables, cos and sin of position * base^(-2i/dim), grown on demand and kept in
/// persistent memory (G64). Source: Su et al., "RoFormer", 2021 (half-split layout).
class RotaryEmbeddingImpl : public Module {
public:
    /// @throws ArgumentError unless dim is positive and even, and base above 0
    explicit RotaryEmbeddingImpl(std::int64_t dim, double base = 10000.0);
    /// x: [..., T, dim] -> same shape, position t of the next-to-last dimension turned by its
    /// angles.
    Tensor forward(Tensor x);

private:
    void grow(std::int64_t position_count);

    std::int64_t dim_;
    double base_;
    Tensor cos_;
    Tensor sin_;
};

using RotaryEmbedding = ModuleHolder<RotaryEmbeddingImpl>;

/// Attention over several heads, batch first: query [B, L, E], key and value [B, S, E] -> [B, L,
/// E]. Source: Vaswani et al., "Attention is all you need", 2017.
class MultiheadAttentionImpl : public Module {
public:
    /// @throws ArgumentError for counts that are not positive or do not divide
    explicit MultiheadAttentionImpl(const MultiheadAttentionOptions& options);

    /// mask: undefined, additive or bool (true takes part), broadcast to [B, heads, L, S].
    Tensor forward(const Tensor& query,
                   const Tensor& key,
                   const Tensor& value,
                   const Tensor& mask = {},
                   bool is_causal = false);

    Linear q_proj = nullptr;
    Linear k_proj = nullptr;
    Linear v_proj = nullptr;
    Linear out_proj = nullptr;
    RotaryEmbedding rotary = nullptr;

private:
    [[nodiscard]] Tensor split_heads(Tensor x) const;

    std::int64_t num_heads_;
    std::int64_t head_dim_;
    std::optional<double> scale_;
};

using MultiheadAttention = ModuleHolder<MultiheadAttentionImpl>;

}  // namespace pumice::nn
