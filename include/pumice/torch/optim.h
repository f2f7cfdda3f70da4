// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/optim.h"

#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

/// Pumice's optimizers with options in LibTorch's form, `SGD(parameters,
/// SGDOptions(0.1).momentum(0.9))`, and with groups of parameters,
/// `SGD({OptimizerParamGroup(a, std::make_unique<SGDOptions>(0.2)), b}, SGDOptions(0.1))`.
namespace torch::optim {

using pumice::optim::Optimizer;
using pumice::optim::OptimizerOptions;
using pumice::optim::OptimizerParamGroup;

/// What the options below have in common: `Self` is the type that the setters return, `Values` the
/// options in Pumice's form.
template <class Self, class Values>
class OptimizerCloneableOptions : public pumice::optim::GroupOptions<Values> {
public:
    /// Sets the learning rate.
    Self& lr(double value) noexcept {
        this->values().lr = value;
        return self();
    }

    /// Sets the weight decay.
    Self& weight_decay(double value) noexcept {
        this->values().weight_decay = value;
        return self();
    }

    /// As set.
    [[nodiscard]] double lr() const noexcept { return this->values().lr; }

    /// As set.
    [[nodiscard]] double weight_decay() const noexcept { return this->values().weight_decay; }

    /// See OptimizerOptions.
    [[nodiscard]] std::unique_ptr<OptimizerOptions> clone() const override {
        return std::make_unique<Self>(static_cast<const Self&>(*this));
    }

protected:
    using pumice::optim::GroupOptions<Values>::GroupOptions;

    /// The whole.
    Self& self() noexcept { return static_cast<Self&>(*this); }
};

/// Options of SGD; meanings, first values and errors as pumice::optim::SGDOptions.
class SGDOptions : public OptimizerCloneableOptions<SGDOptions, pumice::optim::SGDOptions> {
public:
    /// With this learning rate.
    explicit(false) SGDOptions(double lr) noexcept
        : OptimizerCloneableOptions(pumice::optim::SGDOptions{.lr = lr}) {}

    /// Sets the option of this name.
    /// @{
    SGDOptions& momentum(double value) noexcept {
        values().momentum = value;
        return *this;
    }

    SGDOptions& dampening(double value) noexcept {
        values().dampening = value;
        return *this;
    }

    SGDOptions& nesterov(bool value) noexcept {
        values().nesterov = value;
        return *this;
    }

    /// @}

    /// The option of this name.
    /// @{
    [[nodiscard]] double momentum() const noexcept { return values().momentum; }

    [[nodiscard]] double dampening() const noexcept { return values().dampening; }

    [[nodiscard]] bool nesterov() const noexcept { return values().nesterov; }

    /// @}
};

/// Options of Adam and AdamW; meanings and errors as pumice::optim::AdamOptions.
template <class Self>
class AdamOptionsBase : public OptimizerCloneableOptions<Self, pumice::optim::AdamOptions> {
public:
    /// Sets those of the mean and the mean square.
    Self& betas(const std::tuple<double, double>& value) noexcept {
        std::tie(this->values().beta1, this->values().beta2) = value;
        return this->self();
    }

    /// Sets the option of this name.
    Self& eps(double value) noexcept {
        this->values().eps = value;
        return this->self();
    }

    /// As set.
    [[nodiscard]] std::tuple<double, double> betas() const noexcept {
        return {this->values().beta1, this->values().beta2};
    }

    /// As set.
    [[nodiscard]] double eps() const noexcept { return this->values().eps; }

protected:
    using OptimizerCloneableOptions<Self, pumice::optim::AdamOptions>::OptimizerCloneableOptions;
};

/// Options of Adam.
class AdamOptions : public AdamOptionsBase<AdamOptions> {
public:
    /// With this learning rate; betas 0.9 and 0.999, eps 1e-8, no weight decay.
    explicit(false) AdamOptions(double lr = 1e-3) noexcept
        : AdamOptionsBase(pumice::optim::AdamOptions{.lr = lr}) {}
};

/// Options of AdamW.
class AdamWOptions : public AdamOptionsBase<AdamWOptions> {
public:
    /// With this learning rate; betas 0.9 and 0.999, eps 1e-8, weight decay 0.01.
    explicit(false) AdamWOptions(double lr = 1e-3) noexcept
        : AdamOptionsBase(pumice::optim::AdamOptions{.lr = lr, .weight_decay = 1e-2}) {}
};

/// pumice::optim::SGD.
class SGD : public pumice::optim::SGD {
public:
    /// One group, or groups, of which those without options take `options`.
    /// @throws ArgumentError, GradModeError as pumice::optim::SGD
    /// @{
    SGD(std::vector<pumice::Tensor> parameters, const SGDOptions& options)
        : SGD(std::vector<OptimizerParamGroup>(1, std::move(parameters)), options) {}

    SGD(const std::vector<OptimizerParamGroup>& groups, const SGDOptions& options)
        : pumice::optim::SGD(groups, options) {}

    /// @}
};

/// pumice::optim::Adam.
class Adam : public pumice::optim::Adam {
public:
    /// As SGD. @throws ArgumentError, GradModeError as pumice::optim::Adam
    /// @{
    explicit Adam(std::vector<pumice::Tensor> parameters, const AdamOptions& options = {})
        : Adam(std::vector<OptimizerParamGroup>(1, std::move(parameters)), options) {}

    explicit Adam(const std::vector<OptimizerParamGroup>& groups, const AdamOptions& options = {})
        : pumice::optim::Adam(groups, options) {}

    /// @}
};

/// pumice::optim::AdamW.
class AdamW : public pumice::optim::AdamW {
public:
    /// As SGD. @throws ArgumentError, GradModeError as pumice::optim::AdamW
    /// @{
    explicit AdamW(std::vector<pumice::Tensor> parameters, const AdamWOptions& options = {})
        : AdamW(std::vector<OptimizerParamGroup>(1, std::move(parameters)), options) {}

    explicit AdamW(const std::vector<OptimizerParamGroup>& groups, const AdamWOptions& options = {})
        : pumice::optim::AdamW(groups, options) {}

    /// @}
};

/// Multiplies the learning rate of each group by gamma after every step_size steps. The optimizer
/// must outlive it.
class StepLR {
public:
    /// Changes nothing yet.
    StepLR(Optimizer& optimizer, unsigned step_size, double gamma = 0.1) noexcept
        : optimizer_(&optimizer), step_size_(step_size), gamma_(gamma) {}

    /// Counts a step. @throws ArgumentError where the rate is not one that the optimizer takes
    void step() {
        ++step_;
        if (step_size_ > 0 && step_ % step_size_ == 0) {
            std::vector<double> lrs = optimizer_->lrs();
            for (double& lr : lrs) {
                lr *= gamma_;
            }
            optimizer_->set_lrs(lrs);
        }
    }

private:
    Optimizer* optimizer_;
    std::uint64_t step_ = 0;
    std::uint64_t step_size_;
    double gamma_;
};

}  // namespace torch::optim
