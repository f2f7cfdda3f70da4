// SPDX-License-Identifier: Apache-2.0
#include "pumice/gradcheck.h"

#include "pumice/function.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice::test {

namespace {

using List = std::vector<Tensor>;

Tensor tracked(const Dims& sizes, std::uint64_t seed) {
    return random_tensor(sizes, 0.5, 1.5, seed).set_requires_grad(true);
}

// A cube whose derivative is off by `Error`, as a custom function.
template <int kPercentWrong>
struct Cube : autograd::Function<Cube<kPercentWrong>> {
    static Tensor forward(autograd::AutogradContext* context, const Tensor& x) {
        context->save_for_backward({x});
        return x * x * x;
    }

    static List backward(autograd::AutogradContext* context, const List& gradients) {
        const Tensor x = context->get_saved_variables()[0];
        return {gradients[0] * x * x * (3.0 + 0.01 * kPercentWrong)};
    }
};

}  // namespace

TEST_CASE("gradcheck accepts right derivatives and refuses wrong ones") {
    const List inputs = {tracked({2, 3}, 1), tracked({3, 4}, 2), random_tensor({2, 4})};
    const auto smooth = [](const List& in) {
        return List{matmul(in[0], in[1]) * in[2], tanh(in[0])};
    };
    CHECK(autograd::gradcheck(smooth, inputs));
    CHECK(!inputs[0].grad().defined());
    const auto right = [](const List& in) { return List{Cube<0>::apply(in[0])}; };
    const auto wrong = [](const List& in) { return List{Cube<30>::apply(in[0])}; };
    CHECK(autograd::gradcheck(right, {inputs[0]}));
    check_throws<GradModeError>([&] { autograd::gradcheck(wrong, {inputs[0]}); },
                                "[gradcheck] the derivative of output 0 by element 0 of input 0");
    CHECK(!autograd::gradcheck(wrong, {inputs[0]}, {.raise_exception = false}));
    check_throws<ArgumentError>([&] { autograd::gradcheck(right, {inputs[2]}); },
                                "wants an input that requires grad");
    check_throws<DTypeError>(
        [&] {
            autograd::gradcheck(right, {ones({2}, {kFloat16, true})});
        },
        "must be float32");
}

TEST_CASE("gradgradcheck looks at second derivatives") {
    const auto smooth = [](const List& in) { return List{in[0] * in[0] * in[1], sigmoid(in[1])}; };
    CHECK(autograd::gradgradcheck(smooth, {tracked({3}, 1), tracked({3}, 2)}));
    // Its backward is recorded, but with the wrong factor: the second derivative agrees with the
    // first as backward gives it.
    const auto consistent = [](const List& in) { return List{Cube<0>::apply(in[0])}; };
    CHECK(autograd::gradgradcheck(consistent, {tracked({3}, 3)}));
}

}  // namespace pumice::test
