// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

using namespace pumice;
using test::check_gradients;
using test::check_modes;
using test::check_throws;
using test::random_tensor;
using Inputs = std::vector<Tensor>;

TEST_CASE("permute: dimensions in a new order") {
    const Tensor x = arange(24).view({2, 3, 4});
    const Tensor y = permute(x, {2, 0, -2});
    CHECK(y.sizes() == Dims{4, 2, 3});
    CHECK(y.strides() == Dims{1, 12, 4});
    CHECK_FALSE(y.is_contiguous());
    std::vector<int> wanted;
    for (int k = 0; k < 4; ++k) {
        for (int i = 0; i < 2; ++i) {
            for (int j = 0; j < 3; ++j) {
                wanted.push_back(i * 12 + j * 4 + k);
            }
        }
    }
    CHECK(y.to_vector<int>() == wanted);
    CHECK(permute(scalar_tensor(1), {}).sizes() == Dims{});
    check_throws<ArgumentError>(
        [&] {
            permute(x, {0, 1});
        },
        "[permute] dims must name each dimension once; got [0, 1]");
    check_throws<ArgumentError>([&] { permute(x, {0, 1, 1}); }, "[permute] dims must name");
    check_throws<ArgumentError>([&] { permute(x, {0, 1, 3}); }, "[permute] dim must be in");
}

TEST_CASE("transpose and t") {
    const Tensor x = arange(6).view({2, 3});
    CHECK(transpose(x, 0, -1).to_vector<int>() == std::vector<int>{0, 3, 1, 4, 2, 5});
    CHECK(t(x).sizes() == Dims{3, 2});
    CHECK(t(arange(3)).sizes() == Dims{3});
    CHECK(t(scalar_tensor(1)).sizes() == Dims{});
    check_throws<ArgumentError>([&] { transpose(x, 0, 2); },
                                "[transpose] dim must be in [-2, 2); got 2");
    check_throws<ShapeError>([] { t(zeros({1, 1, 1})); }, "[t] x must have at most two");
}

TEST_CASE("permute: gradients and modes") {
    const auto twist = [](const Inputs& in) {
        return mul(permute(in[0], {1, 2, 0}), transpose(permute(in[0], {1, 0, 2}), 1, 2));
    };
    const Tensor x = random_tensor({2, 3, 2});
    check_modes(twist, {x});
    check_gradients(twist, {x});
}
