// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

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

/// Fused kernels; their result has no history. `weight` may be undefined.
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

}  // namespace pumice::ops
