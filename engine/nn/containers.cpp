// SPDX-License-Identifier: Apache-2.0
// Sequential: modules in order.
#include "pumice/nn/containers.h"

#include "pumice/error.h"

namespace pumice::nn {

Tensor SequentialImpl::forward(Tensor x) const {
    if (steps_.empty()) {
        throw ArgumentError("Sequential", "has no modules to run, wanted at least one");
    }
    for (const auto& step : steps_) {
        x = step.module != nullptr ? step.run(step.module.get(), std::move(x))
                                   : step.function(std::move(x));
    }
    return x;
}

void SequentialImpl::rebind() {
    for (Step& step : steps_) {
        if (step.module != nullptr) {
            step.module = registered_child(step.name);
        }
    }
}

}  // namespace pumice::nn
