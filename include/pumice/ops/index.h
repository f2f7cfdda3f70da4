// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "pumice/tensor.h"

namespace pumice {

/// weight [V, D], indices [...] int -> [..., D]. Rows equal to padding_idx get no gradient.
Tensor embedding(Tensor weight, Tensor indices, std::int64_t padding_idx = -1);
Tensor gather(Tensor x, std::int64_t dim, Tensor index);
Tensor index_select(Tensor x, std::int64_t dim, Tensor index);
/// x with source added at index along dim, deterministically.
Tensor scatter_add(Tensor x, std::int64_t dim, Tensor index, Tensor source);
Tensor index_add(Tensor x, std::int64_t dim, Tensor index, Tensor source);
Tensor cat(const std::vector<Tensor>& tensors, std::int64_t dim = 0);
Tensor stack(const std::vector<Tensor>& tensors, std::int64_t dim = 0);
/// padding from the last dimension on, (before, after) pairs; negative crops.
/// mode: constant padding only.
Tensor pad(Tensor x, const Dims& padding, const Scalar& value = 0);
Tensor repeat(const Tensor& x, const Dims& repeats);
Tensor tril(Tensor x, std::int64_t diagonal = 0);
Tensor triu(Tensor x, std::int64_t diagonal = 0);

}  // namespace pumice
