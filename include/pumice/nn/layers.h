// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/nn/module.h"
#include "pumice/nn/options.h"

namespace PUMICE_API pumice {
namespace nn {

/// y = x W^T + b. x: [..., in], y: [..., out], of the dtype that the parameters have (float32 at
/// first). weight and bias start uniform in +-1/sqrt(in), as in PyTorch.
class LinearImpl : public Cloneable<LinearImpl> {
public:
    /// @throws ArgumentError unless both feature counts are positive
    LinearImpl(std::int64_t in_features, std::int64_t out_features, bool has_bias = true);

    /// The same from options.
    explicit LinearImpl(const LinearOptions& options)
        : LinearImpl(options.in_features(), options.out_features(), options.bias()) {}

    /// [..., in] -> [..., out]. @throws ShapeError, DTypeError as pumice::linear
    [[nodiscard]] Tensor forward(Tensor x) const;

    Tensor weight;  ///< [out_features, in_features]
    Tensor bias;    ///< [out_features], undefined without has_bias

protected:
    /// See Module::rebind.
    void rebind() override;
};

/// Owner of a LinearImpl.
using Linear = ModuleHolder<LinearImpl>;

/// Rows of a table. indices: [...] int32, result: [..., embedding_dim]. weight starts normal(0, 1).
class EmbeddingImpl : public Cloneable<EmbeddingImpl> {
public:
    /// The row `padding_idx` starts zero and gets no gradient; -1 stands for none.
    /// @throws ArgumentError unless both counts are positive and padding_idx is in
    ///         [-1, num_embeddings)
    EmbeddingImpl(std::int64_t num_embeddings,
                  std::int64_t embedding_dim,
                  std::int64_t padding_idx = -1);
    /// The same from options. A padding row may be counted from the end.
    explicit EmbeddingImpl(const EmbeddingOptions& options);
    /// [...] int32 -> [..., embedding_dim]. @throws DTypeError as pumice::embedding
    [[nodiscard]] Tensor forward(Tensor indices) const;

    Tensor weight;  ///< [num_embeddings, embedding_dim]

protected:
    /// See Module::rebind.
    void rebind() override;

private:
    std::int64_t padding_idx_;
};

/// Owner of an EmbeddingImpl.
using Embedding = ModuleHolder<EmbeddingImpl>;

/// (x - mean) / sqrt(var + eps) * weight + bias over the last dimensions (population variance).
/// Source: Ba et al., "Layer normalization", 2016.
class LayerNormImpl : public Cloneable<LayerNormImpl> {
public:
    /// Without elementwise_affine there is neither weight nor bias, whatever has_bias says.
    /// @throws ShapeError for a negative extent
    explicit LayerNormImpl(Dims normalized_shape,
                           double eps = 1e-5,
                           bool elementwise_affine = true,
                           bool has_bias = true);

    /// The same from options.
    explicit LayerNormImpl(const LayerNormOptions& options)
        : LayerNormImpl(options.normalized_shape(), options.eps(), options.elementwise_affine()) {}

    /// [..., *normalized_shape] -> same. @throws ShapeError, DTypeError as pumice::layer_norm
    [[nodiscard]] Tensor forward(Tensor x) const;

    Tensor weight;  ///< normalized_shape, ones at first, or undefined
    Tensor bias;    ///< normalized_shape, zeros at first, or undefined

protected:
    /// See Module::rebind.
    void rebind() override;

private:
    Dims normalized_shape_;
    double eps_;
};

/// Owner of a LayerNormImpl.
using LayerNorm = ModuleHolder<LayerNormImpl>;

/// x / sqrt(mean(x^2) + eps) * weight over the last dimensions.
/// Source: Zhang and Sennrich, "Root mean square layer normalization", 2019.
class RMSNormImpl : public Cloneable<RMSNormImpl> {
public:
    /// @throws ShapeError for a negative extent
    explicit RMSNormImpl(Dims normalized_shape, double eps = 1e-6, bool elementwise_affine = true);
    /// [..., *normalized_shape] -> same. @throws ShapeError, DTypeError as pumice::rms_norm
    [[nodiscard]] Tensor forward(Tensor x) const;

    Tensor weight;  ///< normalized_shape, ones at first, or undefined

protected:
    /// See Module::rebind.
    void rebind() override;

private:
    Dims normalized_shape_;
    double eps_;
};

/// Owner of an RMSNormImpl.
using RMSNorm = ModuleHolder<RMSNormImpl>;

/// Zeroes elements with probability p and scales the rest by 1/(1-p) while training; passes x on
/// otherwise.
class DropoutImpl : public Cloneable<DropoutImpl> {
public:
    /// @throws ArgumentError unless 0 <= p < 1 (PyTorch allows 1)
    explicit DropoutImpl(double p = 0.5);

    /// The same from options.
    explicit DropoutImpl(const DropoutOptions& options) : DropoutImpl(options.p()) {}

    /// Any shape -> same. @throws DTypeError unless x is floating
    [[nodiscard]] Tensor forward(Tensor x) const;

protected:
    /// There is nothing to fill.
    void rebind() override {}

private:
    double p_;
};

/// Owner of a DropoutImpl.
using Dropout = ModuleHolder<DropoutImpl>;

}  // namespace nn
}  // namespace pumice
