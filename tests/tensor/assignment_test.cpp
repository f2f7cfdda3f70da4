// SPDX-License-Identifier: Apache-2.0
// Assignment to a variable has it stand for another array; assignment to what an expression names
// writes there, as LibTorch has it.
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace pumice::test {

namespace {

struct Pair {
    Tensor first;
    Tensor second;
};

static_assert(std::is_nothrow_move_constructible_v<Tensor>);
static_assert(std::is_nothrow_move_assignable_v<Tensor>);
static_assert(std::is_copy_assignable_v<Tensor>);
static_assert(std::is_nothrow_move_assignable_v<Pair>);
static_assert(!std::is_assignable_v<Tensor&, int>);

}  // namespace

TEST_CASE("assignment to an expression writes through the view that it names") {
    const Tensor x = zeros({2, 3});
    const Tensor row = tensor({1.F, 2.F, 3.F});
    x[0] = row;
    check_close(x, {1, 2, 3, 0, 0, 0});
    x.index({1}) = row * 2;
    check_close(x, {1, 2, 3, 2, 4, 6});
    x.select(0, 1) = row;
    x.slice(1, 2) = zeros({2, 1});
    check_close(x, {1, 2, 0, 1, 2, 0});
    x[0] = 3;
    x[1][2] = 0.5;
    check_close(x, {3, 3, 3, 1, 2, 0.5});
    x[0] = x[1];
    check_close(x, {1, 2, 0.5, 1, 2, 0.5});
    CHECK(x._version() == 7);
    check_throws<ShapeError>([&] { x[0] = ones({2}); }, "copy_");
    check_throws<ArgumentError>([&] { x[0] = Tensor(); }, "copy_");
}

TEST_CASE("assignment to an expression is recorded") {
    const Tensor w = ones({3}, {kFloat32, true});
    const Tensor x = zeros({2, 3});
    x[1] = w * 2;
    x[1][0] = 7;
    x.sum().backward();
    check_close(w.grad(), {0, 2, 2});
}

TEST_CASE("assignment to a variable rebinds it, also within containers") {
    const Tensor a = ones({2});
    const Tensor b = zeros({2});
    Tensor x = a;
    x = b;
    CHECK(x.is_same(b));
    x = a.select(0, 0);
    CHECK(a._version() + b._version() == 0);
    std::vector<Tensor> list = {a, b};
    list[0] = b;
    std::swap(list[0], list[1]);
    list.insert(list.begin(), a);
    list.erase(list.begin() + 1);
    CHECK(list[0].is_same(a));
    std::optional<Tensor> maybe = a;
    maybe = b;
    Tensor first;
    Tensor second;
    std::tie(first, second) = std::make_tuple(a, b);
    CHECK(second.is_same(b));
    CHECK(std::exchange(first, b).is_same(a));
    Pair pair;
    pair = Pair{a, b};
    Pair{a, b} = pair;
    std::pair<Tensor, int> numbered;
    numbered = {b, 1};
    first = {};
    CHECK(!first.defined());
    CHECK(a._version() + b._version() == 0);
}

}  // namespace pumice::test
