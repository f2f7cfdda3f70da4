// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/optim.h"

#include <vector>

/// Helpers of training loops by LibTorch's names.
namespace PUMICE_API pumice {
namespace nn {
namespace utils {

/// optim::clip_grad_norm_; returns the norm before as a number, for which the host waits.
/// @throws ArgumentError unless max_norm > 0
inline double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm) {
    return optim::clip_grad_norm_(parameters, max_norm).item();
}

}  // namespace utils
}  // namespace nn
}  // namespace pumice
