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

TEST_CASE("cat: along each dimension, uneven lengths") {
    const Tensor a = arange(6).view({2, 3});
    const Tensor b = arange(6, 10).view({2, 2});
    CHECK(cat({a, b}, 1).to_vector<int>() == std::vector<int>{0, 1, 2, 6, 7, 3, 4, 5, 8, 9});
    CHECK(cat({a, a}, -2).to_vector<int>() == std::vector<int>{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5});
    CHECK(cat({a}, 0).to_vector<int>() == a.to_vector<int>());
    CHECK(cat({a, zeros({2, 0}, kInt32), b}, 1).sizes() == Dims{2, 5});
    CHECK(cat({zeros({0}), a}, 1).sizes() == Dims{2, 3});
    CHECK(cat({zeros({0}), zeros({0})}).sizes() == Dims{0});
}

TEST_CASE("cat: strided views are read in place or copied") {
    const Tensor x = arange(24).view({2, 3, 4});
    const Tensor halves = cat({x.slice(2, 2), x.slice(2, 0, 2)}, 2);
    CHECK(halves.slice(2, 0, 2).to_vector<int>() == x.slice(2, 2).to_vector<int>());
    CHECK(cat({x.transpose(1, 2), x.transpose(1, 2)}, 0).slice(0, 2).to_vector<int>() ==
          x.transpose(1, 2).to_vector<int>());
    CHECK(cat({expand(scalar_tensor(3), {2}), arange(2)}).to_vector<int>() ==
          std::vector<int>{3, 3, 0, 1});
    CHECK(cat({x.slice(1, 0, 3, 2), x.slice(1, 1, 2)}, 1).slice(1, 1, 2).to_vector<int>() ==
          x.slice(1, 2).to_vector<int>());
}

TEST_CASE("cat: more tensors than a kernel joins") {
    Inputs many;
    std::vector<int> wanted;
    for (int i = 0; i < 60; ++i) {
        many.push_back(full({i % 3}, i, kInt32));
        wanted.insert(wanted.end(), static_cast<std::size_t>(i % 3), i);
    }
    CHECK(cat(many).to_vector<int>() == wanted);
}

TEST_CASE("cat: narrow dtypes and promotion") {
    const Tensor bytes = tensor<std::uint8_t>({1, 2, 3});
    CHECK(cat({bytes, bytes.slice(0, 1), bytes}).to_vector<int>() ==
          std::vector<int>{1, 2, 3, 2, 3, 1, 2, 3});
    CHECK(cat({bytes, tensor<float>({0.5F})}).dtype() == kFloat32);
    CHECK(cat({ones({1}, kFloat16), zeros({2}, kFloat16), ones({3}, kFloat16)}).to_vector<int>() ==
          std::vector<int>{1, 0, 0, 1, 1, 1});
}

TEST_CASE("stack: a new dimension") {
    const Tensor a = arange(3);
    const Tensor b = arange(3, 6);
    CHECK(stack({a, b}).to_vector<int>() == std::vector<int>{0, 1, 2, 3, 4, 5});
    CHECK(stack({a, b}, -1).to_vector<int>() == std::vector<int>{0, 3, 1, 4, 2, 5});
    CHECK(stack({scalar_tensor(1), scalar_tensor(2)}).to_vector<int>() == std::vector<int>{1, 2});
}

TEST_CASE("cat, stack: errors") {
    check_throws<ArgumentError>([] { cat({}); }, "[cat] tensors must not be empty");
    check_throws<ShapeError>(
        [] {
            cat({zeros({2, 3}), zeros({3, 3})}, 1);
        },
        "[cat] tensors must have one shape but for dim 1; got [3, 3] at "
        "position 1, wanted [2, 3]");
    check_throws<ShapeError>([] { cat({scalar_tensor(1)}); }, "[cat] zero-dimensional");
    check_throws<ArgumentError>([] { cat({zeros({2})}, 1); }, "[cat] dim must be in [-1, 1)");
    check_throws<ArgumentError>([] { cat({Tensor()}); }, "[cat] got an undefined tensor");
    check_throws<ShapeError>(
        [] {
            stack({zeros({2}), zeros({3})});
        },
        "[stack] tensors must have one shape; got [3] at position 1");
}

TEST_CASE("cat, stack: gradients and modes") {
    const auto joined = [](const Inputs& in) {
        return mul(cat({in[0], in[1], in[0]}, 1), cat({in[1], in[0], in[0]}, 1));
    };
    const Inputs in = {random_tensor({2, 3}), random_tensor({2, 2}, -1, 1, 2)};
    check_modes(joined, in);
    check_gradients(joined, in);
    check_gradients(
        [](const Inputs& x) {
            return stack({x[0], mul(x[0], 2), x[0]}, 1);
        },
        {random_tensor({2, 3})});
    check_gradients([](const Inputs& x) { return cat(Inputs(9, x[0])); }, {random_tensor({2})});
}
