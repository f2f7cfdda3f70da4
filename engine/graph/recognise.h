// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"
#include "graph/graph.h"

#include <span>

namespace pumice::graph {

/// Calls that match the pattern of one of these operators become a call of it. The tensors between
/// them are read by nobody else, and the others are unchanged until the last call.
void recognise(Graph& graph, std::span<const dispatch::OpDef* const> defs);

}  // namespace pumice::graph
