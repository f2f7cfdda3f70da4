// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"

namespace pumice::graph {

/// Calls that together are an attention become scaled_dot_product_attention: matmul of query and
/// turned key, times a number, plus a mask (both may be absent), softmax over the keys, matmul with
/// value, where nobody else reads what is between. Nothing of the scores' size is in memory then.
void recognise_attention(Graph& graph);

}  // namespace pumice::graph
