// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Groups of parameters, each with options of its own, in LibTorch's form.

namespace PUMICE_API pumice {
namespace optim {

/// The options of a group, whatever the optimizer. Values may be changed between steps; the
/// optimizer checks them when it takes the group and before each step.
class OptimizerOptions {
public:
    virtual ~OptimizerOptions() = default;

    /// The learning rate.
    [[nodiscard]] virtual double get_lr() const noexcept = 0;
    /// Sets the learning rate.
    virtual void set_lr(double lr) noexcept = 0;
    /// A copy of the same type.
    [[nodiscard]] virtual std::unique_ptr<OptimizerOptions> clone() const = 0;
    /// @throws ArgumentError for a value that the optimizer does not take
    virtual void check() const = 0;
    /// Whether the others are options of the same type with the same values, learning rate aside:
    /// what a captured step has kept.
    [[nodiscard]] virtual bool equals_but_lr(const OptimizerOptions& other) const = 0;

protected:
    /// Copied and moved by the options derived from it alone.
    /// @{
    OptimizerOptions() = default;
    OptimizerOptions(const OptimizerOptions&) = default;
    OptimizerOptions(OptimizerOptions&&) = default;
    OptimizerOptions& operator=(const OptimizerOptions&) = default;
    OptimizerOptions& operator=(OptimizerOptions&&) = default;
    /// @}
};

/// SGDOptions or AdamOptions as the options of a group; or an own type with `lr`, `check()` and ==.
template <class Values>
class GroupOptions : public OptimizerOptions {
public:
    /// Of these values.
    explicit GroupOptions(const Values& values) noexcept : values_(values) {}

    /// See OptimizerOptions.
    [[nodiscard]] double get_lr() const noexcept override { return values_.lr; }

    /// See OptimizerOptions.
    void set_lr(double lr) noexcept override { values_.lr = lr; }

    /// See OptimizerOptions.
    [[nodiscard]] std::unique_ptr<OptimizerOptions> clone() const override {
        return std::make_unique<GroupOptions>(*this);
    }

    /// See OptimizerOptions.
    void check() const override { values_.check(); }

    /// See OptimizerOptions.
    [[nodiscard]] bool equals_but_lr(const OptimizerOptions& other) const override {
        const auto* const same = dynamic_cast<const GroupOptions*>(&other);
        if (same == nullptr) {
            return false;
        }
        Values values = same->values_;
        values.lr = values_.lr;
        return values == values_;
    }

    /// All of them.
    [[nodiscard]] const Values& values() const noexcept { return values_; }

    /// All of them, to change.
    [[nodiscard]] Values& values() noexcept { return values_; }

private:
    Values values_;
};

/// Parameters that are updated with the same options. A copy of a group has a copy of its options.
class OptimizerParamGroup {
public:
    /// With the optimizer's own options.
    explicit(false) OptimizerParamGroup(std::vector<Tensor> params) noexcept
        : params_(std::move(params)) {}

    /// With these options; null stands for the optimizer's own.
    OptimizerParamGroup(std::vector<Tensor> params,
                        std::unique_ptr<OptimizerOptions> options) noexcept
        : params_(std::move(params)), options_(std::move(options)) {}

    /// With SGDOptions or AdamOptions.
    template <class Values>

    requires std::is_aggregate_v<Values>

    OptimizerParamGroup(std::vector<Tensor> params, const Values& options)
        : OptimizerParamGroup(std::move(params), std::make_unique<GroupOptions<Values>>(options)) {}

    /// A copy has options of its own and shares the parameters.
    /// @{
    OptimizerParamGroup(const OptimizerParamGroup& other);
    OptimizerParamGroup(OptimizerParamGroup&&) noexcept = default;
    OptimizerParamGroup& operator=(const OptimizerParamGroup& other);
    OptimizerParamGroup& operator=(OptimizerParamGroup&&) noexcept = default;
    /// @}
    ~OptimizerParamGroup() = default;

    /// The parameters, in the order given.
    [[nodiscard]] const std::vector<Tensor>& params() const noexcept { return params_; }

    /// Whether it has options; the groups of an optimizer have.
    [[nodiscard]] bool has_options() const noexcept { return options_ != nullptr; }

    /// The options, to read or to change; LibTorch's static_cast to the optimizer's own type works.
    /// @throws ArgumentError without options
    [[nodiscard]] OptimizerOptions& options() const;

private:
    friend class Optimizer;

    std::vector<Tensor> params_;
    std::shared_ptr<OptimizerOptions> options_;  // shared with captured steps
};

}  // namespace optim
}  // namespace pumice
