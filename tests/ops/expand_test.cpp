// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

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

TEST_CASE("expand, repeat: shapes past int64 are refused") {
    constexpr std::int64_t kFar = std::int64_t{1} << 62;
    const Tensor x = arange(4);
    check_throws<ShapeError>(
        [&] {
            expand(x, {kFar, 4});
        },
        "[expand] at most 9223372036854775807 elements; got shape");
    check_throws<ShapeError>([&] { repeat(x, {kFar}); },
                             "[repeat] at most 2147483647 elements; got shape");
    check_throws<ShapeError>(
        [&] {
            repeat(x, {1 << 20, 1 << 20});
        },
        "[repeat] at most 2147483647 elements; got shape [1048576, 4194304]");
    CHECK(expand(scalar_tensor(1), {65536, 65536}).numel() == std::int64_t{1} << 32);
}

TEST_CASE("no kernel sees more than 2^31 - 1 elements, of a result or of an operand") {
    const Tensor one = ones({1});
    const Tensor many = expand(one, {65536, 65536});
    Tensor row = ones({65536, 1});
    const Tensor column = ones({1, 65536});
    const Tensor small = ones({1, 1});
    const Tensor flags = ones({65536, 1}, kBool);
    const Tensor tall = expand(small, {1 << 30, 1});
    Tensor target = many;
    Tensor overlapping = as_strided(column, {65535, 65535}, {1, 0}, 0);
    const MemoryStats before = memory_stats();
    const std::vector<std::pair<std::string, std::function<void()>>> calls = {
        {"add", [&] { add(many, 1.0); }},
        {"add", [&] { add(row, column); }},
        {"exp", [&] { exp(many); }},
        {"where", [&] { where(flags, column, small); }},
        {"to", [&] { to(many, kInt32); }},
        {"contiguous", [&] { contiguous(many); }},
        {"to_host", [&] { static_cast<void>(many.to_host()); }},
        {"sum", [&] { sum(many); }},
        {"argmax", [&] { argmax(many, 0); }},
        {"softmax", [&] { softmax(many, 1); }},
        {"cumsum", [&] { cumsum(many, 0); }},
        {"layer_norm", [&] { layer_norm(many, {65536}); }},
        {"dropout", [&] { dropout(many); }},
        {"cat",
         [&] {
             cat({tall, tall, tall}, 1);
         }},
        {"pad",
         [&] {
             pad(row, {0, 65535});
         }},
        {"repeat",
         [&] {
             repeat(row, {1, 65536});
         }},
        {"tril", [&] { tril(many); }},
        {"matmul", [&] { matmul(row, column); }},
        {"matmul", [&] { matmul(many, row); }},
        {"matmul_out", [&] { matmul_out(row, many, row); }},
        {"fill_", [&] { fill_(target, 1.0); }},
        {"copy_", [&] { copy_(target, one); }},
        {"exp_", [&] { exp_(overlapping); }},
    };
    const GeneratorState state = get_rng_state();
    for (const auto& [where, call] : calls) {
        CAPTURE(where);
        check_throws<ShapeError>(call, "[" + where + "] at most 2147483647 elements; got ");
    }
    CHECK(get_rng_state().offset == state.offset);
    CHECK(memory_stats().live_bytes == before.live_bytes);
    CHECK(memory_stats().peak_bytes == before.peak_bytes);
}
