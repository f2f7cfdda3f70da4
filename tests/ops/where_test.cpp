// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include <doctest/doctest.h>

#include <limits>

namespace pumice::test {

TEST_CASE("where chooses by condition, broadcast over all three") {
    const Tensor condition = tensor<bool>({true, false, true});
    const Tensor a = random_tensor({4, 3}, -1, 1, 1);
    const Tensor b = random_tensor({4, 1}, -1, 1, 2);
    const Function function = [](const std::vector<Tensor>& in) {
        return where(in[0], in[1], in[2]);
    };
    const Tensor y = check_modes(function, {condition, a, b});
    CHECK(y.sizes() == Dims{4, 3});
    const std::vector<float> left = a.to_vector<float>();
    const std::vector<float> right = b.to_vector<float>();
    std::vector<double> wanted;
    for (std::size_t i = 0; i < 12; ++i) {
        wanted.push_back(i % 3 == 1 ? right[i / 3] : left[i]);
    }
    check_close(y, wanted);
    check_gradients(function, {condition, a, b});
}

TEST_CASE("where moves bits, promotes dtypes and keeps gradients out of the other branch") {
    const Tensor condition = tensor<bool>({true, false});
    const Tensor ints = tensor<std::int32_t>({2147483647, 5});
    CHECK(where(condition, ints, ints).to_vector<int>() == std::vector<int>{2147483647, 5});
    CHECK(where(condition, ints, ones({2}, kFloat16)).dtype() == kFloat16);
    CHECK(where(condition, ones({2}, kInt8), ones({2}, kBool)).dtype() == kInt8);
    const float inf = std::numeric_limits<float>::infinity();
    Tensor a = tensor<float>({1.0F, inf});
    a.set_requires_grad(true);
    where(condition, mul(a, a), zeros({2})).sum().backward();
    CHECK(a.grad().to_vector<float>()[0] == 2.0F);
    for (const std::int64_t count : {0, 1, 5, 1023}) {
        for (const DType dtype : {kFloat32, kFloat16, kBFloat16, kInt32, kInt8, kUInt8, kBool}) {
            const Tensor mask = gt(random_tensor({count}, -1, 1, 4), 0);
            check_same_bits(where(mask, full({count}, 1, dtype), full({count}, 0, dtype)),
                            mask.to(dtype));
        }
    }
}

TEST_CASE("where refuses conditions that are no bool, and shapes that do not fit") {
    const Tensor x = zeros({3});
    check_throws<DTypeError>([&] { where(x, x, x); }, "[where] condition must be bool");
    check_throws<ShapeError>([&] { where(eq(x, 0), x, zeros({2})); }, "[where]");
    check_throws<ArgumentError>([&] { where(eq(x, 0), x, Tensor()); }, "[where]");
}

}  // namespace pumice::test
