// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"
#include "vk/capabilities.h"

namespace pumice::graph {

/// Joins maps over elements of one shape into one kernel each: a call takes in the calls that made
/// its operands, where nobody else reads these. See Note [Fusion] in fusion.cpp.
void fuse_maps(Graph& graph, const vk::Capabilities& caps);

}  // namespace pumice::graph
