// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

namespace PUMICE_API pumice {
namespace autograd {

/// Finds the forward call behind an error of a backward walk. While such a guard lives, the nodes
/// of every thread note the call that made them. A walk that throws then warns with that call and,
/// if the call was itself made during a walk, with the call behind that. With check_nan, a node
/// whose gradient is NaN throws GradModeError. This is slow: each call is described, and gradients
/// are read back. Source: torch::autograd::DetectAnomalyGuard.
class DetectAnomalyGuard {
public:
    /// Turns detection on; when this guard ends, the settings of the guard before it hold again.
    [[nodiscard]] explicit DetectAnomalyGuard(bool check_nan = true) noexcept;
    DetectAnomalyGuard(const DetectAnomalyGuard&) = delete;
    DetectAnomalyGuard& operator=(const DetectAnomalyGuard&) = delete;
    DetectAnomalyGuard(DetectAnomalyGuard&&) = delete;
    DetectAnomalyGuard& operator=(DetectAnomalyGuard&&) = delete;
    ~DetectAnomalyGuard();

private:
    bool was_enabled_;
    bool did_check_nan_;
};

}  // namespace autograd
}  // namespace pumice
