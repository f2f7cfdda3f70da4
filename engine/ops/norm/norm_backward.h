// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include "tensor/tensor_impl.h"
#include "vk/capabilities.h"

#include <cstdint>

namespace pumice::ops {

/// What tells layer_norm and rms_norm calls apart.
struct NormAttrs {
    Dims normalized_shape;
    double eps = 0.0;
    bool is_centered = false;  ///< layer_norm: the mean is subtracted
    bool has_weight = false;
};

/// Gradients of a norm; those that nobody wants are left undefined.
struct NormGradients {
    Tensor x;
    Tensor weight;
    Tensor bias;
};

struct NormNeeds {
    bool x = false;
    bool weight = false;
    bool bias = false;
};

/// Whether x's rows are short enough for one item of the fused kernels to walk.
bool fits_norm_gradients(const TensorImpl& x,
                         const NormAttrs& attrs,
                         const vk::Capabilities& caps) noexcept;

/// Fused kernels, where fits_norm_gradients; their result has no history. `weight` may be
/// undefined.
NormGradients norm_gradients(Tensor x,
                             Tensor gradient,
                             Tensor weight,
                             const NormAttrs& attrs,
                             const NormNeeds& needs,
                             DType weight_dtype);

/// The same by differentiable operators, for gradients of gradients.
NormGradients norm_gradients_composed(const Tensor& x,
                                      const Tensor& gradient,
                                      const Tensor& weight,
                                      const NormAttrs& attrs,
                                      const NormNeeds& needs);

/// The same in float32, whatever the dtypes, which the gradients have in the end: for long rows.
NormGradients norm_gradients_of_long_rows(const Tensor& x,
                                          const Tensor& gradient,
                                          const Tensor& weight,
                                          const NormAttrs& attrs,
                                          const NormNeeds& needs,
                                          DType weight_dtype);

}  // namespace pumice::ops
