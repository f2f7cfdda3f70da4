// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"

#include <span>

namespace pumice::dispatch {

/// Selects the call's kernels, binds them to the tensors' memory and appends them to the queue.
/// Nothing to write (every output empty) records nothing.
void execute(const OpCall& call, std::span<const Tensor> outputs);

}  // namespace pumice::dispatch
