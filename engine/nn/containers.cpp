// SPDX-License-Identifier: Apache-2.0
#include "pumice/nn/containers.h"

#include "pumice/error.h"

namespace pumice::nn {

Tensor SequentialImpl::forward(Tensor x) const {
    if (steps_.empty()) {
        throw ArgumentError("Sequential", "has no modules to run, wanted at least one");
    }
    for (const auto& step : steps_) {
        x = step(std::move(x));
    }
    return x;
}

}  // namespace pumice::nn
