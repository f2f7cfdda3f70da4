// SPDX-License-Identifier: Apache-2.0
// What the tape keeps of operators whose gradient only asks where an element lay: a bit or two an
// element in place of the operands.
#pragma once

#include "pumice/tensor.h"

#include <array>
#include <cstdint>

namespace pumice::ops {

/// How many bits of a code are kept.
enum class CodeBits : std::uint8_t { kOne = 1, kTwo = 2 };

/// Codes below 2 or 4, uint8 or bool of any shape, as int32 words [ceil(codes / (32 or 16))].
Tensor pack_mask(Tensor codes, CodeBits bits);

/// x (floating) times the weight of each element's code in a packed mask of x's shape; weight 0
/// gives 0 for infinite x too. Differentiable in x.
Tensor apply_mask(Tensor x, Tensor mask, CodeBits bits, const std::array<float, 4>& weights);

}  // namespace pumice::ops
