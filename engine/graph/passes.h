// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"

namespace pumice::graph {

/// Takes away the calls whose results nobody sees: neither an output, nor a value that outlives the
/// graph, nor another call that stays.
void eliminate_dead_code(Graph& graph);

/// Runs the calls that depend on nothing (and those that depend on these) once, now: their results
/// become constants with memory of their own. @throws OutOfMemoryError, DeviceError
void fold_constants(Graph& graph);

/// Of calls of the same operator with the same attributes on the same tensors, keeps the first.
/// Calls that touch a value written twice stay as they are.
void eliminate_common_subexpressions(Graph& graph);

/// Forgets the storages of values that no call, input or output has any more.
void release_unused_values(Graph& graph);

}  // namespace pumice::graph
