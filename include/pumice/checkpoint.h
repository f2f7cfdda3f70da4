// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <functional>
#include <vector>

namespace PUMICE_API pumice {
namespace autograd {

/// Runs a part of a model without keeping its inner results: backward runs `fn` again. Gradients
/// reach the inputs and the `grad` of leaves that fn uses; autograd::grad() gives those of the
/// inputs only. The random generator is set back for the second run unless preserve_rng_state is
/// false. fn must do the same both times. A call is recorded if grad mode is on and an input
/// requires grad. Source: torch.utils.checkpoint (reentrant).
/// @throws what fn throws
std::vector<Tensor> checkpoint(std::function<std::vector<Tensor>(const std::vector<Tensor>&)> fn,
                               const std::vector<Tensor>& inputs,
                               bool preserve_rng_state = true);

}  // namespace autograd
}  // namespace pumice
