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

TEST_CASE("expand: extents of 1 are read again and again") {
    const Tensor x = arange(3).view({3, 1});
    const Tensor y = expand(x, {2, -1, 2});
    CHECK(y.sizes() == Dims{2, 3, 2});
    CHECK(y.strides() == Dims{0, 1, 0});
    CHECK(y.to_vector<int>() == std::vector<int>{0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2});
    CHECK(expand(scalar_tensor(7), {2, 2}).to_vector<int>() == std::vector<int>(4, 7));
    CHECK(expand(x, {3, 0}).numel() == 0);
    check_throws<ShapeError>([&] { expand(x, {4, 2}); }, "[expand] shape must keep x's extents");
    check_throws<ShapeError>([&] { expand(x, {3}); }, "[expand]");
    check_throws<ShapeError>([&] { expand(x, {-1, 3, 1}); }, "[expand]");
}

TEST_CASE("repeat: copies along each dimension") {
    const Tensor x = arange(4).view({2, 2});
    CHECK(repeat(x, {2, 3}).to_vector<int>() ==
          std::vector<int>{0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3});
    CHECK(repeat(x, {2, 1, 1}).sizes() == Dims{2, 2, 2});
    CHECK(repeat(x.t(), {1, 2}).to_vector<int>() == std::vector<int>{0, 2, 0, 2, 1, 3, 1, 3});
    CHECK(repeat(x, {0, 2}).sizes() == Dims{0, 4});
    CHECK(repeat(zeros({0, 2}), {2, 2}).sizes() == Dims{0, 4});
    CHECK_FALSE(repeat(x, {1, 1}).is_view());
    check_throws<ShapeError>([&] { repeat(x, {2}); }, "[repeat] repeats must have at least");
    check_throws<ArgumentError>(
        [&] {
            repeat(x, {1, -1});
        },
        "[repeat] repeats must not be negative");
}

TEST_CASE("expand, repeat: gradients and modes") {
    const auto twist = [](const Inputs& in) {
        return mul(expand(in[0], {2, 3, 2}), repeat(in[1], {2, 1, 2}));
    };
    const Inputs in = {random_tensor({3, 1}), random_tensor({3, 1}, -1, 1, 2)};
    check_modes(twist, in);
    check_gradients(twist, in);
}
