// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/nn/functional.h"
#include "pumice/nn/module.h"

#include <functional>
#include <utility>

/// @file
/// Modules without parameters, for Sequential and for programs in LibTorch's form. Each applies the
/// function of its name of nn/functional.h or ops.h, whose shapes, dtypes and errors it has.

namespace PUMICE_API pumice {
namespace nn {

/// Applies a function of one tensor.
template <Tensor (*kFunction)(Tensor)>
class PointwiseImpl : public Cloneable<PointwiseImpl<kFunction>> {
public:
    /// Any shape -> same.
    [[nodiscard]] Tensor forward(Tensor x) const { return kFunction(std::move(x)); }
};

/// max(x, 0), x * sigmoid(x), tanh(x) and 1 / (1 + exp(-x)).
/// @{
using ReLUImpl = PointwiseImpl<pumice::relu>;
using ReLU = ModuleHolder<ReLUImpl>;
using SiLUImpl = PointwiseImpl<pumice::silu>;
using SiLU = ModuleHolder<SiLUImpl>;
using TanhImpl = PointwiseImpl<pumice::tanh>;
using Tanh = ModuleHolder<TanhImpl>;
using SigmoidImpl = PointwiseImpl<pumice::sigmoid>;
using Sigmoid = ModuleHolder<SigmoidImpl>;

/// @}

/// Applies a function of a tensor and options.
template <class Options, Tensor (*kFunction)(Tensor, const Options&)>
class ConfiguredImpl : public Cloneable<ConfiguredImpl<Options, kFunction>> {
public:
    /// Takes the options, or what they are made of.
    template <class... Args>
    explicit ConfiguredImpl(Args&&... args) : options(std::forward<Args>(args)...) {}

    /// As the function.
    [[nodiscard]] Tensor forward(Tensor x) const { return kFunction(std::move(x), options); }

    Options options;  ///< as given
};

/// Options of the modules below: those of their functions.
/// @{
using GELUOptions = functional::GELUFuncOptions;
using SoftmaxOptions = functional::SoftmaxFuncOptions;
using LogSoftmaxOptions = functional::LogSoftmaxFuncOptions;
/// @}

/// Gaussian error linear units, softmax and its logarithm along one dimension.
/// @{
using GELUImpl = ConfiguredImpl<GELUOptions, functional::gelu>;
using GELU = ModuleHolder<GELUImpl>;
using SoftmaxImpl = ConfiguredImpl<SoftmaxOptions, functional::softmax>;
using Softmax = ModuleHolder<SoftmaxImpl>;
using LogSoftmaxImpl = ConfiguredImpl<LogSoftmaxOptions, functional::log_softmax>;
using LogSoftmax = ModuleHolder<LogSoftmaxImpl>;

/// @}

/// x itself.
class IdentityImpl : public Cloneable<IdentityImpl> {
public:
    /// Any shape -> same.
    [[nodiscard]] static Tensor forward(Tensor x) { return x; }
};

/// Owner of an IdentityImpl.
using Identity = ModuleHolder<IdentityImpl>;

/// All dimensions but the first as one.
class FlattenImpl : public Cloneable<FlattenImpl> {
public:
    /// [N, ...] -> [N, the rest]. @throws ArgumentError as pumice::flatten
    [[nodiscard]] static Tensor forward(const Tensor& x) { return flatten(x, 1); }
};

/// Owner of a FlattenImpl.
using Flatten = ModuleHolder<FlattenImpl>;

/// A function as a module, with the arguments behind the first bound.
class FunctionalImpl : public Cloneable<FunctionalImpl> {
public:
    /// `Functional(log_softmax, 1)` calls log_softmax(x, 1).
    template <class F, class... Args>
    explicit FunctionalImpl(F function, Args... args)
        : function_([function, args...](Tensor x) { return function(std::move(x), args...); }) {}

    /// As the function.
    [[nodiscard]] Tensor forward(Tensor x) const { return function_(std::move(x)); }

private:
    std::function<Tensor(Tensor)> function_;
};

/// Owner of a FunctionalImpl.
using Functional = ModuleHolder<FunctionalImpl>;

/// A loss: applies a function of input, target and options.
template <class Options, Tensor (*kFunction)(const Tensor&, const Tensor&, const Options&)>
class LossImpl : public Cloneable<LossImpl<Options, kFunction>> {
public:
    /// Takes the options, or what they are made of.
    template <class... Args>
    explicit LossImpl(Args&&... args) : options(std::forward<Args>(args)...) {}

    /// As the function.
    [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& target) const {
        return kFunction(input, target, options);
    }

    Options options;  ///< as given
};

/// Options of the losses: those of their functions.
/// @{
using MSELossOptions = functional::MSELossFuncOptions;
using L1LossOptions = functional::L1LossFuncOptions;
using HuberLossOptions = functional::HuberLossFuncOptions;
using CrossEntropyLossOptions = functional::CrossEntropyFuncOptions;
using NLLLossOptions = functional::NLLLossFuncOptions;
using BCEWithLogitsLossOptions = functional::BinaryCrossEntropyWithLogitsFuncOptions;
/// @}

/// The losses of nn/functional.h as modules.
/// @{
using MSELossImpl = LossImpl<MSELossOptions, functional::mse_loss>;
using MSELoss = ModuleHolder<MSELossImpl>;
using L1LossImpl = LossImpl<L1LossOptions, functional::l1_loss>;
using L1Loss = ModuleHolder<L1LossImpl>;
using HuberLossImpl = LossImpl<HuberLossOptions, functional::huber_loss>;
using HuberLoss = ModuleHolder<HuberLossImpl>;
using CrossEntropyLossImpl = LossImpl<CrossEntropyLossOptions, functional::cross_entropy>;
using CrossEntropyLoss = ModuleHolder<CrossEntropyLossImpl>;
using NLLLossImpl = LossImpl<NLLLossOptions, functional::nll_loss>;
using NLLLoss = ModuleHolder<NLLLossImpl>;
using BCEWithLogitsLossImpl =
    LossImpl<BCEWithLogitsLossOptions, functional::binary_cross_entropy_with_logits>;
using BCEWithLogitsLoss = ModuleHolder<BCEWithLogitsLossImpl>;
/// @}

}  // namespace nn
}  // namespace pumice
