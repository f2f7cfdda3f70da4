// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <functional>
#include <vector>

namespace PUMICE_API pumice {
namespace autograd {

/// What gradcheck compares with. The defaults suit float32 and values near 1.
struct GradcheckOptions {
    double eps = 1e-2;   ///< step of the central difference, in units of the input
    double atol = 1e-3;  ///< allowed difference
    double rtol = 1e-2;  ///< allowed difference, in units of the numerical derivative
    /// Whether a difference throws, with the place and both values, instead of returning false.
    bool raise_exception = true;
};

/// Whether the derivatives of fn by its inputs that require grad, as backward gives them, agree
/// with central differences: |analytic - numerical| <= atol + rtol * |numerical| for each element
/// of the input and each output, weighted with fixed random numbers. fn must be smooth around the
/// inputs and use them as leaves. Source: torch.autograd.gradcheck.
/// @throws GradModeError for a difference, ArgumentError unless an input requires grad, DTypeError
///         unless inputs and outputs that count are float32
bool gradcheck(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& fn,
               const std::vector<Tensor>& inputs,
               const GradcheckOptions& options = {});

/// The same for the derivatives of the derivatives: gradcheck of what grad gives with create_graph,
/// by the inputs and by the gradients of the outputs. Source: torch.autograd.gradgradcheck.
/// @throws as gradcheck, and what formulas throw that cannot be differentiated
bool gradgradcheck(const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& fn,
                   const std::vector<Tensor>& inputs,
                   const GradcheckOptions& options = {});

}  // namespace autograd
}  // namespace pumice
