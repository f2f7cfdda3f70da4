// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/nn/module.h"
#include "pumice/nn/options.h"

#include <cstdint>
#include <optional>

namespace PUMICE_API pumice {
namespace nn {

/// What batch and instance norms have in common. The statistics are normal tensors, whatever the
/// mode in which the module is made (G64). Training updates them in place in every mode, and
/// evaluation writes nothing (G79).
class ChannelNormImpl : public Module {
public:
    /// Sets the statistics to their first values, in place: mean 0, variance 1, no batch seen.
    /// @throws GradModeError (E2) for inference tensors outside of inference mode
    void reset_running_stats();

    Tensor weight;               ///< [C], ones at first, undefined without affine
    Tensor bias;                 ///< [C], zeros at first, undefined without affine
    Tensor running_mean;         ///< [C], undefined without track_running_stats
    Tensor running_var;          ///< [C], undefined without track_running_stats
    Tensor num_batches_tracked;  ///< [] int32 (PyTorch: int64), undefined likewise; instance norms
                                 ///< leave it 0, as in PyTorch

protected:
    /// @throws ArgumentError unless num_features is positive
    ChannelNormImpl(const char* name, std::int64_t num_features, bool affine, bool is_tracked);

    /// See Module::rebind.
    void rebind() override;
    /// @throws ShapeError unless x has one of two ranks and C channels at `channel_dim`
    void check_input(const Tensor& x,
                     std::int64_t low_rank,
                     std::int64_t high_rank,
                     std::int64_t channel_dim) const;
    /// Whether the input's own statistics are taken.
    [[nodiscard]] bool uses_input() const;

private:
    const char* name_;
    std::int64_t num_features_;
};

/// What the batch norms have in common.
class BatchNormImpl : public ChannelNormImpl {
protected:
    /// `name` is the module's, for its errors.
    BatchNormImpl(const char* name, const BatchNormOptions& options);
    /// pumice::batch_norm with the module's statistics. @throws as that
    Tensor normalize(Tensor x);

private:
    Tensor normalize_cumulatively(Tensor x);

    double eps_;
    std::optional<double> momentum_;
};

/// Batch norm of [N, C] or [N, C, L]; see pumice::batch_norm for the formula.
/// Source: Ioffe, Szegedy, "Batch normalization", 2015.
class BatchNorm1dImpl : public Cloneable<BatchNorm1dImpl, BatchNormImpl> {
public:
    /// Of options, or of num_features alone. @throws ArgumentError unless num_features is positive
    explicit BatchNorm1dImpl(const BatchNormOptions& options);

    /// [N, C] or [N, C, L] -> same. @throws ShapeError, DTypeError, GradModeError as
    /// pumice::batch_norm; nothing was written then
    Tensor forward(Tensor x);
};

/// Owner of a BatchNorm1dImpl.
using BatchNorm1d = ModuleHolder<BatchNorm1dImpl>;

/// Batch norm of [N, C, H, W]; otherwise as BatchNorm1d.
class BatchNorm2dImpl : public Cloneable<BatchNorm2dImpl, BatchNormImpl> {
public:
    /// Of options, or of num_features alone. @throws ArgumentError unless num_features is positive
    explicit BatchNorm2dImpl(const BatchNormOptions& options);

    /// [N, C, H, W] -> same. @throws as BatchNorm1d
    Tensor forward(Tensor x);
};

/// Owner of a BatchNorm2dImpl.
using BatchNorm2d = ModuleHolder<BatchNorm2dImpl>;

/// What the instance norms have in common.
class InstanceNormImpl : public ChannelNormImpl {
protected:
    /// `name` is the module's, for its errors.
    InstanceNormImpl(const char* name, const InstanceNormOptions& options);
    /// pumice::instance_norm with the module's statistics; x without a batch when its rank is
    /// `unbatched_rank`. @throws as that
    Tensor normalize(const Tensor& x, std::int64_t unbatched_rank);

private:
    double eps_;
    double momentum_;
};

/// Instance norm of [C, L] or [N, C, L]; see pumice::instance_norm for the formula.
/// Source: Ulyanov, Vedaldi, Lempitsky, "Instance normalization", 2016.
class InstanceNorm1dImpl : public Cloneable<InstanceNorm1dImpl, InstanceNormImpl> {
public:
    /// Of options, or of num_features alone. @throws ArgumentError unless num_features is positive
    explicit InstanceNorm1dImpl(const InstanceNormOptions& options);

    /// [C, L] or [N, C, L] -> same. @throws ShapeError, DTypeError, GradModeError as
    /// pumice::instance_norm; nothing was written then
    Tensor forward(const Tensor& x);
};

/// Owner of an InstanceNorm1dImpl.
using InstanceNorm1d = ModuleHolder<InstanceNorm1dImpl>;

/// Instance norm of [C, H, W] or [N, C, H, W]; otherwise as InstanceNorm1d.
class InstanceNorm2dImpl : public Cloneable<InstanceNorm2dImpl, InstanceNormImpl> {
public:
    /// Of options, or of num_features alone. @throws ArgumentError unless num_features is positive
    explicit InstanceNorm2dImpl(const InstanceNormOptions& options);

    /// [C, H, W] or [N, C, H, W] -> same. @throws as InstanceNorm1d
    Tensor forward(const Tensor& x);
};

/// Owner of an InstanceNorm2dImpl.
using InstanceNorm2d = ModuleHolder<InstanceNorm2dImpl>;

/// Norm over groups of channels of [N, C, ...]; see pumice::group_norm for the formula.
/// Source: Wu, He, "Group normalization", 2018.
class GroupNormImpl : public Cloneable<GroupNormImpl> {
public:
    /// @throws ArgumentError unless both counts are positive and num_groups divides num_channels
    GroupNormImpl(std::int64_t num_groups,
                  std::int64_t num_channels,
                  double eps = 1e-5,
                  bool affine = true);

    /// The same from options.
    explicit GroupNormImpl(const GroupNormOptions& options)
        : GroupNormImpl(
              options.num_groups(), options.num_channels(), options.eps(), options.affine()) {}

    /// [N, C, ...] -> same. @throws ShapeError, DTypeError as pumice::group_norm
    [[nodiscard]] Tensor forward(Tensor x) const;

    Tensor weight;  ///< [C], ones at first, undefined without affine
    Tensor bias;    ///< [C], zeros at first, undefined without affine

protected:
    /// See Module::rebind.
    void rebind() override;

private:
    std::int64_t num_groups_;
    std::int64_t num_channels_;
    double eps_;
};

/// Owner of a GroupNormImpl.
using GroupNorm = ModuleHolder<GroupNormImpl>;

}  // namespace nn
}  // namespace pumice
