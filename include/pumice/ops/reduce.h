// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>

#include "pumice/tensor.h"

namespace pumice {

// No dims means all dimensions. Sums of bool and integers give int32; means need a floating dtype.
Tensor sum(Tensor x, const Dims& dims = {}, bool keepdim = false);
Tensor mean(Tensor x, const Dims& dims = {}, bool keepdim = false);
Tensor amax(Tensor x, const Dims& dims = {}, bool keepdim = false);
Tensor amin(Tensor x, const Dims& dims = {}, bool keepdim = false);
/// correction: 1 divides by n - 1 (Bessel), 0 by n.
Tensor var(Tensor x, const Dims& dims = {}, std::int64_t correction = 1, bool keepdim = false);
Tensor std(Tensor x, const Dims& dims = {}, std::int64_t correction = 1, bool keepdim = false);
/// Index (int32) of the first largest value; NaN counts as largest. No dim means of the flattened.
Tensor argmax(Tensor x, std::optional<std::int64_t> dim = {}, bool keepdim = false);
Tensor argmin(Tensor x, std::optional<std::int64_t> dim = {}, bool keepdim = false);
Tensor logsumexp(Tensor x, const Dims& dims, bool keepdim = false);
Tensor cumsum(Tensor x, std::int64_t dim);
/// Sums over broadcast dimensions until the shape is `sizes`.
Tensor sum_to_size(Tensor x, const Dims& sizes);
/// any/all over all elements or dims; bool.
Tensor any(Tensor x, const Dims& dims = {}, bool keepdim = false);
Tensor all(Tensor x, const Dims& dims = {}, bool keepdim = false);

}  // namespace pumice
