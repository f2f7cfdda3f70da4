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

TEST_CASE("as_strided: any geometry within the storage") {
    const Tensor x = arange(12);
    CHECK(as_strided(x, {2, 3}, {1, 2}, 3).to_vector<int>() == std::vector<int>{3, 5, 7, 4, 6, 8});
    CHECK(as_strided(x, {3, 2}, {0, 1}, 10).to_vector<int>() ==
          std::vector<int>{10, 11, 10, 11, 10, 11});
    CHECK(as_strided(x.slice(0, 4), {2}, {1}, 0).to_vector<int>() == std::vector<int>{0, 1});
    CHECK(as_strided(x, {}, {}, 11).item() == 11.0);
    CHECK(as_strided(x, {0, 5}, {1, 1}, 12).numel() == 0);
    check_throws<ShapeError>(
        [&] {
            as_strided(x, {2, 2}, {10, 2}, 0);
        },
        "reach element 12 of a storage of 12");
    check_throws<ArgumentError>([&] { as_strided(x, {2}, {-1}, 3); },
                                "[as_strided] sizes, strides");
    check_throws<ArgumentError>([&] { as_strided(x, {2}, {1, 1}, 0); }, "[as_strided]");
    check_throws<ArgumentError>([&] { as_strided(x, {2}, {1}, -1); }, "[as_strided]");
}

TEST_CASE("as_strided: gradients sum where elements are read more than once") {
    const Tensor x = random_tensor({12});
    const auto overlapping = [](const Inputs& in) {
        return as_strided(in[0], {3, 4, 2}, {2, 1, 3}, 1);
    };
    check_modes(overlapping, {x});
    check_gradients(overlapping, {x});
    check_gradients([](const Inputs& in) { return as_strided(in[0], {2, 5}, {0, 2}, 3); }, {x});
    check_gradients([](const Inputs& in) { return as_strided(in[0], {3, 2}, {2, 4}, 0); }, {x});
}

TEST_CASE("as_strided: gradient through a base that is a view itself") {
    check_gradients(
        [](const Inputs& in) {
            return as_strided(in[0].t().slice(0, 1), {2, 2}, {4, 1}, 5);
        },
        {random_tensor({3, 4})});
}

TEST_CASE("unfold: windows as a new last dimension") {
    const Tensor x = arange(14).view({2, 7});
    const Tensor y = unfold(x, 1, 3, 2);
    CHECK(y.sizes() == Dims{2, 3, 3});
    CHECK(y.to_vector<int>() ==
          std::vector<int>{0, 1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 9, 9, 10, 11, 11, 12, 13});
    CHECK(unfold(x, 0, 2, 1).sizes() == Dims{1, 7, 2});
    CHECK(unfold(x, 1, 2, 5).sizes() == Dims{2, 2, 2});
    check_throws<ArgumentError>(
        [&] { unfold(x, 1, 8, 1); },
        "[unfold] length must be in [0, 7] and step positive; got length 8 and step 1");
    check_throws<ArgumentError>([&] { unfold(x, 1, 2, 0); }, "[unfold]");
    check_throws<ArgumentError>([] { unfold(scalar_tensor(1), 0, 1, 1); }, "[unfold]");
}

TEST_CASE("unfold: gradients sum over overlapping windows, leave gaps at zero") {
    const Tensor x = random_tensor({3, 7});
    for (const auto& [length, step] : {std::pair{3, 1}, {3, 2}, {2, 3}, {7, 1}, {1, 1}}) {
        CAPTURE(length);
        CAPTURE(step);
        const auto windows = [length = length, step = step](const Inputs& in) {
            return unfold(in[0], 1, length, step);
        };
        check_modes(windows, {x});
        check_gradients(windows, {x});
    }
    const Tensor half = ones({5}, TensorOptions(kBFloat16, true));
    unfold(half, 0, 3, 1).backward(ones({3, 3}, kBFloat16));
    CHECK(half.grad().to_vector<float>() == std::vector<float>{1, 2, 3, 2, 1});
}

TEST_CASE("as_strided: geometries past int64 are refused") {
    constexpr std::int64_t kFar = std::int64_t{1} << 62;
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    const Tensor x = arange(12);
    check_throws<ShapeError>(
        [&] {
            as_strided(x, {5, 1}, {kFar, 1}, 0);
        },
        "[as_strided] sizes [5, 1], strides [4611686018427387904, 1] and "
        "offset 0 reach element 2^63 or later of a storage of 12");
    check_throws<ShapeError>(
        [&] {
            as_strided(x, {3, 3}, {kFar - 1, kFar - 1}, 0);
        },
        "element 2^63 or later");
    check_throws<ShapeError>([&] { as_strided(x, {2}, {1}, kMost); }, "element 2^63 or later");
    check_throws<ShapeError>([&] { as_strided(x, {}, {}, kMost); }, "element 2^63 or later");
    check_throws<ShapeError>(
        [&] {
            as_strided(x, {kFar, 4}, {0, 1}, 0);
        },
        "[as_strided] at most 9223372036854775807 elements; got shape");
    CHECK(as_strided(x, {0, 5}, {kFar, kFar}, 12).numel() == 0);
    CHECK(as_strided(x, {1, 2}, {kFar, 1}, 3).to_vector<int>() == std::vector<int>{3, 4});
    check_throws<ShapeError>([&] { unfold(expand(arange(1), {kFar}), 0, kFar / 2, 1); },
                             "[unfold] at most 9223372036854775807 elements");
    CHECK(unfold(x, 0, 12, kMost).sizes() == Dims{1, 12});
}
