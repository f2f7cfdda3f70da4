// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/optim.h"

#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

/// Pumice's optimizers with options in LibTorch's form, `SGD(parameters,
/// SGDOptions(0.1).momentum(0.9))`. There are no parameter groups: Optimizer::set_lr sets the
/// learning rate of all parameters.
namespace torch::optim {

using pumice::optim::Optimizer;

/// Options of SGD; meanings, first values and errors as pumice::optim::SGDOptions.
class SGDOptions {
public:
    /// With this learning rate.
    // NOLINTNEXTLINE(google-explicit-constructor): LibTorch's spelling
    SGDOptions(double lr) noexcept : values_{.lr = lr} {}

    /// Sets the option of this name.
    /// @{
    SGDOptions& lr(double value) noexcept {
        values_.lr = value;
        return *this;
    }

    SGDOptions& momentum(double value) noexcept {
        values_.momentum = value;
        return *this;
    }

    SGDOptions& dampening(double value) noexcept {
        values_.dampening = value;
        return *this;
    }

    SGDOptions& weight_decay(double value) noexcept {
        values_.weight_decay = value;
        return *this;
    }

    SGDOptions& nesterov(bool value) noexcept {
        values_.nesterov = value;
        return *this;
    }

    /// @}

    /// The option of this name.
    /// @{
    [[nodiscard]] double lr() const noexcept { return values_.lr; }

    [[nodiscard]] double momentum() const noexcept { return values_.momentum; }

    [[nodiscard]] double dampening() const noexcept { return values_.dampening; }

    [[nodiscard]] double weight_decay() const noexcept { return values_.weight_decay; }

    [[nodiscard]] bool nesterov() const noexcept { return values_.nesterov; }

    /// @}

    /// All of them in Pumice's form.
    [[nodiscard]] const pumice::optim::SGDOptions& values() const noexcept { return values_; }

private:
    pumice::optim::SGDOptions values_;
};

/// Options of Adam and AdamW; meanings and errors as pumice::optim::AdamOptions. `Self` is the type
/// that the setters return.
template <class Self>
class AdamOptionsBase {
public:
    /// Sets the option of this name; betas are those of the mean and the mean square.
    /// @{
    Self& lr(double value) noexcept {
        values_.lr = value;
        return self();
    }

    Self& betas(const std::tuple<double, double>& value) noexcept {
        std::tie(values_.beta1, values_.beta2) = value;
        return self();
    }

    Self& eps(double value) noexcept {
        values_.eps = value;
        return self();
    }

    Self& weight_decay(double value) noexcept {
        values_.weight_decay = value;
        return self();
    }

    /// @}

    /// The option of this name.
    /// @{
    [[nodiscard]] double lr() const noexcept { return values_.lr; }

    [[nodiscard]] std::tuple<double, double> betas() const noexcept {
        return {values_.beta1, values_.beta2};
    }

    [[nodiscard]] double eps() const noexcept { return values_.eps; }

    [[nodiscard]] double weight_decay() const noexcept { return values_.weight_decay; }

    /// @}

    /// All of them in Pumice's form.
    [[nodiscard]] const pumice::optim::AdamOptions& values() const noexcept { return values_; }

protected:
    explicit AdamOptionsBase(const pumice::optim::AdamOptions& values) noexcept : values_(values) {}

private:
    Self& self() noexcept { return static_cast<Self&>(*this); }

    pumice::optim::AdamOptions values_;
};

/// Options of Adam.
class AdamOptions : public AdamOptionsBase<AdamOptions> {
public:
    /// With this learning rate; betas 0.9 and 0.999, eps 1e-8, no weight decay.
    // NOLINTNEXTLINE(google-explicit-constructor): LibTorch's spelling
    AdamOptions(double lr = 1e-3) noexcept : AdamOptionsBase({.lr = lr}) {}
};

/// Options of AdamW.
class AdamWOptions : public AdamOptionsBase<AdamWOptions> {
public:
    /// With this learning rate; betas 0.9 and 0.999, eps 1e-8, weight decay 0.01.
    // NOLINTNEXTLINE(google-explicit-constructor): LibTorch's spelling
    AdamWOptions(double lr = 1e-3) noexcept : AdamOptionsBase({.lr = lr, .weight_decay = 1e-2}) {}
};

/// pumice::optim::SGD.
class SGD : public pumice::optim::SGD {
public:
    /// @throws ArgumentError, GradModeError as pumice::optim::SGD
    SGD(std::vector<pumice::Tensor> parameters, const SGDOptions& options)
        : pumice::optim::SGD(std::move(parameters), options.values()) {}
};

/// pumice::optim::Adam.
class Adam : public pumice::optim::Adam {
public:
    /// @throws ArgumentError, GradModeError as pumice::optim::Adam
    explicit Adam(std::vector<pumice::Tensor> parameters, const AdamOptions& options = {})
        : pumice::optim::Adam(std::move(parameters), options.values()) {}
};

/// pumice::optim::AdamW.
class AdamW : public pumice::optim::AdamW {
public:
    /// @throws ArgumentError, GradModeError as pumice::optim::AdamW
    explicit AdamW(std::vector<pumice::Tensor> parameters, const AdamWOptions& options = {})
        : pumice::optim::AdamW(std::move(parameters), options.values()) {}
};

/// Multiplies the learning rate by gamma after every step_size steps. The optimizer must outlive
/// it.
class StepLR {
public:
    /// Changes nothing yet.
    StepLR(Optimizer& optimizer, unsigned step_size, double gamma = 0.1) noexcept
        : optimizer_(&optimizer), step_size_(step_size), gamma_(gamma) {}

    /// Counts a step. @throws ArgumentError where the rate is not one that the optimizer takes
    void step() {
        ++step_;
        if (step_size_ > 0 && step_ % step_size_ == 0) {
            optimizer_->set_lr(optimizer_->lr() * gamma_);
        }
    }

private:
    Optimizer* optimizer_;
    std::uint64_t step_ = 0;
    std::uint64_t step_size_;
    double gamma_;
};

}  // namespace torch::optim
