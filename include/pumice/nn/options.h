// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/dims.h"
#include "pumice/export.h"

#include <cstdint>
#include <optional>
#include <vector>

/// @file
/// Options of layers in LibTorch's form: made of what must be given, each other one set and read by
/// a method of its name, `LinearOptions(4, 2).bias(false)`. The layers check the values.

namespace PUMICE_API pumice {
namespace nn {

/// Options of Linear.
class LinearOptions {
public:
    /// Extents of the last dimension of x and y; with a bias.
    LinearOptions(std::int64_t in_features, std::int64_t out_features) noexcept
        : in_features_(in_features), out_features_(out_features) {}

    /// Whether there is a bias; true at first.
    LinearOptions& bias(bool has_bias) noexcept {
        has_bias_ = has_bias;
        return *this;
    }

    /// As set.
    /// @{
    [[nodiscard]] std::int64_t in_features() const noexcept { return in_features_; }

    [[nodiscard]] std::int64_t out_features() const noexcept { return out_features_; }

    [[nodiscard]] bool bias() const noexcept { return has_bias_; }

    /// @}

private:
    std::int64_t in_features_;
    std::int64_t out_features_;
    bool has_bias_ = true;
};

/// Options of Embedding.
class EmbeddingOptions {
public:
    /// Rows and columns of the table; no padding row.
    EmbeddingOptions(std::int64_t num_embeddings, std::int64_t embedding_dim) noexcept
        : num_embeddings_(num_embeddings), embedding_dim_(embedding_dim) {}

    /// The row that starts zero and gets no gradient; none at first.
    EmbeddingOptions& padding_idx(std::optional<std::int64_t> row) noexcept {
        padding_idx_ = row;
        return *this;
    }

    /// As set.
    /// @{
    [[nodiscard]] std::int64_t num_embeddings() const noexcept { return num_embeddings_; }

    [[nodiscard]] std::int64_t embedding_dim() const noexcept { return embedding_dim_; }

    [[nodiscard]] std::optional<std::int64_t> padding_idx() const noexcept { return padding_idx_; }

    /// @}

private:
    std::int64_t num_embeddings_;
    std::int64_t embedding_dim_;
    std::optional<std::int64_t> padding_idx_;
};

/// Options of LayerNorm.
class LayerNormOptions {
public:
    /// The last extents of x; eps 1e-5, with weight and bias.
    explicit(false) LayerNormOptions(const std::vector<std::int64_t>& normalized_shape)
        : normalized_shape_(normalized_shape) {}

    /// Added to the variance.
    LayerNormOptions& eps(double eps) noexcept {
        eps_ = eps;
        return *this;
    }

    /// Whether there are weight and bias.
    LayerNormOptions& elementwise_affine(bool is_affine) noexcept {
        is_affine_ = is_affine;
        return *this;
    }

    /// As set.
    /// @{
    [[nodiscard]] const Dims& normalized_shape() const noexcept { return normalized_shape_; }

    [[nodiscard]] double eps() const noexcept { return eps_; }

    [[nodiscard]] bool elementwise_affine() const noexcept { return is_affine_; }

    /// @}

private:
    Dims normalized_shape_;
    double eps_ = 1e-5;
    bool is_affine_ = true;
};

/// Options of BatchNorm1d and BatchNorm2d.
class BatchNormOptions {
public:
    /// C, the second extent of the input.
    explicit(false) BatchNormOptions(std::int64_t num_features) noexcept
        : num_features_(num_features) {}

    /// Added to the variance; 1e-5 at first.
    BatchNormOptions& eps(double eps) noexcept {
        eps_ = eps;
        return *this;
    }

    /// Share of the latest batch in the running statistics, 0.1 at first; none: they are the mean
    /// over all batches.
    BatchNormOptions& momentum(std::optional<double> momentum) noexcept {
        momentum_ = momentum;
        return *this;
    }

    /// Whether there are weight and bias; true at first.
    BatchNormOptions& affine(bool is_affine) noexcept {
        is_affine_ = is_affine;
        return *this;
    }

    /// Whether statistics are kept for evaluation; true at first. Without them each batch is always
    /// normalised by its own statistics.
    BatchNormOptions& track_running_stats(bool is_tracked) noexcept {
        is_tracked_ = is_tracked;
        return *this;
    }

    /// As set.
    /// @{
    [[nodiscard]] std::int64_t num_features() const noexcept { return num_features_; }

    [[nodiscard]] double eps() const noexcept { return eps_; }

    [[nodiscard]] std::optional<double> momentum() const noexcept { return momentum_; }

    [[nodiscard]] bool affine() const noexcept { return is_affine_; }

    [[nodiscard]] bool track_running_stats() const noexcept { return is_tracked_; }

    /// @}

private:
    std::int64_t num_features_;
    double eps_ = 1e-5;
    std::optional<double> momentum_ = 0.1;
    bool is_affine_ = true;
    bool is_tracked_ = true;
};

/// The same options.
/// @{
using BatchNorm1dOptions = BatchNormOptions;
using BatchNorm2dOptions = BatchNormOptions;

/// @}

/// Options of InstanceNorm1d and InstanceNorm2d.
class InstanceNormOptions {
public:
    /// C, the channels of the input.
    explicit(false) InstanceNormOptions(std::int64_t num_features) noexcept
        : num_features_(num_features) {}

    /// Added to the variance; 1e-5 at first.
    InstanceNormOptions& eps(double eps) noexcept {
        eps_ = eps;
        return *this;
    }

    /// Share of the latest batch in the running statistics; 0.1 at first.
    InstanceNormOptions& momentum(double momentum) noexcept {
        momentum_ = momentum;
        return *this;
    }

    /// Whether there are weight and bias; false at first.
    InstanceNormOptions& affine(bool is_affine) noexcept {
        is_affine_ = is_affine;
        return *this;
    }

    /// Whether statistics are kept for evaluation; false at first. Without them each instance is
    /// always normalised by its own statistics.
    InstanceNormOptions& track_running_stats(bool is_tracked) noexcept {
        is_tracked_ = is_tracked;
        return *this;
    }

    /// As set.
    /// @{
    [[nodiscard]] std::int64_t num_features() const noexcept { return num_features_; }

    [[nodiscard]] double eps() const noexcept { return eps_; }

    [[nodiscard]] double momentum() const noexcept { return momentum_; }

    [[nodiscard]] bool affine() const noexcept { return is_affine_; }

    [[nodiscard]] bool track_running_stats() const noexcept { return is_tracked_; }

    /// @}

private:
    std::int64_t num_features_;
    double eps_ = 1e-5;
    double momentum_ = 0.1;
    bool is_affine_ = false;
    bool is_tracked_ = false;
};

/// The same options.
/// @{
using InstanceNorm1dOptions = InstanceNormOptions;
using InstanceNorm2dOptions = InstanceNormOptions;

/// @}

/// Options of GroupNorm.
class GroupNormOptions {
public:
    /// Groups, and the channels that they share; eps 1e-5, with weight and bias.
    GroupNormOptions(std::int64_t num_groups, std::int64_t num_channels) noexcept
        : num_groups_(num_groups), num_channels_(num_channels) {}

    /// Added to the variance.
    GroupNormOptions& eps(double eps) noexcept {
        eps_ = eps;
        return *this;
    }

    /// Whether there are weight and bias.
    GroupNormOptions& affine(bool is_affine) noexcept {
        is_affine_ = is_affine;
        return *this;
    }

    /// As set.
    /// @{
    [[nodiscard]] std::int64_t num_groups() const noexcept { return num_groups_; }

    [[nodiscard]] std::int64_t num_channels() const noexcept { return num_channels_; }

    [[nodiscard]] double eps() const noexcept { return eps_; }

    [[nodiscard]] bool affine() const noexcept { return is_affine_; }

    /// @}

private:
    std::int64_t num_groups_;
    std::int64_t num_channels_;
    double eps_ = 1e-5;
    bool is_affine_ = true;
};

/// Options of Dropout.
class DropoutOptions {
public:
    /// The probability of a zero.
    explicit(false) DropoutOptions(double p = 0.5) noexcept : p_(p) {}

    /// Sets the probability.
    DropoutOptions& p(double p) noexcept {
        p_ = p;
        return *this;
    }

    /// As set.
    [[nodiscard]] double p() const noexcept { return p_; }

private:
    double p_;
};

}  // namespace nn
}  // namespace pumice
