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

TEST_CASE("gather: single elements along a dimension") {
    const Tensor x = arange(12).view({3, 4});
    CHECK(gather(x, 0, tensor<int>({2, 0, 1}).view({1, 3})).to_vector<int>() ==
          std::vector<int>{8, 1, 6});
    CHECK(gather(x, -1, tensor<int>({3, 3, 0, 1}).view({2, 2})).to_vector<int>() ==
          std::vector<int>{3, 3, 4, 5});
    CHECK(gather(x.t(), 1, tensor<int>({2, 1}).view({2, 1})).to_vector<int>() ==
          std::vector<int>{8, 5});
    CHECK(gather(x, 0, expand(tensor<int>({1}).view({1, 1}), {1, 4})).to_vector<int>() ==
          std::vector<int>{4, 5, 6, 7});
    CHECK(gather(x, 0, zeros({0, 2}, kInt32)).sizes() == Dims{0, 2});
}

TEST_CASE("gather: errors") {
    const Tensor x = zeros({3, 4});
    check_throws<DTypeError>(
        [&] {
            gather(x, 0, zeros({1, 1}));
        },
        "[gather] index must be int32; got [1, 1] float32");
    check_throws<ShapeError>([&] { gather(x, 0, zeros({2}, kInt32)); },
                             "[gather] index must have x's dimensions");
    check_throws<ShapeError>([&] { gather(x, 0, zeros({1, 5}, kInt32)); }, "[gather]");
    check_throws<ArgumentError>(
        [&] {
            gather(x, 2, zeros({1, 1}, kInt32));
        },
        "[gather] dim must be in [-2, 2); got 2");
}

TEST_CASE("index_select: whole rows") {
    const Tensor x = arange(12).view({3, 2, 2});
    const Tensor index = tensor<int>({2, 0, 2});
    CHECK(index_select(x, 0, index).to_vector<int>() ==
          std::vector<int>{8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11});
    CHECK(index_select(x, 2, tensor<int>({1})).to_vector<int>() ==
          std::vector<int>{1, 3, 5, 7, 9, 11});
    CHECK(index_select(x.transpose(0, 2), 1, tensor<int>({1, 1})).sizes() == Dims{2, 2, 3});
    CHECK(index_select(x, 0, scalar_tensor(1)).sizes() == Dims{1, 2, 2});
    CHECK(index_select(ones({5, 3}, kBool), 0, index).to_vector<int>() == std::vector<int>(9, 1));
    check_throws<ShapeError>(
        [&] {
            index_select(x, 0, zeros({1, 1}, kInt32));
        },
        "[index_select] index must have at most one dimension");
    check_throws<ArgumentError>([&] { index_select(scalar_tensor(1), 0, index); },
                                "[index_select] x must have at least one dimension");
}

TEST_CASE("embedding: rows of the weight, any index shape") {
    const Tensor weight = arange(10).view({5, 2});
    const Tensor found = embedding(weight, tensor<int>({4, 0, 1, 1}).view({2, 2}));
    CHECK(found.sizes() == Dims{2, 2, 2});
    CHECK(found.to_vector<int>() == std::vector<int>{8, 9, 0, 1, 2, 3, 2, 3});
    CHECK(embedding(weight, scalar_tensor(3)).to_vector<int>() == std::vector<int>{6, 7});
    CHECK(embedding(weight, zeros({70000}, kInt32)).numel() == 140000);
    check_throws<ShapeError>([] { embedding(zeros({5}), zeros({1}, kInt32)); },
                             "[embedding] weight must have two dimensions");
    check_throws<ArgumentError>([&] { embedding(weight, zeros({1}, kInt32), 5); },
                                "[embedding] padding_idx must be below the vocabulary's 5; got 5");
}

TEST_CASE("gather, index_select, embedding: gradients and modes") {
    const Tensor index = tensor<int>({2, 0, 2, 1, 0, 0}).view({3, 2});
    const auto gathered = [&](const Inputs& in) { return gather(in[0], 1, index); };
    check_modes(gathered, {random_tensor({4, 3})});
    check_gradients(gathered, {random_tensor({4, 3})});
    const auto selected = [&](const Inputs& in) {
        return index_select(in[0], 1, tensor<int>({2, 0, 2}));
    };
    check_modes(selected, {random_tensor({2, 3, 2})});
    check_gradients(selected, {random_tensor({2, 3, 2})});
    const auto embedded = [&](const Inputs& in) { return embedding(in[0], index); };
    check_modes(embedded, {random_tensor({4, 3})});
    check_gradients(embedded, {random_tensor({4, 3})});
}

TEST_CASE("embedding: the padding row has no gradient") {
    const Tensor weight = random_tensor({3, 2}).set_requires_grad(true);
    embedding(weight, tensor<int>({0, 1, 1, 2}), 1).backward(ones({4, 2}));
    CHECK(weight.grad().to_vector<float>() == std::vector<float>{1, 1, 0, 0, 1, 1});
}
