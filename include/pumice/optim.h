// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/ordered_dict.h"
#include "pumice/tensor.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// Optimizers and learning-rate schedules, written with the public operators.
namespace pumice::optim {

/// Base of the optimizers. Steps run under no_grad and bump each parameter's version by 1; state
/// has each parameter's shape and dtype and lives in persistent memory whatever the mode of the
/// first step (G64, G78).
class Optimizer {
public:
    /// @throws ArgumentError without parameters, for an undefined one or one that is no leaf
    ///         requiring grad, or as set_lr; GradModeError (E18) for an inference tensor
    Optimizer(std::vector<Tensor> parameters, double lr);
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;
    Optimizer(Optimizer&&) = delete;
    Optimizer& operator=(Optimizer&&) = delete;
    virtual ~Optimizer() = default;

    /// Updates every parameter that has a gradient; only their step counts go up. State is made
    /// for all of them first, so that a step that finds no memory for it changes nothing.
    /// @throws OutOfMemoryError; one that comes later leaves the parameters before the failing one
    ///         updated, and counted
    void step();
    /// Calls `closure`, which computes the loss and its gradients, with recording on, then updates
    /// as above; returns the loss. @throws GradModeError (E1) in inference mode, where `closure` is
    /// not called; ArgumentError for an empty one; what it throws; OutOfMemoryError as above
    Tensor step(const std::function<Tensor()>& closure);
    /// Drops the parameters' gradients or, with false, writes zeros into them.
    void zero_grad(bool set_to_none = true);

    /// The learning rate of the next step.
    [[nodiscard]] double lr() const noexcept { return lr_; }

    /// Sets the learning rate. @throws ArgumentError unless finite and not negative
    void set_lr(double lr);

    /// The parameters, in the order given.
    [[nodiscard]] const std::vector<Tensor>& parameters() const noexcept { return parameters_; }

    /// "step", the updates of each parameter (int32, in order), and state tensors by name
    /// "0.exp_avg" (index of the parameter, name of the state), which share memory with the
    /// optimizer until the next load. A parameter that was never updated has no state.
    [[nodiscard]] OrderedDict<std::string, Tensor> state_dict() const;
    /// Takes copies of the values, converted to each parameter's dtype, in place of all counts and
    /// state there were: a parameter with 0 steps starts anew.
    /// @throws ArgumentError for a name that is unknown or missing, a count below 0 or an undefined
    ///         value; ShapeError for another shape; DTypeError for counts that are no int32; nothing
    ///         is loaded then
    void load_state_dict(const OrderedDict<std::string, Tensor>& state);

protected:
    /// Names of the per-parameter state tensors, each zero at first.
    [[nodiscard]] virtual std::vector<std::string> state_names() const = 0;
    /// One parameter's update; `state` in the order of state_names(), `step` the count of this
    /// parameter's updates, the current one included.
    virtual void update(Tensor& parameter,
                        const Tensor& grad,
                        std::vector<Tensor>& state,
                        std::int64_t step) = 0;

private:
    [[nodiscard]] std::vector<Tensor> new_state(std::size_t parameter) const;
    [[nodiscard]] std::vector<std::vector<Tensor>> copies_of(
        const std::vector<std::vector<Tensor>>& sources) const;

    std::vector<Tensor> parameters_;
    std::vector<std::vector<Tensor>> states_;  ///< empty for a parameter without updates
    std::vector<std::int64_t> step_counts_;    ///< updates of each parameter
    double lr_;
};

/// Options of SGD.
struct SGDOptions {
    double lr = 1e-3;           ///< learning rate, finite and not negative
    double momentum = 0.0;      ///< factor on the buffer, not negative; 0 keeps no buffer
    double dampening = 0.0;     ///< the buffer takes 1 - dampening of each gradient after the first
    double weight_decay = 0.0;  ///< factor of the parameter added to its gradient, not negative
    bool nesterov = false;      ///< steps along gradient + momentum * buffer
};

/// Stochastic gradient descent with momentum, as torch::optim::SGD: with g the gradient plus
/// weight_decay * p, buffer = momentum * buffer + (1 - dampening) * g and p -= lr * buffer.
/// A parameter's first gradient fills its buffer undamped.
class SGD : public Optimizer {
public:
    /// @throws ArgumentError for negative options, or nesterov without momentum or with dampening;
    ///         as Optimizer
    SGD(std::vector<Tensor> parameters, const SGDOptions& options);

protected:
    [[nodiscard]] std::vector<std::string> state_names() const override;
    void update(Tensor& parameter,
                const Tensor& grad,
                std::vector<Tensor>& state,
                std::int64_t step) override;

private:
    SGDOptions options_;
};

/// Options of Adam and AdamW.
struct AdamOptions {
    double lr = 1e-3;           ///< learning rate, finite and not negative
    double beta1 = 0.9;         ///< decay of the mean, in [0, 1)
    double beta2 = 0.999;       ///< decay of the mean square, in [0, 1)
    double eps = 1e-8;          ///< added to the root of the mean square, not negative
    double weight_decay = 0.0;  ///< not negative; see Adam and AdamW
};

/// Adam with L2 regularisation: with g the gradient plus weight_decay * p, means m and v of g and
/// g^2 without bias, p -= lr * m / (sqrt(v) + eps). Source: Kingma and Ba, 2015, algorithm 1.
/// The bias is that of the parameter's own updates.
class Adam : public Optimizer {
public:
    /// @throws ArgumentError for betas outside [0, 1) or negative options; as Optimizer
    Adam(std::vector<Tensor> parameters, const AdamOptions& options);

protected:
    [[nodiscard]] std::vector<std::string> state_names() const override;
    void update(Tensor& parameter,
                const Tensor& grad,
                std::vector<Tensor>& state,
                std::int64_t step) override;
    /// The update without regularisation, less lr * decay * parameter; one write (G78).
    void apply_moments(Tensor& parameter,
                       const Tensor& grad,
                       std::vector<Tensor>& state,
                       std::int64_t step,
                       double decay = 0.0);

    /// As given.
    [[nodiscard]] const AdamOptions& options() const noexcept { return options_; }

private:
    AdamOptions options_;
};

/// Adam with decoupled weight decay: p is first scaled by 1 - lr * weight_decay.
/// Source: Loshchilov and Hutter, 2019, algorithm 2.
class AdamW : public Adam {
public:
    using Adam::Adam;

protected:
    void update(Tensor& parameter,
                const Tensor& grad,
                std::vector<Tensor>& state,
                std::int64_t step) override;
};

/// Scales all gradients in place so that their joint 2-norm is at most `max_norm`, by
/// min(1, max_norm / (norm + 1e-6)); returns the norm before (zero-dimensional float32, on the
/// device: nothing waits). Parameters without a gradient are passed over.
/// Source: torch.nn.utils.clip_grad_norm_. @throws ArgumentError unless max_norm > 0
Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm);

/// A factor on the learning rate over steps, counted from 0: step k of the warm-up has
/// (k + 1) / warmup_steps, then `decay` follows. The base rate is the optimizer's at construction;
/// the optimizer must outlive the schedule.
class Schedule {
public:
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;
    Schedule(Schedule&&) = delete;
    Schedule& operator=(Schedule&&) = delete;
    virtual ~Schedule() = default;

    /// Goes to the next step and sets the optimizer's rate for it; to be called after each step of
    /// the optimizer.
    void step();
    /// Continues from a step, as after a resume. @throws ArgumentError for a negative step, or
    /// where the rate is not one that the optimizer takes; nothing changes then
    void set_step(std::int64_t step);

    /// The step that the rate is set for.
    [[nodiscard]] std::int64_t step_count() const noexcept { return step_; }

    /// The rate of that step.
    [[nodiscard]] double lr() const { return lr_at(step_); }

protected:
    /// @throws ArgumentError unless 0 <= warmup_steps < total_steps
    Schedule(Optimizer& optimizer, std::int64_t warmup_steps, std::int64_t total_steps);
    /// Factor after the warm-up; progress in [0, 1], and 1 from total_steps on.
    [[nodiscard]] virtual double decay(double progress) const = 0;

private:
    [[nodiscard]] double lr_at(std::int64_t step) const;

    Optimizer& optimizer_;
    double base_lr_;
    std::int64_t warmup_steps_;
    std::int64_t total_steps_;
    std::int64_t step_ = 0;
};

/// Linear warm-up from 1 / warmup_steps to 1, then linear to `final_factor`.
class LinearSchedule : public Schedule {
public:
    /// Sets the rate of step 0. @throws ArgumentError unless 0 <= warmup_steps < total_steps and
    /// final_factor is finite and not negative
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
    /// Sets the rate of step 0. @throws ArgumentError unless 0 <= warmup_steps < total_steps and
    /// final_factor is finite and not negative
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
