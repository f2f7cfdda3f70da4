// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "autograd/node.h"

#include <optional>
#include <vector>

namespace pumice::autograd {

/// One backward walk.
struct WalkRequest {
    std::vector<GraphEdge> roots;
    std::vector<Tensor> root_gradients;
    /// Gradients to hand back instead of accumulating into leaves; empty means all leaves.
    std::vector<GraphEdge> captures;
    bool retain_graph = false;
    bool create_graph = false;
    /// Whether captures may be left without a gradient.
    bool allow_unused = true;
};

/// Walks from the roots and returns the captured gradients, undefined where nothing arrived. What
/// can be known before is thrown before, and no `grad` is written before all gradients are there.
/// @throws GradModeError (E9, second walk through a freed graph, an unused capture), and what
///         formulas throw
std::vector<Tensor> walk(const WalkRequest& request);

}  // namespace pumice::autograd
