// SPDX-License-Identifier: Apache-2.0
// A stranger's first program: 1 + 2 on whatever device there is.
#include "pumice/pumice.h"

#include <cstdio>

int main() {
    const pumice::Tensor sum = pumice::add(pumice::ones({4}), pumice::full({4}, 2.0));
    std::printf(
        "%zu device(s), sum %g\n", pumice::list_devices().size(), pumice::sum(sum).item<float>());
    return pumice::sum(sum).item<float>() == 12.0F ? 0 : 1;
}
