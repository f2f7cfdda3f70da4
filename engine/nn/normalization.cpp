// SPDX-License-Identifier: Apache-2.0
// Layers that normalise, and their running statistics.
#include "pumice/nn/normalization.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/ops.h"

#include <fmt/format.h>

#include <utility>

namespace pumice::nn {

namespace {

void check_channels(const char* module, const Tensor& x, std::int64_t dim, std::int64_t wanted) {
    if (x.dim() <= dim || x.size(dim) != wanted) {
        throw ShapeError(
            module,
            fmt::format(
                "wanted {} channels in dimension {}; got x {}", wanted, dim, to_string(x.sizes())));
    }
}

}  // namespace

ChannelNormImpl::ChannelNormImpl(const char* name,
                                 std::int64_t num_features,
                                 bool affine,
                                 bool is_tracked)
    : name_(name), num_features_(num_features) {
    if (num_features <= 0) {
        throw ArgumentError(name,
                            fmt::format("num_features must be positive; got {}", num_features));
    }
    if (affine) {
        weight = register_parameter("weight", ones({num_features}));
        bias = register_parameter("bias", zeros({num_features}));
    }
    if (is_tracked) {
        const PersistentAllocGuard guard;
        running_mean = register_buffer("running_mean", zeros({num_features}));
        running_var = register_buffer("running_var", ones({num_features}));
        num_batches_tracked = register_buffer("num_batches_tracked", zeros({}, kInt32));
    }
}

void ChannelNormImpl::reset_running_stats() {
    if (!running_mean.defined()) {
        return;
    }
    no_grad([this] {
        fill_(running_mean, 0);
        fill_(running_var, 1);
        fill_(num_batches_tracked, 0);
    });
}

void ChannelNormImpl::rebind() {
    weight = registered("weight");
    bias = registered("bias");
    running_mean = registered("running_mean");
    running_var = registered("running_var");
    num_batches_tracked = registered("num_batches_tracked");
}

void ChannelNormImpl::check_input(const Tensor& x,
                                  std::int64_t low_rank,
                                  std::int64_t high_rank,
                                  std::int64_t channel_dim) const {
    if (x.dim() != low_rank && x.dim() != high_rank) {
        const std::string ranks = low_rank == high_rank
                                      ? fmt::format("{}", low_rank)
                                      : fmt::format("{} or {}", low_rank, high_rank);
        throw ShapeError(
            name_, fmt::format("wanted {} dimensions; got x {}", ranks, to_string(x.sizes())));
    }
    check_channels(name_, x, channel_dim, num_features_);
}

bool ChannelNormImpl::uses_input() const {
    return is_training() || !running_mean.defined();
}

BatchNormImpl::BatchNormImpl(const char* name, const BatchNormOptions& options)
    : ChannelNormImpl(
          name, options.num_features(), options.affine(), options.track_running_stats()),
      eps_(options.eps()),
      momentum_(options.momentum()) {}

Tensor BatchNormImpl::normalize(Tensor x) {
    const bool counts = is_training() && num_batches_tracked.defined();
    if (counts && num_batches_tracked.is_inference() && !is_inference_mode_enabled()) {
        throw GradModeError("BatchNorm",
                            "Inplace update to inference tensor outside InferenceMode is not "
                            "allowed. Call materialize_normal_() first.");
    }
    Tensor y = counts && !momentum_ ? normalize_cumulatively(std::move(x))
                                    : batch_norm(std::move(x),
                                                 weight,
                                                 bias,
                                                 running_mean,
                                                 running_var,
                                                 uses_input(),
                                                 momentum_.value_or(0.0),
                                                 eps_);
    if (counts) {
        no_grad([this] { add_(num_batches_tracked, 1); });
    }
    return y;
}

// running += (latest - running) / batches, on the device: the count is not waited for.
Tensor BatchNormImpl::normalize_cumulatively(Tensor x) {
    Tensor mean = zeros_like(running_mean);
    Tensor var = zeros_like(running_var);
    Tensor y = batch_norm(std::move(x), weight, bias, mean, var, true, 1.0, eps_);
    no_grad([&] {
        const Tensor count = add(pumice::to(num_batches_tracked, kFloat32), 1);
        add_(running_mean, div(sub(mean, running_mean), count));
        add_(running_var, div(sub(var, running_var), count));
    });
    return y;
}

BatchNorm1dImpl::BatchNorm1dImpl(const BatchNormOptions& options)
    : Cloneable("BatchNorm1d", options) {}

Tensor BatchNorm1dImpl::forward(Tensor x) {
    check_input(x, 2, 3, 1);
    return normalize(std::move(x));
}

BatchNorm2dImpl::BatchNorm2dImpl(const BatchNormOptions& options)
    : Cloneable("BatchNorm2d", options) {}

Tensor BatchNorm2dImpl::forward(Tensor x) {
    check_input(x, 4, 4, 1);
    return normalize(std::move(x));
}

InstanceNormImpl::InstanceNormImpl(const char* name, const InstanceNormOptions& options)
    : ChannelNormImpl(
          name, options.num_features(), options.affine(), options.track_running_stats()),
      eps_(options.eps()),
      momentum_(options.momentum()) {}

Tensor InstanceNormImpl::normalize(const Tensor& x, std::int64_t unbatched_rank) {
    const bool is_unbatched = x.dim() == unbatched_rank;
    check_input(x, unbatched_rank, unbatched_rank + 1, is_unbatched ? 0 : 1);
    const Tensor y = instance_norm(is_unbatched ? unsqueeze(x, 0) : x,
                                   weight,
                                   bias,
                                   running_mean,
                                   running_var,
                                   uses_input(),
                                   momentum_,
                                   eps_);
    return is_unbatched ? squeeze(y, 0) : y;
}

InstanceNorm1dImpl::InstanceNorm1dImpl(const InstanceNormOptions& options)
    : Cloneable("InstanceNorm1d", options) {}

Tensor InstanceNorm1dImpl::forward(const Tensor& x) {
    return normalize(x, 2);
}

InstanceNorm2dImpl::InstanceNorm2dImpl(const InstanceNormOptions& options)
    : Cloneable("InstanceNorm2d", options) {}

Tensor InstanceNorm2dImpl::forward(const Tensor& x) {
    return normalize(x, 3);
}

GroupNormImpl::GroupNormImpl(std::int64_t num_groups,
                             std::int64_t num_channels,
                             double eps,
                             bool affine)
    : num_groups_(num_groups), num_channels_(num_channels), eps_(eps) {
    if (num_groups <= 0 || num_channels <= 0 || num_channels % num_groups != 0) {
        throw ArgumentError("GroupNorm",
                            fmt::format("num_groups must divide num_channels, both positive; got "
                                        "num_groups {} and num_channels {}",
                                        num_groups,
                                        num_channels));
    }
    if (affine) {
        weight = register_parameter("weight", ones({num_channels}));
        bias = register_parameter("bias", zeros({num_channels}));
    }
}

Tensor GroupNormImpl::forward(Tensor x) const {
    check_channels("GroupNorm", x, 1, num_channels_);
    return group_norm(std::move(x), num_groups_, weight, bias, eps_);
}

void GroupNormImpl::rebind() {
    weight = registered("weight");
    bias = registered("bias");
}

}  // namespace pumice::nn
