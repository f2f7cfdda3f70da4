// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"
#include "vk/capabilities.h"

namespace pumice::graph {

/// Joins maps over elements of one shape into one kernel each: a call takes in the calls that made
/// its operands, where nobody else reads these. `into_kernels`: such a chain also joins the call
/// that made its operand or takes its result, if the kernels of that one have hooks for it. See
/// Note [Fusion] in fusion.cpp.
void fuse_maps(Graph& graph, const vk::Capabilities& caps, bool into_kernels);

}  // namespace pumice::graph
