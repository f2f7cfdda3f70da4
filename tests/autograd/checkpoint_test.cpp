// SPDX-License-Identifier: Apache-2.0
#include "pumice/checkpoint.h"

#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice::test {

namespace {

using List = std::vector<Tensor>;

}  // namespace

TEST_CASE("a checkpoint gives the gradients of the plain call and runs twice") {
    const Tensor weight = random_tensor({4, 4}).set_requires_grad(true);
    int runs = 0;
    const auto block = [&](const List& in) {
        ++runs;
        return List{tanh(matmul(in[0], weight)), in[0] * 2};
    };
    const Tensor x = random_tensor({3, 4}, -1, 1, 2).set_requires_grad(true);
    const List plain = block({x});
    (plain[0].sum() + plain[1].sum()).backward();
    const Tensor x_grad = x.grad().clone();
    const Tensor weight_grad = weight.grad().clone();
    Tensor leaves[] = {x, weight};
    for (Tensor& leaf : leaves) {
        leaf.set_grad({});
    }
    runs = 0;
    const List saved = autograd::checkpoint(block, {x});
    CHECK(runs == 1);
    check_same_bits(saved[0].detach(), plain[0].detach());
    (saved[0].sum() + saved[1].sum()).backward();
    CHECK(runs == 2);
    check_same_bits(x.grad(), x_grad);
    check_same_bits(weight.grad(), weight_grad);
}

TEST_CASE(
    "a checkpoint draws the same random numbers twice and leaves the generator where it was") {
    manual_seed(7);
    const Tensor x = ones({64}).set_requires_grad(true);
    const auto noisy = [](const List& in) { return List{dropout(in[0], 0.5, true)}; };
    const Tensor y = autograd::checkpoint(noisy, {x})[0];
    const GeneratorState after_forward = get_rng_state();
    y.sum().backward();
    CHECK(get_rng_state().offset == after_forward.offset);
    check_same_bits(x.grad(), y.detach());  // of a mask times ones, both are the scaled mask
}

TEST_CASE("G47 G48 a checkpoint records nothing where nothing is recorded") {
    const Tensor x = ones({4}).set_requires_grad(true);
    const auto twice = [](const List& in) { return List{in[0] * 2}; };
    const Tensor made = inference_mode([&] { return autograd::checkpoint(twice, {x})[0]; });
    CHECK(made.is_inference());
    CHECK(!no_grad([&] { return autograd::checkpoint(twice, {x})[0]; }).requires_grad());
    CHECK(!autograd::checkpoint(twice, {ones({4})})[0].requires_grad());
    const auto nested = [](const List& in) { return enable_grad([&] { return in; }); };
    check_throws<GradModeError>([&] { inference_mode([&] { autograd::checkpoint(nested, {x}); }); },
                                "Cannot nest enable_grad inside inference_mode");
}

}  // namespace pumice::test
