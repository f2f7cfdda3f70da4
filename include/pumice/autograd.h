// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <vector>

namespace pumice {

namespace autograd {

/// Accumulates the gradients of `sum_i tensors[i] . grad_tensors[i]` into the leaves' `grad`.
/// An empty `grad_tensors` stands for ones and needs one-element tensors.
/// @throws GradModeError: E12 (no history), E16 (inference mode), E9 (a saved tensor was modified);
///         ShapeError for a gradient of another shape
void backward(const std::vector<Tensor>& tensors,
              const std::vector<Tensor>& grad_tensors = {},
              bool retain_graph = false,
              bool create_graph = false);

/// Returns the gradients of `outputs` with respect to `inputs`; no `grad` is touched.
/// @throws as backward; GradModeError for an input that is not reached, unless `allow_unused`
std::vector<Tensor> grad(const std::vector<Tensor>& outputs,
                         const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {},
                         bool retain_graph = false,
                         bool create_graph = false,
                         bool allow_unused = false);

}  // namespace autograd

namespace debug {

/// Objects that the grad-mode layer made since the process started.
struct Counters {
    std::uint64_t version_counters = 0;
    std::uint64_t view_records = 0;
    std::uint64_t autograd_metas = 0;
    std::uint64_t nodes = 0;
};

Counters counters() noexcept;

}  // namespace debug

}  // namespace pumice
