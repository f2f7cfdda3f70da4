// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

namespace pumice::ops {

/// x where the condition holds, else 0: unlike x * condition also for infinite x.
Tensor keep_where(Tensor x, Tensor condition);

// d(loss)/d(x) from the gradient g of y = f(x): one kernel each, themselves differentiable.
Tensor relu_backward(Tensor g, Tensor y);
Tensor tanh_backward(Tensor g, Tensor y);
Tensor sigmoid_backward(Tensor g, Tensor y);
Tensor silu_backward(Tensor g, Tensor x);
Tensor gelu_backward(Tensor g, Tensor x);
Tensor gelu_tanh_backward(Tensor g, Tensor x);

}  // namespace pumice::ops
