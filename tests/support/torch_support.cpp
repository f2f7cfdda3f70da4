// SPDX-License-Identifier: Apache-2.0
#include "support/torch_support.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice::test {

void check_creation(const Tensor& view, CreationMeta wanted) {
    REQUIRE(view.is_view());
    CHECK(impl_of(view).view->creation == wanted);
}

void check_variables(const Tensor& got, const Tensor& wanted) {
    CHECK(got.sizes() == wanted.sizes());
    check_close(got, wanted.to_vector<double>(), 1e-5);
}

std::string WarningCapture::str() const {
    std::string all;
    for (const std::string& message : messages_) {
        all += message + "\n";
    }
    return all;
}

}  // namespace pumice::test
