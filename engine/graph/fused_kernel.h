// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/lowering.h"

namespace pumice::graph {

/// Whether one kernel can bind a result and these operands, and walk them.
bool fits_kernel(const Graph& graph, const std::vector<TensorRef>& inputs, const TensorRef& result);

/// The kernel of a fused node, written in GLSL around shaders/include/map_frame.glsl. Geometry and
/// numbers are specialization constants, so that calls of one structure share one text.
KernelCall write_fused(const Graph& graph, const Node& node, const vk::Capabilities& caps);

}  // namespace pumice::graph
