// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/lowering.h"

#include <span>

namespace pumice::graph {

/// Whether the kernels of a hosted node's host can run the chains around it: each that touches the
/// result of the one or the operand of the other has the hooks and bindings left for it, and does
/// not read so often what costs more to compute than to load (docs/measurements.md).
bool can_host(const Graph& graph, const Node& node, const vk::Capabilities& caps);

/// Writes the chains of a hosted node into its host's kernels: those whose slots hold what a chain
/// makes or takes are compiled anew, with slots for the chain's operands. See
/// shaders/include/hooks.glsl.
void write_hosted(const Graph& graph,
                  const Node& node,
                  const vk::Capabilities& caps,
                  std::span<KernelCall> kernels);

}  // namespace pumice::graph
