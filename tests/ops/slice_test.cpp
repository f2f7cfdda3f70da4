// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <limits>

using namespace pumice;
using test::check_gradients;
using test::check_modes;
using test::check_throws;
using test::random_tensor;
using Inputs = std::vector<Tensor>;

TEST_CASE("select: one index of a dimension") {
    const Tensor x = arange(24).view({2, 3, 4});
    CHECK(select(x, 1, -1).to_vector<int>() == std::vector<int>{8, 9, 10, 11, 20, 21, 22, 23});
    CHECK(select(arange(3), 0, 2).dim() == 0);
    CHECK(select(arange(3), 0, 2).item() == 2.0);
    check_throws<ArgumentError>(
        [&] { select(x, 1, 3); },
        "[select] index must be in [-3, 3) for dim 1; got 3 for x [2, 3, 4]");
    check_throws<ArgumentError>([&] { select(x, 3, 0); }, "[select] dim must be in [-3, 3); got 3");
    check_throws<ArgumentError>([] { select(scalar_tensor(1), 0, 0); }, "[select]");
}

TEST_CASE("slice: Python's rules") {
    const Tensor x = arange(10);
    CHECK(slice(x, 0, 2, 8, 3).to_vector<int>() == std::vector<int>{2, 5});
    CHECK(slice(x, 0, -3).to_vector<int>() == std::vector<int>{7, 8, 9});
    CHECK(slice(x, 0, -100, 2).to_vector<int>() == std::vector<int>{0, 1});
    CHECK(slice(x, 0, 5, 3).numel() == 0);
    CHECK(slice(x, 0, 20).numel() == 0);
    CHECK(slice(x, 0, 0, {}, 4).to_vector<int>() == std::vector<int>{0, 4, 8});
    check_throws<ArgumentError>([&] { slice(x, 0, 0, 1, 0); },
                                "[slice] step must be positive; got 0");
}

TEST_CASE("narrow: start and length within the dimension") {
    const Tensor x = arange(6).view({2, 3});
    CHECK(narrow(x, 1, 1, 2).to_vector<int>() == std::vector<int>{1, 2, 4, 5});
    CHECK(narrow(x, 1, -1, 1).to_vector<int>() == std::vector<int>{2, 5});
    CHECK(narrow(x, 0, 2, 0).numel() == 0);
    check_throws<ArgumentError>([&] { narrow(x, 1, 2, 2); }, "[narrow] start and length");
    check_throws<ArgumentError>([&] { narrow(x, 1, 0, -1); }, "[narrow]");
    check_throws<ArgumentError>([&] { narrow(x, 1, -4, 1); }, "[narrow]");
}

TEST_CASE("split and chunk") {
    const Tensor x = arange(7);
    const auto parts = split(x, 3);
    REQUIRE(parts.size() == 3);
    CHECK(parts[2].to_vector<int>() == std::vector<int>{6});
    CHECK(parts[1].storage_offset() == 3);
    const auto chunks = chunk(x, 4);
    REQUIRE(chunks.size() == 4);
    CHECK(chunks[3].numel() == 1);
    CHECK(chunk(arange(5), 4).size() == 3);
    CHECK(chunk(zeros({0}), 3).size() == 3);
    CHECK(split(zeros({0}), 0).size() == 1);
    const auto uneven = split_with_sizes(x, {2, 0, 5});
    REQUIRE(uneven.size() == 3);
    CHECK(uneven[2].to_vector<int>() == std::vector<int>{2, 3, 4, 5, 6});
    CHECK(split_with_sizes(x.view({1, 7}), {7}, -1)[0].sizes() == Dims{1, 7});
    check_throws<ArgumentError>([&] { split(x, 0); }, "[split] split_length must be positive");
    check_throws<ArgumentError>([&] { chunk(x, 0); }, "[chunk] chunks must be positive");
    check_throws<ArgumentError>(
        [&] {
            split_with_sizes(x, {3, 3});
        },
        "[split_with_sizes] lengths must not be negative and sum to");
}

TEST_CASE("split: its views cannot be written while recording, G36") {
    const Tensor x = random_tensor({4}).set_requires_grad(true);
    const Tensor y = mul(x, x);
    auto parts = split(y, 2);
    check_throws<GradModeError>([&] { parts[0].mul_(2); }, "multiple views");
}

TEST_CASE("slice: gradients and modes") {
    const Tensor x = random_tensor({4, 5});
    const auto twist = [](const Inputs& in) {
        const Tensor stepped = slice(in[0], 1, 1, {}, 2);
        const Tensor row = select(in[0], 0, 2);
        const auto halves = chunk(in[0], 2, 0);
        return mul(mul(stepped, narrow(row, 0, 3, 2)), slice(repeat(halves[1], {2, 1}), 1, 0, 2));
    };
    check_modes(twist, {x});
    check_gradients(twist, {x});
    check_gradients([](const Inputs& in) { return select(in[0].t(), 1, 3); }, {x});
    check_gradients([](const Inputs& in) { return mul(slice(in[0], 0, 4), 2); }, {x});
}

TEST_CASE("slice: narrow dtypes have gradients that share words") {
    const Tensor x = random_tensor({3, 5}, -1, 1, 1, kFloat16).set_requires_grad(true);
    slice(x, 1, 1, 4, 2).backward(ones({3, 2}, kFloat16));
    CHECK(x.grad().to_vector<float>() ==
          std::vector<float>{0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0});
}

TEST_CASE("slice, chunk: steps and counts of any size") {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    const Tensor x = arange(6).view({3, 2});
    CHECK(slice(x, 0, 1, {}, kMost).to_vector<int>() == std::vector<int>{2, 3});
    CHECK(slice(x, 0, 3, {}, kMost).numel() == 0);
    CHECK(chunk(x, kMost, 0).size() == 3);
    check_gradients([](const Inputs& in) { return slice(in[0], 0, 1, {}, kMost); },
                    {random_tensor({3, 2})});
}
