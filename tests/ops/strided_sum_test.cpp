// SPDX-License-Identifier: Apache-2.0
#include "ops/view/strided_sum.h"

#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <limits>

using namespace pumice;
using ops::strided_sum;
using test::check_gradients;
using test::check_modes;
using test::check_throws;
using test::random_tensor;
using Inputs = std::vector<Tensor>;

namespace {

// One term an index, in float64.
std::vector<double> reference(const Tensor& parts,
                              std::int64_t count,
                              const Dims& strides,
                              std::int64_t offset) {
    std::vector<double> sums(static_cast<std::size_t>(count), 0.0);
    const std::vector<double> values = parts.to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        auto left = static_cast<std::int64_t>(i);
        std::int64_t at = offset;
        for (std::int64_t d = strides.count() - 1; d >= 0; --d) {
            at += left % parts.size(d) * strides[d];
            left /= parts.size(d);
        }
        sums[static_cast<std::size_t>(at)] += values[i];
    }
    return sums;
}

void check_sum(const Tensor& parts, const Dims& sizes, const Dims& strides, std::int64_t offset) {
    CAPTURE(to_string(parts.sizes()));
    CAPTURE(to_string(strides));
    test::check_close(strided_sum(parts, sizes, strides, offset),
                      reference(parts, numel(sizes), strides, offset));
}

}  // namespace

TEST_CASE("strided_sum: every geometry agrees with the loop") {
    check_sum(random_tensor({5}), {5}, {1}, 0);
    check_sum(random_tensor({5}), {11}, {2}, 1);
    check_sum(random_tensor({3, 4}), {20}, {1, 5}, 2);
    check_sum(random_tensor({3, 4}), {4, 5}, {2, 1}, 3);
    check_sum(random_tensor({3, 4}), {4, 5}, {0, 3}, 3);
    check_sum(random_tensor({2, 3, 4}), {60}, {7, 5, 3}, 1);
    check_sum(random_tensor({2, 1, 3}), {9}, {4, 100, 1}, 1);
    check_sum(random_tensor({2, 2, 2, 2, 2, 2, 2, 2}), {40}, {1, 2, 3, 4, 5, 6, 7, 8}, 1);
    check_sum(random_tensor({}), {2, 2}, {}, 3);
    check_sum(random_tensor({70001, 2}), {70001, 3}, {3, 1}, 1);
    check_sum(random_tensor({4, 6}).t(), {30}, {5, 1}, 0);
    check_sum(expand(random_tensor({4, 1}), {4, 3}), {12}, {3, 1}, 0);
}

TEST_CASE("strided_sum: integers and narrow dtypes") {
    check_sum(arange(12).view({3, 4}), {10}, {2, 1}, 1);
    check_sum(ones({3, 4}, kUInt8), {11}, {2, 1}, 2);
    check_sum(ones({3, 4}, kInt8), {3, 7}, {7, 1}, 3);
    check_sum(random_tensor({3, 3}, -1, 1, 1, kFloat16), {7}, {2, 1}, 0);
    check_sum(ones({5}, kBFloat16), {5}, {0}, 3);
}

TEST_CASE("strided_sum: nothing to add, nothing to add to, out of the shape") {
    CHECK(strided_sum(zeros({0, 3}), {4}, {1, 1}, 4).to_vector<float>() ==
          std::vector<float>(4, 0.0F));
    CHECK(strided_sum(zeros({0}), {0}, {1}, 0).numel() == 0);
    check_throws<ShapeError>([] { strided_sum(zeros({5}), {8}, {2}, 0); }, "[strided_sum]");
}

TEST_CASE("strided_sum: gradient is the strided view") {
    const auto sum_twice = [](const Inputs& in) { return strided_sum(in[0], {3, 4}, {3, 2}, 1); };
    check_modes(sum_twice, {random_tensor({3, 3})});
    check_gradients(sum_twice, {random_tensor({3, 3})});
}

TEST_CASE("may_overlap: tells geometries that name an element twice") {
    CHECK_FALSE(ops::may_overlap({3, 4}, {4, 1}));
    CHECK_FALSE(ops::may_overlap({3, 4}, {1, 3}));
    CHECK_FALSE(ops::may_overlap({1, 4}, {0, 1}));
    CHECK_FALSE(ops::may_overlap({}, {}));
    CHECK(ops::may_overlap({3, 4}, {3, 1}));
    CHECK(ops::may_overlap({2, 4}, {0, 1}));
}

TEST_CASE("pad: a value around, and crops") {
    const Tensor x = arange(6).view({2, 3});
    CHECK(pad(x, {1, 2}).to_vector<int>() == std::vector<int>{0, 0, 1, 2, 0, 0, 0, 3, 4, 5, 0, 0});
    CHECK(pad(x, {0, 1, 1, 0}, 9).to_vector<int>() ==
          std::vector<int>{9, 9, 9, 9, 0, 1, 2, 9, 3, 4, 5, 9});
    CHECK(pad(x, {-1, 1}, 7).to_vector<int>() == std::vector<int>{1, 2, 7, 4, 5, 7});
    CHECK(pad(x, {-1, -1, 0, 1}).to_vector<int>() == std::vector<int>{1, 4, 0});
    CHECK(pad(x.t(), {1, 0}, -1).to_vector<int>() ==
          std::vector<int>{-1, 0, 3, -1, 1, 4, -1, 2, 5});
    CHECK(pad(zeros({0}), {2, 1}, 5).to_vector<float>() == std::vector<float>(3, 5.0F));
    CHECK(pad(x, {-3, 0}).numel() == 0);
    CHECK(pad(x, {}).to_vector<int>() == x.to_vector<int>());
    CHECK(pad(ones({3}, kBool), {1, 1}, true).to_vector<int>() == std::vector<int>(5, 1));
    CHECK(pad(ones({3}, kFloat16), {1, 2}, 0.1).to_vector<float>()[0] ==
          scalar_tensor(0.1, kFloat16).item<float>());
}

TEST_CASE("pad: errors") {
    const Tensor x = zeros({2, 3});
    check_throws<ArgumentError>([&] { pad(x, {1}); }, "[pad] padding must hold (before, after)");
    check_throws<ArgumentError>([&] { pad(x, {1, 1, 1, 1, 1, 1}); }, "[pad] padding must hold");
    check_throws<ShapeError>([&] { pad(x, {-2, -2}); }, "[pad] negative padding must leave dim 1");
    check_throws<DTypeError>(
        [] {
            pad(zeros({2}, kUInt8), {1, 1}, 300);
        },
        "[pad] uint8 cannot hold the value 300");
}

TEST_CASE("pad: gradients and modes") {
    const auto around = [](const Inputs& in) { return pad(in[0], {2, -1, 1, 1}, 3.0); };
    check_modes(around, {random_tensor({2, 4})});
    check_gradients(around, {random_tensor({2, 4})});
}

TEST_CASE("pad: extents that no tensor can have") {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    const Tensor x = zeros({2, 3});
    for (const std::int64_t far : {kMost, -kMost - 1, std::int64_t{1} << 31}) {
        check_throws<ShapeError>([&] { pad(x, {far, 0}); }, "[pad] at most 2147483647 elements");
        check_throws<ShapeError>([&] { pad(x, {1, far}); }, "[pad] at most 2147483647 elements");
    }
}
