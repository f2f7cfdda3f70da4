// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

namespace PUMICE_API pumice {
namespace autograd {

/// Finds the forward operator behind an error of a backward walk. While one lives, on every thread,
/// nodes note the call that made them; a walk that throws warns with that call, and with the one
/// that induced it if it was itself part of a walk. With check_nan, a node that returns NaN throws
/// GradModeError. Slow: it describes each call, and reads gradients back.
/// Source: torch::autograd::DetectAnomalyGuard.
class DetectAnomalyGuard {
public:
    /// Turns detection on; the guard before it has its say again when this one ends.
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
