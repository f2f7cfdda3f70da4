// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/nn/layers.h"

#include <optional>

namespace PUMICE_API pumice {
namespace nn {

/// How a MultiheadAttention is made.
struct MultiheadAttentionOptions {
    /// E, the last extent of query, key, value and result; must be set.
    std::int64_t embed_dim = 0;
    /// Heads that attend apart.
    std::int64_t num_heads = 1;
    /// Per head; 0 stands for embed_dim / num_heads.
    std::int64_t head_dim = 0;
    /// Whether the four projections have a bias.
    bool has_bias = true;
    /// Base of the rotary angles; no rotary positions when absent.
    std::optional<double> rotary_base = {};
    /// Factor on query key^T; 1/sqrt(head_dim) when absent.
    std::optional<double> scale = {};
};

/// Rotary position tables, cos and sin of position * base^(-2i/dim), grown on demand and kept in
/// persistent memory (G64); float32, no parameters or buffers.
/// Source: Su et al., "RoFormer", 2021 (half-split layout).
class RotaryEmbeddingImpl : public Cloneable<RotaryEmbeddingImpl> {
public:
    /// @throws ArgumentError unless dim is positive and even, and base above 0
    explicit RotaryEmbeddingImpl(std::int64_t dim, double base = 10000.0);
    /// x: [..., T, dim] floating -> same shape, position t (from 0) of the next-to-last dimension
    /// turned by its angles. Not to be called from two threads at once.
    /// @throws ShapeError, DTypeError as rotary_embedding
    Tensor forward(Tensor x);

protected:
    /// Does nothing: copies share the tables, which are never written.
    void rebind() override {}

private:
    void grow(std::int64_t position_count);

    std::int64_t dim_;
    double base_;
    Tensor cos_;
    Tensor sin_;
};

/// Owner of a RotaryEmbeddingImpl.
using RotaryEmbedding = ModuleHolder<RotaryEmbeddingImpl>;

/// Attention over several heads, batch first: query [B, L, E], key and value [B, S, E] ->
/// [B, L, E]. Source: Vaswani et al., "Attention is all you need", 2017. Departures from
/// torch.nn.MultiheadAttention: four Linear projections, no dropout, no weights as a second result.
class MultiheadAttentionImpl : public Cloneable<MultiheadAttentionImpl> {
public:
    /// @throws ArgumentError for counts that are not positive or do not divide, and as
    ///         RotaryEmbedding
    explicit MultiheadAttentionImpl(const MultiheadAttentionOptions& options);

    /// mask: undefined, additive (query's dtype) or bool (true takes part; PyTorch: does not),
    /// broadcast to [B, heads, L, S]. is_causal as scaled_dot_product_attention.
    /// @throws ShapeError for shapes that do not fit, DTypeError for other dtypes than the
    ///         parameters', ArgumentError for an undefined operand
    Tensor forward(const Tensor& query,
                   const Tensor& key,
                   const Tensor& value,
                   const Tensor& mask = {},
                   bool is_causal = false);

    Linear q_proj = nullptr;           ///< E -> num_heads * head_dim
    Linear k_proj = nullptr;           ///< E -> num_heads * head_dim
    Linear v_proj = nullptr;           ///< E -> num_heads * head_dim
    Linear out_proj = nullptr;         ///< num_heads * head_dim -> E
    RotaryEmbedding rotary = nullptr;  ///< on query and key; empty without rotary_base

protected:
    /// See Module::rebind.
    void rebind() override;

private:
    [[nodiscard]] Tensor split_heads(const Tensor& x) const;

    std::int64_t num_heads_;
    std::int64_t head_dim_;
    std::optional<double> scale_;
};

/// Owner of a MultiheadAttentionImpl.
using MultiheadAttention = ModuleHolder<MultiheadAttentionImpl>;

}  // namespace nn
}  // namespace pumice
