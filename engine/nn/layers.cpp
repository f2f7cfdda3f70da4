// SPDX-License-Identifier: Apache-2.0
// Linear, Embedding, LayerNorm and RMSNorm as modules.
#include "pumice/nn/layers.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include <fmt/format.h>

#include <cmath>

namespace pumice::nn {

namespace {

void check_positive(const char* module, const char* what, std::int64_t value) {
    if (value <= 0) {
        throw ArgumentError(module, fmt::format("{} must be positive; got {}", what, value));
    }
}

// -1 for none, as the constructor has it; -1 from the user is the last row.
std::int64_t padding_row(const EmbeddingOptions& options) {
    if (!options.padding_idx()) {
        return -1;
    }
    const std::int64_t row = *options.padding_idx();
    const std::int64_t row_count = options.num_embeddings();
    if (row < -row_count || row >= row_count) {
        throw ArgumentError(
            "Embedding",
            fmt::format("padding_idx must be in [{}, {}); got {}", -row_count, row_count, row));
    }
    return row < 0 ? row + row_count : row;
}

// Uniform in [-bound, bound).
Tensor uniform(const Dims& sizes, double bound) {
    return no_grad([&] { return sub(mul(rand(sizes), 2.0 * bound), bound); });
}

}  // namespace

LinearImpl::LinearImpl(std::int64_t in_features, std::int64_t out_features, bool has_bias) {
    check_positive("Linear", "in_features", in_features);
    check_positive("Linear", "out_features", out_features);
    const double bound = 1.0 / std::sqrt(static_cast<double>(in_features));
    weight = register_parameter("weight", uniform({out_features, in_features}, bound));
    if (has_bias) {
        bias = register_parameter("bias", uniform({out_features}, bound));
    }
}

Tensor LinearImpl::forward(Tensor x) const {
    return linear(std::move(x), weight, bias);
}

void LinearImpl::rebind() {
    weight = registered("weight");
    bias = registered("bias");
}

EmbeddingImpl::EmbeddingImpl(std::int64_t num_embeddings,
                             std::int64_t embedding_dim,
                             std::int64_t padding_idx)
    : padding_idx_(padding_idx) {
    check_positive("Embedding", "num_embeddings", num_embeddings);
    check_positive("Embedding", "embedding_dim", embedding_dim);
    if (padding_idx < -1 || padding_idx >= num_embeddings) {
        throw ArgumentError(
            "Embedding",
            fmt::format("padding_idx must be in [-1, {}); got {}", num_embeddings, padding_idx));
    }
    weight = no_grad([&] {
        Tensor values = randn({num_embeddings, embedding_dim});
        if (padding_idx >= 0) {
            Tensor row = values.select(0, padding_idx);
            zero_(row);
        }
        return values;
    });
    register_parameter("weight", weight);
}

EmbeddingImpl::EmbeddingImpl(const EmbeddingOptions& options)
    : EmbeddingImpl(options.num_embeddings(), options.embedding_dim(), padding_row(options)) {}

Tensor EmbeddingImpl::forward(Tensor indices) const {
    return embedding(weight, std::move(indices), padding_idx_);
}

void EmbeddingImpl::rebind() {
    weight = registered("weight");
}

LayerNormImpl::LayerNormImpl(Dims normalized_shape,
                             double eps,
                             bool elementwise_affine,
                             bool has_bias)
    : normalized_shape_(normalized_shape), eps_(eps) {
    if (elementwise_affine) {
        weight = register_parameter("weight", ones(normalized_shape_));
        if (has_bias) {
            bias = register_parameter("bias", zeros(normalized_shape_));
        }
    }
}

Tensor LayerNormImpl::forward(Tensor x) const {
    return layer_norm(std::move(x), normalized_shape_, weight, bias, eps_);
}

void LayerNormImpl::rebind() {
    weight = registered("weight");
    bias = registered("bias");
}

RMSNormImpl::RMSNormImpl(Dims normalized_shape, double eps, bool elementwise_affine)
    : normalized_shape_(normalized_shape), eps_(eps) {
    if (elementwise_affine) {
        weight = register_parameter("weight", ones(normalized_shape_));
    }
}

Tensor RMSNormImpl::forward(Tensor x) const {
    return rms_norm(std::move(x), normalized_shape_, weight, eps_);
}

void RMSNormImpl::rebind() {
    weight = registered("weight");
}

DropoutImpl::DropoutImpl(double p) : p_(p) {
    if (!(p >= 0.0 && p < 1.0)) {
        throw ArgumentError("Dropout", fmt::format("p must be in [0, 1); got {}", p));
    }
}

Tensor DropoutImpl::forward(Tensor x) const {
    return dropout(std::move(x), p_, is_training());
}

}  // namespace pumice::nn
