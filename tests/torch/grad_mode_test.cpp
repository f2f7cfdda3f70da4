// SPDX-License-Identifier: Apache-2.0
// What test/cpp/api/grad_mode.cpp of PyTorch asserts, by its tests' names, written anew against
// pumice/torch.h.
#include "pumice/torch.h"

#include "support/harness.h"
#include "support/torch_support.h"

#include <doctest/doctest.h>

using namespace torch::autograd;

namespace torch::test {

using pumice::test::check_creation;
using pumice::test::check_throws;

TEST_CASE("GradModeTest.TestRequiresGradFunctionalOp") {
    const torch::AutoGradMode mode(false);
    for (const bool requires_grad : {true, false}) {
        torch::Tensor c = torch::ones({1, 2, 3}).set_requires_grad(requires_grad);
        const torch::Tensor product = c * c;
        CHECK(!product.requires_grad());
        CHECK(product.is_leaf());
    }
}

TEST_CASE("GradModeTest.TestRequiresGradInplaceOp") {
    const torch::AutoGradMode mode(false);
    for (const bool requires_grad : {true, false}) {
        torch::Tensor c = torch::ones({1, 2, 3}).set_requires_grad(requires_grad);
        c.mul_(2);
        CHECK(c.requires_grad() == requires_grad);
    }
}

TEST_CASE("GradModeTest.TestRequiresGradViewOp") {
    const torch::AutoGradMode mode(false);
    for (const bool requires_grad : {true, false}) {
        torch::Tensor c = torch::ones({1, 2, 3}).set_requires_grad(requires_grad);
        const torch::Tensor view = c.view({2, 3});
        CHECK(view.requires_grad() == requires_grad);
        CHECK(view.is_leaf());
    }
}

TEST_CASE("GradModeTest.TestRequiresGradViewOpExiting") {
    for (const bool requires_grad : {true, false}) {
        torch::Tensor s = torch::ones({1, 2, 3}).set_requires_grad(requires_grad);
        torch::Tensor a = s.clone();
        torch::Tensor view;
        torch::Tensor written;
        {
            const torch::AutoGradMode mode(false);
            view = a.view({2, 3});
            CHECK(view.requires_grad() == requires_grad);
            CHECK(view.is_leaf());
        }
        torch::Tensor b = view * view;
        CHECK(b.requires_grad() == requires_grad);
        CHECK(b.is_leaf() == !requires_grad);
        if (requires_grad) {
            b.backward(torch::ones_like(b));
            CHECK(!view.grad().defined());
        }
        written = view;
        if (requires_grad) {
            check_throws<c10::Error>([&] { written.mul_(2); },
                                     "A view was created in no_grad mode");
        } else {
            written.mul_(2);
        }
        torch::Tensor second = view.view({2, 3});
        CHECK(second.requires_grad() == requires_grad);
        check_creation(second, CreationMeta::kNoGradMode);
        CHECK(second.is_leaf() == !requires_grad);
    }
}

}  // namespace torch::test
