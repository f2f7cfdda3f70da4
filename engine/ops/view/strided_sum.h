// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

namespace pumice::ops {

/// The transpose of as_strided: a contiguous tensor of shape `sizes` in which element i of `parts`
/// is added at position offset + sum(i * strides), zeros elsewhere. Positions may coincide; they
/// are summed in a fixed order, in float32 for the halves.
/// @throws ShapeError if a position is outside
Tensor strided_sum(Tensor parts, const Dims& sizes, const Dims& strides, std::int64_t offset);

/// x with `value` behind its elements in each dimension up to shape `sizes`.
Tensor pad_to(Tensor x, const Dims& sizes, const Scalar& value);

/// Steps along a dimension from this one on reach nothing but its first element: views with a
/// longer one have this, whose stride is within int64.
constexpr std::int64_t longest_step(std::int64_t extent) noexcept {
    return extent > 0 ? extent : 1;
}

/// False if no two indices of such a view name one position; true if they do or may.
bool may_overlap(const Dims& sizes, const Dims& strides);

}  // namespace pumice::ops
