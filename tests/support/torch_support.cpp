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

Tensor ScaledSum::forward(autograd::AutogradContext* context,
                          const Tensor& a,
                          int factor,
                          const Tensor& b) {
    context->saved_data["factor"] = factor;
    context->save_for_backward({a, b});
    return a + factor * b + a * b;
}

autograd::variable_list ScaledSum::backward(autograd::AutogradContext* context,
                                            const autograd::variable_list& gradients) {
    const int factor = static_cast<int>(context->saved_data["factor"].toInt());
    const autograd::variable_list saved = context->get_saved_variables();
    return {gradients[0] + gradients[0] * saved[1],
            Tensor(),
            gradients[0] * factor + gradients[0] * saved[0]};
}

std::string WarningCapture::str() const {
    std::string all;
    for (const std::string& message : messages_) {
        all += message + "\n";
    }
    return all;
}

}  // namespace pumice::test
