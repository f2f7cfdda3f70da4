// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/optim/param_group.h"
#include "pumice/ordered_dict.h"
#include "pumice/tensor.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// Optimizers and learning-rate schedules, written with the public operators.
namespace PUMICE_API pumice {
namespace optim {

/// Base of the optimizers. A step runs under no_grad and raises each parameter's version by 1.
/// State has each parameter's shape and dtype and lives in persistent memory, whatever the mode of
/// the first step (G64, G78).
///
/// Steps may be captured (pumice/graph.h). A replay counts as a step, gives the same bits and uses
/// the learning rates at that time. The plan is stale once state was loaded, a group was added or
/// options other than learning rates were changed.
class Optimizer {
public:
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;
    Optimizer(Optimizer&&) = delete;
    Optimizer& operator=(Optimizer&&) = delete;
    virtual ~Optimizer() = default;

    /// Updates every parameter that has a gradient, with its group's options; only these
    /// parameters' step counts grow. State is made for all of them first, so that a step without
    /// memory for it changes nothing.
    /// @throws ArgumentError for options with a value that the optimizer does not take; nothing
    ///         changes then. OutOfMemoryError; if it comes during the updates, the parameters
    ///         before the failing one are updated and counted
    void step();
    /// Calls `closure`, which computes the loss and its gradients, with recording on, then updates
    /// as above; returns the loss. @throws GradModeError (E1) in inference mode, where `closure` is
    /// not called; ArgumentError for an empty closure; what it throws; what step() throws
    Tensor step(const std::function<Tensor()>& closure);
    /// Drops the parameters' gradients or, with false, writes zeros into them.
    void zero_grad(bool set_to_none = true);

    /// Appends a copy of a group; one without options gets a copy of the defaults.
    /// @throws ArgumentError without parameters; for a parameter that is undefined, is no leaf that
    ///         requires grad, or is in another group; for options of another optimizer or with
    ///         values that this one does not take. GradModeError (E18) for an inference tensor.
    ///         Nothing is appended then
    void add_param_group(const OptimizerParamGroup& group);

    /// The groups in order; `param_groups()[1].options().set_lr(0.1)` changes the options of one.
    [[nodiscard]] const std::vector<OptimizerParamGroup>& param_groups() const noexcept {
        return groups_;
    }

    /// The options of groups that are added without any.
    [[nodiscard]] OptimizerOptions& defaults() noexcept { return *defaults_; }

    /// The parameters of all groups, in order.
    [[nodiscard]] std::vector<Tensor> parameters() const;

    /// The learning rate of the next step: that of the first group, or of each.
    /// @{
    [[nodiscard]] double lr() const { return groups_.front().options().get_lr(); }

    [[nodiscard]] std::vector<double> lrs() const;
    /// @}

    /// Sets the learning rate of all groups, or of each.
    /// @throws ArgumentError unless finite and not negative, and unless there is one for each
    ///         group; nothing is set then
    /// @{
    void set_lr(double lr);
    void set_lrs(const std::vector<double>& lrs);
    /// @}

    /// "step", how often each parameter was updated (int32, in order), and the state tensors under
    /// names such as "0.exp_avg" (the parameter's index over all groups, and the state's name). The
    /// tensors share memory with the optimizer until the next load. A parameter that was never
    /// updated has no state. Options are not included.
    [[nodiscard]] OrderedDict<std::string, Tensor> state_dict() const;
    /// Replaces all counts and state by copies of the values, converted to each parameter's dtype.
    /// A parameter with 0 steps starts anew.
    /// @throws ArgumentError for a name that is unknown or missing, a count below 0 or an undefined
    ///         value; ShapeError for another shape; DTypeError for counts that are no int32;
    ///         nothing is loaded then
    void load_state_dict(const OrderedDict<std::string, Tensor>& state);

protected:
    /// How far one parameter has come; shared with captured steps, whose replays move it on.
    struct Progress {
        std::int64_t step_count = 0;  ///< its updates
        bool is_state_new = true;     ///< whether none of them kept state
    };

    /// What the numbers of an update are computed from.
    struct Moment {
        const OptimizerOptions& options;  ///< of the group, of the type of the defaults
        bool is_state_new;                ///< whether the state is zeros, made for this update
        std::int64_t step;                ///< count of this parameter's updates, this one included

        /// Of the update that comes next.
        Moment(const OptimizerOptions& group_options, const Progress& progress) noexcept
            : options(group_options),
              is_state_new(progress.is_state_new),
              step(progress.step_count + 1) {}
    };

    /// A number that changes from step to step.
    using Number = double (*)(const Moment& now);

    /// What an update works with besides the parameter and its gradient. Under a capture the moment
    /// is that of the capture: what replays compute anew goes through the functions below.
    class Update : public Moment {
    public:
        std::vector<Tensor>& state;  ///< in the order of state_names()

        /// target += number * x, as add_; a replay computes the number anew.
        void add_scaled(Tensor& target, const Tensor& x, Number number) const;
        /// target += number, as above.
        void add_number(Tensor& target, Number number) const;

    private:
        friend class Optimizer;

        Update(std::shared_ptr<const OptimizerOptions> group_options,
               std::shared_ptr<const Progress> progress,
               std::vector<Tensor>& its_state) noexcept
            : Moment(*group_options, *progress),
              state(its_state),
              options_(std::move(group_options)),
              progress_(std::move(progress)) {}

        [[nodiscard]] Tensor factor_for(const Tensor& x, Number number) const;

        std::shared_ptr<const OptimizerOptions> options_;
        std::shared_ptr<const Progress> progress_;
    };

    /// @throws ArgumentError without groups; as add_param_group for each
    Optimizer(const std::vector<OptimizerParamGroup>& groups, const OptimizerOptions& defaults);

    /// Names of the per-parameter state tensors, each zero at first.
    [[nodiscard]] virtual std::vector<std::string> state_names() const = 0;
    /// Whether parameters with these options have state.
    [[nodiscard]] virtual bool keeps_state(const OptimizerOptions& options) const = 0;
    /// One parameter's update.
    virtual void update(Tensor& parameter, const Tensor& grad, const Update& now) = 0;

private:
    // What is known of one parameter.
    struct Slot {
        std::vector<Tensor> state = {};  // empty until the first update that keeps it
        std::shared_ptr<Progress> progress = std::make_shared<Progress>();
    };

    void check_group(const OptimizerParamGroup& group) const;
    void follow_replays() const;
    void update_slot(Slot& slot,
                     Tensor parameter,
                     const OptimizerParamGroup& group,
                     std::vector<Tensor> made);
    [[nodiscard]] std::vector<Tensor> new_state(const Tensor& parameter) const;

    std::unique_ptr<OptimizerOptions> defaults_;
    std::vector<OptimizerParamGroup> groups_;
    std::vector<Slot> slots_;  // of each parameter, over all groups
    // Counts the changes of slots_; captured steps follow it.
    std::shared_ptr<std::int64_t> slots_version_ = std::make_shared<std::int64_t>(0);
};

/// Options of SGD.
struct SGDOptions {
    double lr = 1e-3;           ///< learning rate, finite and not negative
    double momentum = 0.0;      ///< factor on the buffer, not negative; 0 keeps no buffer
    double dampening = 0.0;     ///< the buffer takes 1 - dampening of each gradient after the first
    double weight_decay = 0.0;  ///< factor of the parameter added to its gradient, not negative
    bool nesterov = false;      ///< steps along gradient + momentum * buffer

    /// @throws ArgumentError for negative values, or nesterov without momentum or with dampening
    void check() const;

    /// Value by value.
    friend bool operator==(const SGDOptions&, const SGDOptions&) = default;
};

/// Stochastic gradient descent with momentum, as torch::optim::SGD: with g the gradient plus
/// weight_decay * p, buffer = momentum * buffer + (1 - dampening) * g and p -= lr * buffer.
/// A parameter's first gradient fills its buffer undamped.
class SGD : public Optimizer {
public:
    /// One group. @throws ArgumentError as SGDOptions::check; ArgumentError and GradModeError as
    /// Optimizer::add_param_group
    SGD(std::vector<Tensor> parameters, const SGDOptions& options);
    /// Groups, of which those without options take `defaults`. @throws as above
    SGD(const std::vector<OptimizerParamGroup>& groups, const SGDOptions& defaults);

protected:
    /// The same with options of a derived type.
    SGD(const std::vector<OptimizerParamGroup>& groups, const GroupOptions<SGDOptions>& defaults);

    [[nodiscard]] std::vector<std::string> state_names() const override;
    [[nodiscard]] bool keeps_state(const OptimizerOptions& options) const override;
    void update(Tensor& parameter, const Tensor& grad, const Update& now) override;
};

/// Options of Adam and AdamW.
struct AdamOptions {
    double lr = 1e-3;           ///< learning rate, finite and not negative
    double beta1 = 0.9;         ///< decay of the mean, in [0, 1)
    double beta2 = 0.999;       ///< decay of the mean square, in [0, 1)
    double eps = 1e-8;          ///< added to the root of the mean square, not negative
    double weight_decay = 0.0;  ///< not negative; see Adam and AdamW

    /// @throws ArgumentError for betas outside [0, 1) or negative values
    void check() const;

    /// Value by value.
    friend bool operator==(const AdamOptions&, const AdamOptions&) = default;
};

/// Adam with L2 regularisation: with g the gradient plus weight_decay * p, means m and v of g and
/// g^2 without bias, p -= lr * m / (sqrt(v) + eps). Source: Kingma and Ba, 2015, algorithm 1.
/// The bias is that of the parameter's own updates.
class Adam : public Optimizer {
public:
    /// One group. @throws ArgumentError as AdamOptions::check; ArgumentError and GradModeError as
    /// Optimizer::add_param_group
    Adam(std::vector<Tensor> parameters, const AdamOptions& options);
    /// Groups, of which those without options take `defaults`. @throws as above
    Adam(const std::vector<OptimizerParamGroup>& groups, const AdamOptions& defaults);

protected:
    /// The same with options of a derived type.
    Adam(const std::vector<OptimizerParamGroup>& groups, const GroupOptions<AdamOptions>& defaults);

    [[nodiscard]] std::vector<std::string> state_names() const override;
    /// True.
    [[nodiscard]] bool keeps_state(const OptimizerOptions& options) const override;
    void update(Tensor& parameter, const Tensor& grad, const Update& now) override;
    /// The update without regularisation or, with `decays`, less lr * weight_decay * parameter; one
    /// write (G78).
    static void apply_moments(Tensor& parameter,
                              const Tensor& grad,
                              const Update& now,
                              bool decays = false);
};

/// Adam with decoupled weight decay: p is first scaled by 1 - lr * weight_decay.
/// Source: Loshchilov and Hutter, 2019, algorithm 2.
class AdamW : public Adam {
public:
    using Adam::Adam;

protected:
    void update(Tensor& parameter, const Tensor& grad, const Update& now) override;
};

/// Scales all gradients in place by min(1, max_norm / (norm + 1e-6)), so that their joint 2-norm is
/// at most `max_norm`. Returns the norm before that, as a zero-dimensional float32 tensor; nothing
/// waits for the device. Parameters without a gradient are skipped. Source:
/// torch.nn.utils.clip_grad_norm_. @throws ArgumentError unless max_norm > 0
Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm);

/// A factor on the learning rate over steps, counted from 0: step k of the warm-up has
/// (k + 1) / warmup_steps, then `decay` follows. The base rates are those of the optimizer's groups
/// at construction; the optimizer must outlive the schedule.
class Schedule {
public:
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;
    Schedule(Schedule&&) = delete;
    Schedule& operator=(Schedule&&) = delete;
    virtual ~Schedule() = default;

    /// Goes to the next step and sets the rates of all groups for it; to be called after each step
    /// of the optimizer. @throws ArgumentError as set_step
    void step();
    /// Continues from a step, as after a resume. @throws ArgumentError for a negative step, where a
    /// rate is not one that the optimizer takes, or where groups were added; nothing changes then
    void set_step(std::int64_t step);

    /// The step that the rate is set for.
    [[nodiscard]] std::int64_t step_count() const noexcept { return step_; }

    /// The rate of that step, of the first group.
    [[nodiscard]] double lr() const { return lr_at(base_lrs_.front(), step_); }

protected:
    /// @throws ArgumentError unless 0 <= warmup_steps < total_steps
    Schedule(Optimizer& optimizer, std::int64_t warmup_steps, std::int64_t total_steps);
    /// Factor after the warm-up; progress in [0, 1], and 1 from total_steps on.
    [[nodiscard]] virtual double decay(double progress) const = 0;

private:
    [[nodiscard]] double lr_at(double base, std::int64_t step) const;

    Optimizer& optimizer_;
    std::vector<double> base_lrs_;
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

}  // namespace optim
}  // namespace pumice
