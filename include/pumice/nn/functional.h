// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/nn/conv_functional.h"
#include "pumice/nn/options.h"
#include "pumice/ops.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Layers without state in LibTorch's form, with options where LibTorch has them. Shapes, dtypes
/// and errors are those of the function of the same name in pumice/ops.h where nothing else is
/// said.
namespace PUMICE_API pumice {
namespace nn {
namespace functional {

/// Options of softmax and log_softmax.
class SoftmaxFuncOptions {
public:
    /// Along which dimension.
    explicit(false) SoftmaxFuncOptions(std::int64_t dim) noexcept : dim_(dim) {}

    /// Sets the dimension.
    SoftmaxFuncOptions& dim(std::int64_t dim) noexcept {
        dim_ = dim;
        return *this;
    }

    /// As set.
    [[nodiscard]] std::int64_t dim() const noexcept { return dim_; }

private:
    std::int64_t dim_;
};

/// The same options.
using LogSoftmaxFuncOptions = SoftmaxFuncOptions;

/// Options of gelu.
class GELUFuncOptions {
public:
    /// "none" or "tanh"; "none" at first.
    GELUFuncOptions& approximate(std::string name) {
        approximate_ = std::move(name);
        return *this;
    }

    /// As set.
    [[nodiscard]] const std::string& approximate() const noexcept { return approximate_; }

private:
    std::string approximate_ = "none";
};

/// Options of leaky_relu.
class LeakyReLUFuncOptions {
public:
    /// Factor below 0; 0.01 at first.
    LeakyReLUFuncOptions& negative_slope(double slope) noexcept {
        slope_ = slope;
        return *this;
    }

    /// As set.
    [[nodiscard]] double negative_slope() const noexcept { return slope_; }

private:
    double slope_ = 0.01;
};

/// Options of dropout.
class DropoutFuncOptions {
public:
    /// Probability of a zero; 0.5 at first.
    DropoutFuncOptions& p(double p) noexcept {
        p_ = p;
        return *this;
    }

    /// Whether anything is zeroed; false at first, as in LibTorch.
    DropoutFuncOptions& training(bool is_training) noexcept {
        is_training_ = is_training;
        return *this;
    }

    /// As set.
    /// @{
    [[nodiscard]] double p() const noexcept { return p_; }

    [[nodiscard]] bool training() const noexcept { return is_training_; }

    /// @}

private:
    double p_ = 0.5;
    bool is_training_ = false;
};

/// Options of embedding.
class EmbeddingFuncOptions {
public:
    /// A row without gradient; none at first.
    EmbeddingFuncOptions& padding_idx(std::optional<std::int64_t> row) noexcept {
        padding_idx_ = row;
        return *this;
    }

    /// As set.
    [[nodiscard]] std::optional<std::int64_t> padding_idx() const noexcept { return padding_idx_; }

private:
    std::optional<std::int64_t> padding_idx_;
};

/// Options of layer_norm.
class LayerNormFuncOptions {
public:
    /// The last extents of x; eps 1e-5, no weight and no bias.
    explicit LayerNormFuncOptions(const std::vector<std::int64_t>& normalized_shape)
        : normalized_shape_(normalized_shape) {}

    /// Sets the factor, the summand, or what is added to the variance.
    /// @{
    LayerNormFuncOptions& weight(Tensor weight) {
        weight_ = std::move(weight);
        return *this;
    }

    LayerNormFuncOptions& bias(Tensor bias) {
        bias_ = std::move(bias);
        return *this;
    }

    LayerNormFuncOptions& eps(double eps) noexcept {
        eps_ = eps;
        return *this;
    }

    /// @}

    /// As set.
    /// @{
    [[nodiscard]] const Dims& normalized_shape() const noexcept { return normalized_shape_; }

    [[nodiscard]] const Tensor& weight() const noexcept { return weight_; }

    [[nodiscard]] const Tensor& bias() const noexcept { return bias_; }

    [[nodiscard]] double eps() const noexcept { return eps_; }

    /// @}

private:
    Dims normalized_shape_;
    Tensor weight_;
    Tensor bias_;
    double eps_ = 1e-5;
};

/// Options of pad.
class PadFuncOptions {
public:
    /// (before, after) pairs from the last dimension on; zeros.
    explicit PadFuncOptions(const std::vector<std::int64_t>& pad) : pad_(pad) {}

    /// What stands around x.
    PadFuncOptions& value(double value) noexcept {
        value_ = value;
        return *this;
    }

    /// As set.
    /// @{
    [[nodiscard]] const Dims& pad() const noexcept { return pad_; }

    [[nodiscard]] double value() const noexcept { return value_; }

    /// @}

private:
    Dims pad_;
    double value_ = 0.0;
};

/// Options of mse_loss, l1_loss and binary_cross_entropy_with_logits.
class ReductionFuncOptions {
public:
    /// The mean unless said otherwise.
    explicit(false) ReductionFuncOptions(Reduction reduction = Reduction::kMean) noexcept
        : reduction_(reduction) {}

    /// Sets how the loss is reduced.
    ReductionFuncOptions& reduction(Reduction reduction) noexcept {
        reduction_ = reduction;
        return *this;
    }

    /// As set.
    [[nodiscard]] Reduction reduction() const noexcept { return reduction_; }

private:
    Reduction reduction_;
};

/// The same options.
/// @{
using MSELossFuncOptions = ReductionFuncOptions;
using L1LossFuncOptions = ReductionFuncOptions;
using BinaryCrossEntropyWithLogitsFuncOptions = ReductionFuncOptions;

/// @}

/// Options of huber_loss.
class HuberLossFuncOptions {
public:
    /// Sets the reduction (the mean at first), or where the loss turns linear (1 at first).
    /// @{
    HuberLossFuncOptions& reduction(Reduction reduction) noexcept {
        reduction_ = reduction;
        return *this;
    }

    HuberLossFuncOptions& delta(double delta) noexcept {
        delta_ = delta;
        return *this;
    }

    /// @}

    /// As set.
    /// @{
    [[nodiscard]] Reduction reduction() const noexcept { return reduction_; }

    [[nodiscard]] double delta() const noexcept { return delta_; }

    /// @}

private:
    Reduction reduction_ = Reduction::kMean;
    double delta_ = 1.0;
};

/// Options of cross_entropy.
class CrossEntropyFuncOptions {
public:
    /// Sets the reduction (the mean at first), the target that is left out (-100 at first), or the
    /// smoothing (0 at first).
    /// @{
    CrossEntropyFuncOptions& reduction(Reduction reduction) noexcept {
        reduction_ = reduction;
        return *this;
    }

    CrossEntropyFuncOptions& ignore_index(std::int64_t index) noexcept {
        ignore_index_ = index;
        return *this;
    }

    CrossEntropyFuncOptions& label_smoothing(double smoothing) noexcept {
        label_smoothing_ = smoothing;
        return *this;
    }

    /// @}

    /// As set.
    /// @{
    [[nodiscard]] Reduction reduction() const noexcept { return reduction_; }

    [[nodiscard]] std::int64_t ignore_index() const noexcept { return ignore_index_; }

    [[nodiscard]] double label_smoothing() const noexcept { return label_smoothing_; }

    /// @}

private:
    Reduction reduction_ = Reduction::kMean;
    std::int64_t ignore_index_ = -100;
    double label_smoothing_ = 0.0;
};

/// Options of nll_loss.
class NLLLossFuncOptions {
public:
    /// Sets the reduction (the mean at first), or the target that is left out (-100 at first).
    /// @{
    NLLLossFuncOptions& reduction(Reduction reduction) noexcept {
        reduction_ = reduction;
        return *this;
    }

    NLLLossFuncOptions& ignore_index(std::int64_t index) noexcept {
        ignore_index_ = index;
        return *this;
    }

    /// @}

    /// As set.
    /// @{
    [[nodiscard]] Reduction reduction() const noexcept { return reduction_; }

    [[nodiscard]] std::int64_t ignore_index() const noexcept { return ignore_index_; }

    /// @}

private:
    Reduction reduction_ = Reduction::kMean;
    std::int64_t ignore_index_ = -100;
};

using pumice::linear;
using pumice::relu;
using pumice::silu;

/// pumice::softmax.
inline Tensor softmax(Tensor x, const SoftmaxFuncOptions& options) {
    return pumice::softmax(std::move(x), options.dim());
}

/// pumice::log_softmax.
inline Tensor log_softmax(Tensor x, const LogSoftmaxFuncOptions& options) {
    return pumice::log_softmax(std::move(x), options.dim());
}

/// pumice::gelu.
inline Tensor gelu(Tensor x, const GELUFuncOptions& options = {}) {
    return pumice::gelu(std::move(x), options.approximate());
}

/// x where x > 0, else negative_slope * x. Any shape; a floating x keeps its dtype, integers and
/// bool give float32. Backward saves one bool for each element.
/// @throws ArgumentError for an undefined x
Tensor leaky_relu(const Tensor& x, const LeakyReLUFuncOptions& options = {});

/// pumice::dropout.
inline Tensor dropout(Tensor x, const DropoutFuncOptions& options = {}) {
    return pumice::dropout(std::move(x), options.p(), options.training());
}

/// pumice::embedding, with the indices first.
inline Tensor embedding(Tensor indices, Tensor weight, const EmbeddingFuncOptions& options = {}) {
    return pumice::embedding(
        std::move(weight), std::move(indices), options.padding_idx().value_or(-1));
}

/// pumice::layer_norm.
inline Tensor layer_norm(Tensor x, const LayerNormFuncOptions& options) {
    return pumice::layer_norm(
        std::move(x), options.normalized_shape(), options.weight(), options.bias(), options.eps());
}

/// pumice::pad.
inline Tensor pad(Tensor x, const PadFuncOptions& options) {
    return pumice::pad(std::move(x), options.pad(), options.value());
}

/// indices: [...] int32 -> [..., num_classes] int32, 1 at each index and 0 elsewhere; an index
/// outside [0, num_classes) gives zeros and is reported (pumice/ops/index.h). No gradient.
/// @throws DTypeError unless the indices are int32; ArgumentError for a negative num_classes or
///         undefined indices; ShapeError for indices of eight dimensions or more than 2^31 - 1
///         elements
Tensor one_hot(const Tensor& indices, std::int64_t num_classes);

/// pumice::mse_loss.
inline Tensor mse_loss(const Tensor& input,
                       const Tensor& target,
                       const MSELossFuncOptions& options = {}) {
    return pumice::mse_loss(input, target, options.reduction());
}

/// pumice::l1_loss.
inline Tensor l1_loss(const Tensor& input,
                      const Tensor& target,
                      const L1LossFuncOptions& options = {}) {
    return pumice::l1_loss(input, target, options.reduction());
}

/// pumice::huber_loss.
inline Tensor huber_loss(const Tensor& input,
                         const Tensor& target,
                         const HuberLossFuncOptions& options = {}) {
    return pumice::huber_loss(input, target, options.reduction(), options.delta());
}

/// pumice::cross_entropy.
inline Tensor cross_entropy(const Tensor& input,
                            const Tensor& target,
                            const CrossEntropyFuncOptions& options = {}) {
    return pumice::cross_entropy(
        input, target, options.reduction(), options.ignore_index(), options.label_smoothing());
}

/// -input[target]: cross_entropy for an input of log probabilities. input: [N, C] or [N, C, d...]
/// floating; target: [N] or [N, d...] int32 -> target's shape, or [] when reduced. Ignored targets
/// give 0 and do not count in the mean; others outside [0, C) give NaN and are reported
/// (pumice/ops/index.h). Backward saves the classes and which of them count.
/// @throws ShapeError for other shapes; DTypeError unless target is int32; ArgumentError for an
///         undefined tensor
Tensor nll_loss(const Tensor& input, const Tensor& target, const NLLLossFuncOptions& options = {});

/// -(y log(sigmoid(x)) + (1 - y) log(1 - sigmoid(x))) = max(x, 0) - x y + log(1 + exp(-|x|)).
/// input x, target y: shapes that broadcast, floating -> that shape, or [] when reduced. Backward
/// saves input, target and two more tensors of that shape.
/// @throws ShapeError unless the shapes broadcast; ArgumentError for an undefined tensor
Tensor binary_cross_entropy_with_logits(
    const Tensor& input,
    const Tensor& target,
    const BinaryCrossEntropyWithLogitsFuncOptions& options = {});

}  // namespace functional
}  // namespace nn
}  // namespace pumice
