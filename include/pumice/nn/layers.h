// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/nn/module.h"

namespace pumice::nn {

/// y = x W^T + b. x: [..., in], y: [..., out], floating. weight: [out, in], bias: [out].
/// Both start uniform in +-1/sqrt(in), as in PyTorch.
class LinearImpl : public Module {
public:
    /// @throws ArgumentError unless both feature counts are positive
    LinearImpl(std::int64_t in_features, std::int64_t out_features, bool has_bias = true);
    [[nodiscard]] Tensor forward(Tensor x) const;

    Tensor weight;
    Tensor bias;
};

using Linear = ModuleHolder<LinearImpl>;

/// Rows of a table. indices: [...] int32, result: [..., embedding_dim]. weight starts normal(0, 1).
class EmbeddingImpl : public Module {
public:
    /// Rows equal to `padding_idx` start zero and get no gradient; -1 stands for none.
    EmbeddingImpl(std::int64_t num_embeddings,
                  std::int64_t embedding_dim,
                  std::int64_t padding_idx = -1);
    [[nodiscard]] Tensor forward(Tensor indices) const;

    Tensor weight;

private:
    std::int64_t padding_idx_;
};

using Embedding = ModuleHolder<EmbeddingImpl>;

/// (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions (population variance).
/// Source: Ba et al., "Layer normalization", 2016.
class LayerNormImpl : public Module {
public:
    explicit LayerNormImpl(Dims normalized_shape,
                           double eps = 1e-5,
                           bool elementwise_affine = true,
                           bool has_bias = true);
    [[nodiscard]] Tensor forward(Tensor x) const;

    Tensor weight;
    Tensor bias;

private:
    Dims normalized_shape_;
    double eps_;
};

using LayerNorm = ModuleHolder<LayerNormImpl>;

/// x / sqrt(mean(x^2) + eps) * weight over the last dimensions.
/// Source: Zhang and Sennrich, "Root mean square layer normalization", 2019.
class RMSNormImpl : public Module {
public:
    explicit RMSNormImpl(Dims normalized_shape, double eps = 1e-6, bool elementwise_affine = true);
    [[nodiscard]] Tensor forward(Tensor x) const;

    Tensor weight;

private:
    Dims normalized_shape_;
    double eps_;
};

using RMSNorm = ModuleHolder<RMSNormImpl>;

/// Zeroes elements with probability p and scales the rest by 1/(1-p) while training.
class DropoutImpl : public Module {
public:
    /// @throws ArgumentError unless 0 <= p < 1
    explicit DropoutImpl(double p = 0.5);
    [[nodiscard]] Tensor forward(Tensor x) const;

private:
    double p_;
};

using Dropout = ModuleHolder<DropoutImpl>;

}  // namespace pumice::nn
