// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "pumice/tensor.h"

namespace pumice {

Tensor view(const Tensor& x, const Dims& sizes);
/// A view where the strides allow one, else a copy.
Tensor reshape(const Tensor& x, const Dims& sizes);
Tensor flatten(const Tensor& x, std::int64_t start_dim = 0, std::int64_t end_dim = -1);
Tensor permute(const Tensor& x, const Dims& dims);
Tensor transpose(const Tensor& x, std::int64_t dim0, std::int64_t dim1);
Tensor t(const Tensor& x);
Tensor expand(const Tensor& x, const Dims& sizes);
Tensor squeeze(const Tensor& x, std::int64_t dim);
Tensor unsqueeze(const Tensor& x, std::int64_t dim);
Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index);
Tensor slice(const Tensor& x,
             std::int64_t dim,
             std::int64_t start,
             std::optional<std::int64_t> end = {},
             std::int64_t step = 1);
Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length);
/// Windows of `length` every `step` along dim, as a new last dimension.
Tensor unfold(const Tensor& x, std::int64_t dim, std::int64_t length, std::int64_t step);
std::vector<Tensor> split(const Tensor& x, std::int64_t split_length, std::int64_t dim = 0);
std::vector<Tensor> split_with_sizes(const Tensor& x,
                                     const std::vector<std::int64_t>& lengths,
                                     std::int64_t dim = 0);
std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, std::int64_t dim = 0);
/// Any geometry within the storage. @throws ShapeError if it reaches outside
Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides, std::int64_t offset);
/// Same geometry, a view of its own.
Tensor alias(const Tensor& x);
Tensor view_as(const Tensor& x, const Tensor& other);

}  // namespace pumice
