// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/nn/attention.h"
#include "pumice/nn/containers.h"
#include "pumice/nn/layers.h"
#include "pumice/nn/module.h"

#include <cstdint>
#include <string>
#include <vector>

namespace forecaster {

/// Size and scales of the model; stored beside its weights as config.json.
struct Config {
    std::int64_t patch_length = 12;
    std::int64_t model_dim = 64;
    std::int64_t head_count = 4;
    std::int64_t head_dim = 16;
    std::int64_t feed_forward_dim = 256;
    std::int64_t hidden_dim = 96;  ///< of the residual blocks at both ends
    std::int64_t block_count = 2;
    std::int64_t context_length = 192;  ///< most values read, a multiple of patch_length
    std::int64_t horizon_length = 60;   ///< most values forecast, a multiple of patch_length
    double time_scale = 192.0;          ///< steps that count as 1 in the time feature
    double rotary_base = 10000.0;
    std::vector<double> quantiles = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
};

/// @throws pumice::FileError for a file that is no such config, naming the field
Config read_config(const std::string& path);
void write_config(const std::string& path, const Config& config);

/// out(relu(hidden(x))) + residual(x). x: [..., in] -> [..., out].
class ResidualBlockImpl : public pumice::nn::Module {
public:
    ResidualBlockImpl(std::int64_t in_dim, std::int64_t hidden_dim, std::int64_t out_dim);
    [[nodiscard]] pumice::Tensor forward(const pumice::Tensor& x) const;

    pumice::nn::Linear hidden_layer = nullptr;
    pumice::nn::Linear output_layer = nullptr;
    pumice::nn::Linear residual_layer = nullptr;
};

using ResidualBlock = pumice::nn::ModuleHolder<ResidualBlockImpl>;

/// One pre-norm encoder block: rotary self-attention without scaling, then a relu feed-forward.
class EncoderBlockImpl : public pumice::nn::Module {
public:
    explicit EncoderBlockImpl(const Config& config);
    /// x: [B, T, D], mask: bool [B, 1, 1, T], true where a token may be looked at.
    [[nodiscard]] pumice::Tensor forward(pumice::Tensor x, const pumice::Tensor& mask) const;

    pumice::nn::RMSNorm attention_norm = nullptr;
    pumice::nn::MultiheadAttention attention = nullptr;
    pumice::nn::RMSNorm feed_forward_norm = nullptr;
    pumice::nn::Linear wi = nullptr;
    pumice::nn::Linear wo = nullptr;
};

using EncoderBlock = pumice::nn::ModuleHolder<EncoderBlockImpl>;

/// What the model says about the future, in the units of the normalised series.
struct Prediction {
    pumice::Tensor normalised;  ///< [B, H, Q], asinh of (value - loc) / scale
    pumice::Tensor loc;         ///< [B, 1]
    pumice::Tensor scale;       ///< [B, 1]
};

/// A small patch transformer in the shape of Chronos-2 (univariate, encoder only, quantile head).
/// Source: Ansari et al., "Chronos-2: from univariate to universal forecasting", 2025.
class ForecasterImpl : public pumice::nn::Module {
public:
    explicit ForecasterImpl(const Config& config);

    /// context: float32 [B, L], NaN where missing; L at most context_length. Gives
    /// patch_count * patch_length steps. @throws pumice::ShapeError
    Prediction forward(const pumice::Tensor& context, std::int64_t patch_count);
    /// Quantiles in the context's units: [B, H, Q].
    pumice::Tensor predict(const pumice::Tensor& context, std::int64_t patch_count);
    /// Pinball loss against target [B, H] (H = patch_count * patch_length): mean over rows and
    /// steps, sum over quantiles. Source: the Chronos-2 loss.
    pumice::Tensor loss(const pumice::Tensor& context, const pumice::Tensor& target);

    [[nodiscard]] const Config& config() const noexcept { return config_; }

private:
    /// What the encoder starts from.
    struct Embedded {
        pumice::Tensor tokens;  ///< [B, N + 1 + patches, D]: context, REG, future
        pumice::Tensor mask;    ///< bool [B, 1, 1, N + 1 + patches]
        pumice::Tensor loc;
        pumice::Tensor scale;
    };

    void initialise();
    [[nodiscard]] Embedded embed(const pumice::Tensor& context, std::int64_t patch_count) const;
    /// Patches of time, value and mask features, context and future: [B, N, 3P].
    [[nodiscard]] pumice::Tensor features(const pumice::Tensor& values,
                                          const pumice::Tensor& observed,
                                          std::int64_t patch_count) const;

    Config config_;
    ResidualBlock input_patch_embedding_ = nullptr;
    ResidualBlock output_patch_embedding_ = nullptr;
    pumice::Tensor reg_token_;
    pumice::nn::ModuleList<EncoderBlock> blocks_;
    pumice::nn::RMSNorm final_norm_ = nullptr;
    pumice::Tensor quantiles_;
};

using Forecaster = pumice::nn::ModuleHolder<ForecasterImpl>;

}  // namespace forecaster
