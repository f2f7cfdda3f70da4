// SPDX-License-Identifier: Apache-2.0
#include "ops/index/scatter.h"

#include "pumice/pumice.h"

#include "ops/index/gather.h"
#include "support/harness.h"

#include <doctest/doctest.h>

#include <random>

using namespace pumice;
using test::check_close;
using test::check_gradients;
using test::check_modes;
using test::check_throws;
using test::random_tensor;
using Inputs = std::vector<Tensor>;

namespace {

std::vector<int> random_indices(std::int64_t count, int extent, unsigned seed) {
    std::mt19937 engine(seed);
    std::uniform_int_distribution<int> uniform(0, extent - 1);
    std::vector<int> values(static_cast<std::size_t>(count));
    for (int& value : values) {
        value = uniform(engine);
    }
    return values;
}

void check_index_add(std::int64_t outer,
                     std::int64_t extent,
                     std::int64_t inner,
                     std::int64_t entries,
                     DType dtype = kFloat32) {
    CAPTURE(extent);
    CAPTURE(entries);
    const Tensor x = random_tensor({outer, extent, inner}, -1, 1, 1, dtype);
    const Tensor source = random_tensor({outer, entries, inner}, -1, 1, 2, dtype);
    const auto index = random_indices(entries, static_cast<int>(extent), 3);
    std::vector<double> wanted = x.to_vector<double>();
    const std::vector<double> added = source.to_vector<double>();
    for (std::int64_t o = 0; o < outer; ++o) {
        for (std::int64_t k = 0; k < entries; ++k) {
            for (std::int64_t i = 0; i < inner; ++i) {
                const std::int64_t to = index[static_cast<std::size_t>(k)];
                wanted[static_cast<std::size_t>((o * extent + to) * inner + i)] +=
                    added[static_cast<std::size_t>((o * entries + k) * inner + i)];
            }
        }
    }
    check_close(index_add(x, 1, tensor<int>(index), source),
                wanted,
                test::tolerance_of(dtype) * (dtype == kFloat32 ? 4 : 1));
}

}  // namespace

TEST_CASE("index_add: agrees with the loop") {
    check_index_add(1, 1, 1, 1);
    check_index_add(2, 5, 3, 7);
    check_index_add(1, 127, 1, 129);
    check_index_add(1, 3, 2, 1000);
    check_index_add(1, 70001, 1, 500);
    check_index_add(2, 5, 3, 0);
    check_index_add(2, 5, 3, 7, kFloat16);
    check_index_add(1, 3, 5, 9, kBFloat16);
}

TEST_CASE("index_add: strided operands and integers") {
    const Tensor x = zeros({2, 3}, kInt32);
    const Tensor source = arange(6).view({3, 2}).t();
    CHECK(index_add(x, 1, tensor<int>({2, 2, 0}), source).to_vector<int>() ==
          std::vector<int>{4, 0, 2, 5, 0, 4});
    CHECK(index_add(zeros({3}, kInt8), 0, tensor<int>({1, 1}), ones({2}, kInt8)).to_vector<int>() ==
          std::vector<int>{0, 2, 0});
    CHECK(index_add(zeros({3}), 0, scalar_tensor(1), ones({1})).to_vector<float>() ==
          std::vector<float>{0, 1, 0});
}

TEST_CASE("index_copy: the last entry of a row stays") {
    for (const DType dtype : {kFloat32, kFloat16, kInt32, kInt8, kBool}) {
        for (const auto& [extent, entries] : {std::pair{5, 7}, {1, 3}, {127, 129}, {5, 0}}) {
            const Tensor x = random_tensor({2, extent, 3}).mul(100).to(dtype);
            const Tensor source = random_tensor({2, entries, 3}, -1, 1, 2).mul(100).to(dtype);
            const auto index = random_indices(entries, extent, 3);
            std::vector<double> wanted = x.to_vector<double>();
            const std::vector<double> given = source.to_vector<double>();
            for (std::int64_t at = 0; at < std::int64_t{2} * entries * 3; ++at) {
                const std::int64_t k = at / 3 % entries;
                const std::int64_t to = index[static_cast<std::size_t>(k)];
                wanted[static_cast<std::size_t>((at / 3 / entries * extent + to) * 3 + at % 3)] =
                    given[static_cast<std::size_t>(at)];
            }
            CHECK(index_copy(x, 1, tensor<int>(index), source).to_vector<double>() == wanted);
        }
    }
    const Tensor at = tensor<int>({2, 0, 2, 2});
    const auto copy = [&](const Inputs& in) { return index_copy(in[0], -1, at, in[1]); };
    const Tensor x = random_tensor({2, 4});
    const Tensor source = random_tensor({2, 4}, -1, 1, 2);
    check_modes(copy, {x, source});
    check_gradients(copy, {x, source});
    check_gradients([&](const Inputs& in) { return index_copy(in[0], 0, scalar_tensor(1), in[1]); },
                    {x, random_tensor({1, 4}, -1, 1, 3)});
    check_throws<ShapeError>([&] { index_copy(x, 0, at, source); },
                             "[index_copy] source must have x's shape");
    check_throws<DTypeError>([&] { index_copy(x, 1, at, source.to(kFloat16)); }, "[index_copy]");
}

TEST_CASE("scatter_add: agrees with the loop, also where the index is smaller than x") {
    const std::int64_t rows = 5;
    const std::int64_t columns = 4;
    for (const std::int64_t used : {columns, columns - 1}) {
        const Tensor x = random_tensor({rows, columns});
        const Tensor source = random_tensor({9, columns}, -1, 1, 2);
        const auto index = random_indices(7 * used, static_cast<int>(rows), 5);
        std::vector<double> wanted = x.to_vector<double>();
        const std::vector<double> added = source.to_vector<double>();
        for (std::int64_t k = 0; k < 7; ++k) {
            for (std::int64_t j = 0; j < used; ++j) {
                const std::int64_t to = index[static_cast<std::size_t>(k * used + j)];
                wanted[static_cast<std::size_t>(to * columns + j)] +=
                    added[static_cast<std::size_t>(k * columns + j)];
            }
        }
        const Tensor at = tensor<int>(index).view({7, used});
        check_close(scatter_add(x, 0, at, source), wanted, 8e-6);
    }
}

TEST_CASE("scatter_sum: ignored and outside indices are left out") {
    const Tensor source = ones({5});
    CHECK(ops::scatter_sum(source, 0, tensor<int>({0, 1, 7, -1, 0}), {3}, ops::IndexForm::kRows, 1)
              .to_vector<float>() == std::vector<float>{2, 0, 0});
    CHECK(ops::take_or_zero(
              tensor<float>({1, 2, 3}), 0, tensor<int>({2, 3, 1, -5}), ops::IndexForm::kRows, 1)
              .to_vector<float>() == std::vector<float>{3, 0, 0, 0});
}

TEST_CASE("scatter_add, index_add: errors") {
    const Tensor x = zeros({3, 4});
    const Tensor index = zeros({2, 4}, kInt32);
    check_throws<ShapeError>(
        [&] {
            scatter_add(x, 0, index, zeros({1, 4}));
        },
        "[scatter_add] index must have x's dimensions");
    check_throws<ShapeError>(
        [&] {
            scatter_add(x, 1, zeros({4, 4}, kInt32), zeros({4, 4}));
        },
        "[scatter_add]");
    check_throws<DTypeError>(
        [&] {
            scatter_add(x, 0, index, zeros({2, 4}, kInt32));
        },
        "[scatter_add] source must have x's dtype");
    check_throws<DTypeError>(
        [&] {
            scatter_add(x, 0, zeros({2, 4}), zeros({2, 4}));
        },
        "[scatter_add] index must be int32");
    check_throws<ShapeError>(
        [&] {
            index_add(x, 0, zeros({2}, kInt32), zeros({3, 4}));
        },
        "[index_add] source must have x's shape");
    check_throws<ArgumentError>(
        [&] {
            index_add(x, 2, zeros({2}, kInt32), zeros({2, 4}));
        },
        "[index_add] dim must be in [-2, 2); got 2");
}

TEST_CASE("scatter_add, index_add: gradients and modes") {
    const Tensor at = tensor<int>({0, 2, 1, 1, 2, 2}).view({3, 2});
    const auto scattered = [&](const Inputs& in) { return scatter_add(in[0], 0, at, in[1]); };
    const Inputs in = {random_tensor({4, 3}), random_tensor({3, 3}, -1, 1, 2)};
    check_modes(scattered, in);
    check_gradients(scattered, in);
    const auto added = [&](const Inputs& operands) {
        return index_add(operands[0], 1, tensor<int>({2, 0, 2, 2}), operands[1]);
    };
    const Inputs rows = {random_tensor({2, 3, 2}), random_tensor({2, 4, 2}, -1, 1, 2)};
    check_modes(added, rows);
    check_gradients(added, rows);
}
