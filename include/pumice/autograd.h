// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <vector>

namespace pumice {

/// The walk back over recorded operators.
namespace autograd {

/// Adds the gradients of the sum over i of tensors[i] times grad_tensors[i] to `grad` of the
/// leaves. Source: torch.autograd.backward. grad_tensors: one for each tensor, of its shape,
/// converted to its dtype; an undefined one, or an empty list, stands for ones and needs
/// one-element tensors. retain_graph keeps what operators saved, for a second walk. create_graph
/// records the walk, so that gradients can be differentiated, and implies retain_graph.
/// @throws GradModeError for a tensor without history (E12), in inference mode (E16), if a saved
///         tensor was modified (E9) or freed by an earlier walk; ShapeError for a gradient of
///         another shape; ArgumentError for another count, or an undefined tensor. All are thrown
///         before the walk. OutOfMemoryError in the midst of it: no `grad` is written then, but
///         without retain_graph the saved tensors that were passed are freed
void backward(const std::vector<Tensor>& tensors,
              const std::vector<Tensor>& grad_tensors = {},
              bool retain_graph = false,
              bool create_graph = false);

/// Returns the gradients of `outputs` with respect to `inputs`, one for each input in its shape and
/// dtype; no leaf's `grad` is touched. The rest as backward. With allow_unused, an input that is
/// not reached gets an undefined gradient. Source: torch.autograd.grad.
/// @throws GradModeError as backward, and for an input that does not require grad or, unless
///         `allow_unused`, is not reached (before the walk; after it where a path is there but
///         nothing flows along it); ShapeError as backward; ArgumentError as backward, and for no
///         inputs
std::vector<Tensor> grad(const std::vector<Tensor>& outputs,
                         const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {},
                         bool retain_graph = false,
                         bool create_graph = false,
                         bool allow_unused = false);

}  // namespace autograd

/// For tests and measurements.
namespace debug {

/// Objects that the grad-mode layer made since the process started; inference tensors need none.
struct Counters {
    std::uint64_t version_counters = 0;  ///< of normal tensors that are no views
    std::uint64_t view_records = 0;      ///< of views of normal tensors
    std::uint64_t autograd_metas = 0;    ///< gradients and histories of tensors
    std::uint64_t nodes = 0;             ///< recorded operators, accumulators of leaves included
};

/// Reads the counters. Takes no lock.
Counters counters() noexcept;

}  // namespace debug

}  // namespace pumice
