// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace pumice::ops {

/// Of softmax and log_softmax.
struct SoftmaxAttrs {
    std::int64_t dim;  ///< negative ones count from the end
};

}  // namespace pumice::ops
