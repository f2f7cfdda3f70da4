// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"

#include <string>

namespace pumice::graph {

/// What is different from the capture, so that a replay would do something else; or empty.
std::string staleness(const Graph& graph);

/// Whether the function used a result of a plan, whose memory that plan has taken back.
bool has_lost_memory(const Graph& graph) noexcept;

/// @throws GradModeError if a value has lost its memory, ArgumentError if the graph is stale
void check_current(const Graph& graph);

}  // namespace pumice::graph
