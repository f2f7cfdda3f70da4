// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dispatch/op_def.h"

namespace pumice::ops {

/// Gradients of query, key, value and mask.
void backward_attention(dispatch::BackwardCall& call);

}  // namespace pumice::ops
