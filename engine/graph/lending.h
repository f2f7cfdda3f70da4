// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/lowering.h"

#include <cstddef>
#include <span>

namespace pumice::graph {

/// Gives a call's result the place of an operand that dies in it, where the operator reads that
/// operand only at the index that it writes (OpDef::lends) and both are alike: `place_of` names the
/// first value of each chain, whose buffer then lives from that one's first step to the last one's
/// end. `node_ends[i]` counts the kernels of the nodes up to i. Needs the lifetimes; no buffer's
/// bytes change, so at no step are more bytes needed than before.
void lend_places(const Graph& graph, std::span<const std::size_t> node_ends, Lowered& lowered);

}  // namespace pumice::graph
