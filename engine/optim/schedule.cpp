// SPDX-License-Identifier: Apache-2.0
// Learning rates over steps.
#include "pumice/error.h"
#include "pumice/optim.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pumice::optim {

namespace {

double checked_factor(const char* schedule, double final_factor) {
    if (!(std::isfinite(final_factor) && final_factor >= 0.0)) {
        throw ArgumentError(
            schedule, fmt::format("final_factor must be finite and >= 0; got {}", final_factor));
    }
    return final_factor;
}

}  // namespace

Schedule::Schedule(Optimizer& optimizer, std::int64_t warmup_steps, std::int64_t total_steps)
    : optimizer_(optimizer),
      base_lrs_(optimizer.lrs()),
      warmup_steps_(warmup_steps),
      total_steps_(total_steps) {
    if (warmup_steps < 0 || warmup_steps >= total_steps) {
        throw ArgumentError("Schedule",
                            fmt::format("wanted 0 <= warmup_steps < total_steps; got "
                                        "warmup_steps {} and total_steps {}",
                                        warmup_steps,
                                        total_steps));
    }
}

double Schedule::lr_at(double base, std::int64_t step) const {
    if (step < warmup_steps_) {
        return base * static_cast<double>(step + 1) / static_cast<double>(warmup_steps_);
    }
    const double progress = static_cast<double>(step - warmup_steps_) /
                            static_cast<double>(total_steps_ - warmup_steps_);
    return base * decay(std::min(progress, 1.0));
}

void Schedule::step() {
    set_step(step_ + 1);
}

void Schedule::set_step(std::int64_t step) {
    if (step < 0) {
        throw ArgumentError("Schedule", fmt::format("wanted a step >= 0; got {}", step));
    }
    std::vector<double> lrs;
    for (const double base : base_lrs_) {
        lrs.push_back(lr_at(base, step));
    }
    optimizer_.set_lrs(lrs);
    step_ = step;
}

LinearSchedule::LinearSchedule(Optimizer& optimizer,
                               std::int64_t warmup_steps,
                               std::int64_t total_steps,
                               double final_factor)
    : Schedule(optimizer, warmup_steps, total_steps),
      final_factor_(checked_factor("LinearSchedule", final_factor)) {
    set_step(0);
}

double LinearSchedule::decay(double progress) const {
    return 1.0 + (final_factor_ - 1.0) * progress;
}

CosineSchedule::CosineSchedule(Optimizer& optimizer,
                               std::int64_t warmup_steps,
                               std::int64_t total_steps,
                               double final_factor)
    : Schedule(optimizer, warmup_steps, total_steps),
      final_factor_(checked_factor("CosineSchedule", final_factor)) {
    set_step(0);
}

double CosineSchedule::decay(double progress) const {
    return final_factor_ +
           (1.0 - final_factor_) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

}  // namespace pumice::optim
