// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pumice::optim {

/// Base of the optimizers. Steps run under no_grad and bump each parameter's version; state lives
/// in persistent memory whatever the mode of the first step (G64, G78).
class Optimizer {
public:
    /// @throws ArgumentError without parameters or for one that is no leaf requiring grad;
    ///         GradModeError (E18) for an inference tensor
    Optimizer(std::vector<Tensor> parameters, double lr);
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;
    Optimizer(Optimizer&&) = delete;
    Optimizer& operator=(Optimizer&&) = delete;
    virtual ~Optimizer() = default;

    /// Updates every parameter that has a gradient.
    void step();
    void zero_grad(bool set_to_none = true);

    [[nodiscard]] double lr() const noexcept { return lr_; }

    /// @throws ArgumentError unless finite and not negative
    void set_lr(double lr);

    [[nodiscard]] const std::vector<Tensor>& parameters() const noexcept { return parameters_; }

    /// State tensors by name "<parameter index>.<state name>", and "step" (int32, one element).
    [[nodiscard]] std::vector<std::pair<std::string, Tensor>> state_dict() const;
    /// @throws ArgumentError for an unknown or missing name, ShapeError
    void load_state_dict(const std::vector<std::pair<std::string, Tensor>>& state);

protected:
    /// Names of the per-parameter state tensors, each zero at first.
    [[nodiscard]] virtual std::vector<std::string> state_names() const = 0;
    /// One parameter's update; `state` in the order of state_names().
    virtual void update(Tensor& parameter, const Tensor& grad, std::vector<Tensor>& state) = 0;

    /// Steps taken, the current one included.
    [[nodiscard]] std::int64_t step_count() const noexcept { return step_count_; }

private:
    void ensure_state();

    std::vector<Tensor> parameters_;
    std::vector<std::vector<Tensor>> states_;
    double lr_;
    std::int64_t step_count_ = 0;
};

struct SGDOptions {
    double lr = 1e-3;
    double momentum = 0.0;
    double dampening = 0.0;
    double weight_decay = 0.0;
    bool nesterov = false;
};

/// Stochastic gradient descent with momentum, as torch::optim::SGD.
class SGD : public Optimizer {
public:
    /// @throws ArgumentError for negative options, or nesterov without momentum or with dampening
    SGD(std::vector<Tensor> parameters, const SGDOptions& options);

protected:
    [[nodiscard]] std::vector<std::string> state_names() const override;
    void update(Tensor& parameter, const Tensor& grad, std::vector<Tensor>& state) override;

private:
    SGDOptions options_;
};

struct AdamOptions {
    double lr = 1e-3;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double eps = 1e-8;
    double weight_decay = 0.0;
};

/// Adam with L2 regularisation. Source: Kingma and Ba, 2015, algorithm 1.
class Adam : public Optimizer {
public:
    /// @throws ArgumentError for betas outside [0, 1) or negative options
    Adam(std::vector<Tensor> parameters, const AdamOptions& options);

protected:
    [[nodiscard]] std::vector<std::string> state_names() const override;
    void update(Tensor& parameter, const Tensor& grad, std::vector<Tensor>& state) override;
    /// The update without regularisation.
    void apply_moments(Tensor& parameter, const Tensor& grad, std::vector<Tensor>& state);

    [[nodiscard]] const AdamOptions& options() const noexcept { return options_; }

private:
    AdamOptions options_;
};

/// Adam with decoupled weight decay. Source: Loshchilov and Hutter, 2019, algorithm 2.
class AdamW : public Adam {
public:
    using Adam::Adam;

protected:
    void update(Tensor& parameter, const Tensor& grad, std::vector<Tensor>& state) override;
};

/// Scales all gradients so that their joint 2-norm is at most `max_norm`; returns the norm before
/// (zero-dimensional, on the device: nothing waits). @throws ArgumentError unless max_norm > 0
Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm);

/// A factor on the learning rate over steps.
class Schedule {
public:
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;
    Schedule(Schedule&&) = delete;
    Schedule& operator=(Schedule&&) = delete;
    virtual ~Schedule() = default;

    /// Sets the optimizer's rate for the next step.
    void step();
    /// Continues from a step, as after a resume.
    void set_step(std::int64_t step);

    [[nodiscard]] std::int64_t step_count() const noexcept { return step_; }

    [[nodiscard]] double lr() const;

protected:
    Schedule(Optimizer& optimizer, std::int64_t warmup_steps, std::int64_t total_steps);
    /// Factor after the warm-up; progress in [0, 1].
    [[nodiscard]] virtual double decay(double progress) const = 0;

private:
    Optimizer& optimizer_;
    double base_lr_;
    std::int64_t warmup_steps_;
    std::int64_t total_steps_;
    std::int64_t step_ = 0;
};

/// Linear warm-up from 1/warmup to 1, then linear to `final_factor`.
class LinearSchedule : public Schedule {
public:
    /// @throws ArgumentError unless 0 <= warmup_steps < total_steps
    LinearSchedule(Optimizer& optimizer,
                   std::int64_t warmup_steps,
                   std::int64_t total_steps,
                   double final_factor = 0.0);

protected:
    [[nodiscard]] double decay(double progress) const override;

private:
    double final_factor_;
};

/// Linear warm-up, then half a cosine to `final_factor`.
class CosineSchedule : public Schedule {
public:
    /// @throws ArgumentError unless 0 <= warmup_steps < total_steps
    CosineSchedule(Optimizer& optimizer,
                   std::int64_t warmup_steps,
                   std::int64_t total_steps,
                   double final_factor = 0.0);

protected:
    [[nodiscard]] double decay(double progress) const override;

private:
    double final_factor_;
};

}  // namespace pumice::optim
