// SPDX-License-Identifier: Apache-2.0
// Tensor::index and index_put_ against loops over coordinates; what PyTorch's documentation of
// indexing shows, among it.
#include "pumice/torch.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

using namespace pumice;
using namespace torch::indexing;
using test::check_close;
using test::check_gradients;
using test::check_modes;
using test::check_same_bits;
using test::check_throws;
using test::random_tensor;
using Coordinates = std::vector<std::int64_t>;
using Inputs = std::vector<Tensor>;

namespace {

std::size_t place_of(const Coordinates& at, const Dims& sizes) {
    std::int64_t place = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
        place = place * sizes[static_cast<std::int64_t>(d)] + at[d];
    }
    return static_cast<std::size_t>(place);
}

Coordinates coordinates_of(std::int64_t place, const Dims& sizes) {
    Coordinates at(sizes.size());
    for (std::int64_t d = sizes.count(); d-- > 0;) {
        at[static_cast<std::size_t>(d)] = place % sizes[d];
        place /= sizes[d];
    }
    return at;
}

// Fails unless got has these sizes, and at each place x's value at the coordinates that `from`
// names.
void check_taken(const Tensor& got,
                 const Tensor& x,
                 const Dims& sizes,
                 const std::function<Coordinates(const Coordinates&)>& from) {
    REQUIRE(got.sizes() == sizes);
    CHECK(got.dtype() == x.dtype());
    const std::vector<double> values = x.to_vector<double>();
    std::vector<double> wanted;
    for (std::int64_t i = 0; i < numel(sizes); ++i) {
        wanted.push_back(values[place_of(from(coordinates_of(i, sizes)), x.sizes())]);
    }
    CHECK(got.to_vector<double>() == wanted);
}

Tensor numbers(const Dims& sizes, DType dtype = kFloat32) {
    return arange(numel(sizes)).to(dtype).view(sizes);
}

}  // namespace

TEST_CASE("index: integers, slices, None and Ellipsis give views") {
    const Tensor x = numbers({3, 4, 5});
    const std::int64_t minus = -1;
    check_taken(x.index({1}), x, {4, 5}, [](auto c) { return Coordinates{1, c[0], c[1]}; });
    check_taken(x.index({minus, 2, 3}), x, {}, [](auto) { return Coordinates{2, 2, 3}; });
    check_taken(x.index({Slice(), 2}), x, {3, 5}, [](auto c) {
        return Coordinates{c[0], 2, c[1]};
    });
    check_taken(x.index({Ellipsis, Slice(None, None, 2)}), x, {3, 4, 3}, [](auto c) {
        return Coordinates{c[0], c[1], 2 * c[2]};
    });
    check_taken(x.index({"...", Slice(-2, None)}), x, {3, 4, 2}, [](auto c) {
        return Coordinates{c[0], c[1], 3 + c[2]};
    });
    check_taken(x.index({Slice(1, 100), None, Slice(0, -1, 2)}), x, {2, 1, 2, 5}, [](auto c) {
        return Coordinates{1 + c[0], 2 * c[2], c[3]};
    });
    check_taken(x.index({None, Ellipsis, None, 0}), x, {1, 3, 4, 1}, [](auto c) {
        return Coordinates{c[1], c[2], 0};
    });
    CHECK(x.index({Slice(3, 1)}).sizes() == Dims{0, 4, 5});
    CHECK(x.index({0, 0, 0, Ellipsis}).sizes() == Dims{});
    CHECK(numbers({}).index({Ellipsis}).item() == 0.0);

    // Written through.
    Tensor part = x.index({0, Slice(1, 3)});
    CHECK(part.is_view());
    part.fill_(-1);
    CHECK(x[0][2][4].item() == -1.0);
    CHECK(x[0][3][0].item() == 15.0);
    const Tensor same = x.index({Ellipsis});
    CHECK(same.is_view());
    CHECK_FALSE(same.is_same(x));
}

TEST_CASE("index: one tensor takes its dimension's place") {
    const Tensor x = numbers({4, 5, 3});
    const std::vector<int> at = {2, -1, 0, 2, -4};
    const Tensor index = tensor<int>(at);
    const auto row = [&at](std::int64_t i, std::int64_t extent) {
        const std::int64_t value = at[static_cast<std::size_t>(i)];
        return value < 0 ? value + extent : value;
    };
    check_taken(x.index({index}), x, {5, 5, 3}, [&](auto c) {
        return Coordinates{row(c[0], 4), c[1], c[2]};
    });
    check_same_bits(x[index], x.index({index}));
    check_taken(x.index({Slice(), index}), x, {4, 5, 3}, [&](auto c) {
        return Coordinates{c[0], row(c[1], 5), c[2]};
    });
    check_taken(x.index({1, Slice(None, None, 2), index.slice(0, 1, 3)}), x, {3, 2}, [&](auto c) {
        return Coordinates{1, 2 * c[0], row(1 + c[1], 3)};
    });
    const Tensor square = tensor<int>({0, 3, 1, 2, 2, 0}).view({3, 2}).t();
    const std::vector<int> of_square = square.to_vector<int>();
    check_taken(x.index({square, None}), x, {2, 3, 1, 5, 3}, [&](auto c) {
        return Coordinates{of_square[static_cast<std::size_t>(c[0] * 3 + c[1])], c[3], c[4]};
    });
    CHECK(x.index({zeros({0}, kInt32)}).sizes() == Dims{0, 5, 3});
    CHECK(x.index({zeros({2, 0}, kInt32), 1}).sizes() == Dims{2, 0, 3});
    // A zero-dimensional one is an integer, and gives a view.
    const Tensor selected = x.index({scalar_tensor(-1), Slice(), scalar_tensor(0)});
    check_taken(selected, x, {5}, [](auto c) { return Coordinates{3, c[0], 0}; });
    CHECK(selected.is_view());
    CHECK_FALSE(x[index].is_view());
}

TEST_CASE("index: several tensors are broadcast, and stand in front unless they are neighbours") {
    const Tensor x = numbers({3, 4, 5, 2});
    const Tensor column = tensor<int>({2, 0}).view({2, 1});
    const Tensor row = tensor<int>({1, -1, 3});
    const std::vector<std::int64_t> c_at = {2, 0};
    const std::vector<std::int64_t> r_at = {1, 3, 3};
    const auto of = [](const std::vector<std::int64_t>& at, std::int64_t i) {
        return at[static_cast<std::size_t>(i)];
    };
    check_taken(x.index({column, row}), x, {2, 3, 5, 2}, [&](auto c) {
        return Coordinates{of(c_at, c[0]), of(r_at, c[1]), c[2], c[3]};
    });
    check_taken(x.index({Slice(), row, column}), x, {3, 2, 3, 2}, [&](auto c) {
        return Coordinates{c[0], of(r_at, c[2]), of(c_at, c[1]), c[3]};
    });
    // An integer between does not separate them: it is taken first, as in PyTorch (not NumPy).
    check_taken(x.index({column, 1, Slice(), Ellipsis}), x, {2, 1, 5, 2}, [&](auto c) {
        return Coordinates{of(c_at, c[0]), 1, c[2], c[3]};
    });
    const Tensor low = tensor<int>({0, 1, 0});
    check_taken(x.index({Slice(), row, 4, low}), x, {3, 3}, [&](auto c) {
        return Coordinates{c[0], of(r_at, c[1]), 4, c[1] % 2};
    });
    check_taken(x.index({column, Slice(), row}), x, {2, 3, 4, 2}, [&](auto c) {
        return Coordinates{of(c_at, c[0]), c[2], of({1, 4, 3}, c[1]), c[3]};
    });
    check_taken(x.index({Slice(), row, Slice(1, 3), low}), x, {3, 3, 2}, [&](auto c) {
        return Coordinates{c[1], of(r_at, c[0]), 1 + c[2], c[0] % 2};
    });
    check_taken(x.index({row.slice(0, 0, 1), None, low}), x, {3, 1, 5, 2}, [&](auto c) {
        return Coordinates{1, c[0] % 2, c[2], c[3]};
    });
    check_taken(x.index({column, row.sub(1), row, low}), x, {2, 3}, [&](auto c) {
        return Coordinates{of(c_at, c[0]), of({0, 2, 2}, c[1]), of({1, 4, 3}, c[1]), c[1] % 2};
    });
}

TEST_CASE("index: masks") {
    const Tensor x = numbers({3, 4, 2});
    const Tensor mask = tensor<bool>({true, false, true});
    check_taken(x.index({mask}), x, {2, 4, 2}, [](auto c) {
        return Coordinates{2 * c[0], c[1], c[2]};
    });
    check_taken(x.index({Ellipsis, tensor<bool>({false, true})}), x, {3, 4, 1}, [](auto c) {
        return Coordinates{c[0], c[1], 1};
    });
    CHECK(x.index({x > 17}).to_vector<int>() == std::vector<int>{18, 19, 20, 21, 22, 23});
    CHECK(x.index({x > 100}).sizes() == Dims{0});
    // A strided mask of two dimensions, before and behind another one.
    const Tensor wide = tensor<bool>({true, false, false, true, true, false}).view({3, 2}).t();
    const Tensor y = numbers({2, 3, 2, 3});
    const std::vector<Coordinates> places = {{0, 0}, {0, 2}, {1, 1}};
    check_taken(y.index({wide}), y, {3, 2, 3}, [&](auto c) {
        const Coordinates& at = places[static_cast<std::size_t>(c[0])];
        return Coordinates{at[0], at[1], c[1], c[2]};
    });
    check_taken(y.index({Slice(), Slice(1, None), wide}), y, {2, 2, 3}, [&](auto c) {
        const Coordinates& at = places[static_cast<std::size_t>(c[2])];
        return Coordinates{c[0], 1 + c[1], at[0], at[1]};
    });
    // With positions: the mask counts as the tensors that nonzero gives.
    const Tensor position = tensor<int>({1, 0, 1});
    check_taken(y.index({wide, position}), y, {3, 3}, [&](auto c) {
        const Coordinates& at = places[static_cast<std::size_t>(c[0])];
        return Coordinates{at[0], at[1], 1 - c[0] % 2, c[1]};
    });
    check_taken(y.index({position, Slice(), wide}), y, {3, 3}, [&](auto c) {
        const Coordinates& at = places[static_cast<std::size_t>(c[0])];
        return Coordinates{1 - c[0] % 2, c[1], at[0], at[1]};
    });
    const Tensor z = numbers({2, 3});
    check_taken(z.index({true}), z, {1, 2, 3}, [](auto c) { return Coordinates{c[1], c[2]}; });
    CHECK(z.index({0, false}).sizes() == Dims{0, 3});
    CHECK(z.index({Slice(), scalar_tensor(true)}).sizes() == Dims{2, 1, 3});
}

TEST_CASE("index: every dtype, and large tables") {
    for (const DType dtype : {kFloat32, kFloat16, kBFloat16, kInt32, kInt8, kUInt8, kBool}) {
        const Tensor x = numbers({5, 3}, dtype);
        const Tensor index = tensor<int>({4, 0, -2});
        check_taken(x.index({index}), x, {3, 3}, [](auto c) {
            return Coordinates{c[0] == 0 ? 4 : (c[0] == 1 ? 0 : 3), c[1]};
        });
        Tensor put = x.clone();
        put.index_put_({index, 1}, x.index({index, 2}));
        std::vector<double> wanted = x.to_vector<double>();
        for (const std::size_t row : {4U, 0U, 3U}) {
            wanted[row * 3 + 1] = wanted[row * 3 + 2];
        }
        CHECK(put.to_vector<double>() == wanted);
    }
    const Tensor x = arange(70001);
    CHECK(x.index({arange(70001).mul(-1).sub(1)}).to_vector<int>()[70000] == 0);
    CHECK(x.index({x.ge(69999)}).to_vector<int>() == std::vector<int>{69999, 70000});
}

TEST_CASE("index, index_put_: the modes agree, and gradients with central differences") {
    const Tensor x = random_tensor({3, 4, 2});
    const Tensor a = tensor<int>({2, 0, 2, -1});
    const Tensor b = tensor<int>({1, 3, 1, 1});
    const Tensor mask = random_tensor({3, 4}, -1, 1, 7) > 0;
    const std::vector<std::vector<TensorIndex>> cases = {{a},
                                                         {Slice(), b},
                                                         {a, b},
                                                         {a, Slice(), tensor<int>({0, 1, 1, 0})},
                                                         {mask},
                                                         {Slice(None, None, 2), None, b},
                                                         {1, Slice(1, 3)}};
    for (const auto& indices : cases) {
        const auto take = [&](const Inputs& in) { return in[0].index(indices); };
        const Dims sizes = check_modes(take, {x}).sizes();
        check_gradients(take, {x});
        for (const bool accumulate : {false, true}) {
            const auto put = [&](const Inputs& in) {
                Tensor out = in[0].clone();
                out.index_put_(indices, in[1], accumulate);
                return out;
            };
            const Tensor values = random_tensor(sizes, -1, 1, 3);
            check_modes(put, {x, values});
            check_gradients(put, {x, values});
        }
    }
}

TEST_CASE("index, index_put_: positions made in inference mode serve a recorded call") {
    const auto [at, mask] = [] {
        const InferenceMode guard;
        return std::pair(tensor<int>({1, -1}), tensor<bool>({false, true}));
    }();
    const Tensor x = tensor<float>({1, 2}, torch::requires_grad());
    x.index({at}).sum().backward();
    CHECK(x.grad().to_vector<int>() == std::vector<int>{0, 2});
    Tensor y = x.clone();
    y.index_put_({at}, 3);
    y.index_put_({mask}, zeros({1}), true);
    (y * y + x.index({mask})).sum().backward();
    CHECK(x.grad().to_vector<int>() == std::vector<int>{2, 4});
    // And in it, all of it.
    const InferenceMode guard;
    Tensor z = ones({2});
    z.index_put_({at}, 3);
    z.index_put_({z > 2}, 4);
    CHECK(z.index({mask}).is_inference());
    CHECK(z.to_vector<int>() == std::vector<int>{1, 4});
}

TEST_CASE("index, index_put_: second derivatives") {
    const Tensor a = tensor<int>({2, 0, 2});
    Tensor x = random_tensor({3, 2});
    Tensor values = random_tensor({3, 2}, -1, 1, 2);
    x.set_requires_grad(true);
    values.set_requires_grad(true);
    CHECK(torch::autograd::gradgradcheck(
        [&](const Inputs& in) { return Inputs{in[0].index({a}).square()}; }, {x}));
    for (const bool accumulate : {false, true}) {
        CHECK(torch::autograd::gradgradcheck(
            [&](const Inputs& in) {
                Tensor out = in[0].square();
                out.index_put_({a}, in[1].square(), accumulate);
                return Inputs{out.square()};
            },
            {x, values}));
    }
}

TEST_CASE("index_put_: values, scalars, accumulation and the last of several") {
    Tensor x = zeros({3, 4});
    x.index_put_({1, Slice(None, 2)}, 5);
    x.index_put_({Slice(), -1}, tensor<float>({1, 2, 3}).view({1, 3}));
    CHECK(x.to_vector<int>() == std::vector<int>{0, 0, 0, 1, 5, 5, 0, 2, 0, 0, 0, 3});
    x.index_put_({x > 2}, -1);
    x.index_put_({Slice(1, None), Slice(1, 3)}, 1, true);
    CHECK(x.to_vector<int>() == std::vector<int>{0, 0, 0, 1, -1, 0, 1, 2, 0, 1, 1, -1});
    x.index_put_({x.lt(0)}, tensor<float>({7, 8}));
    CHECK(x.to_vector<int>() == std::vector<int>{0, 0, 0, 1, 7, 0, 1, 2, 0, 1, 1, 8});

    const Tensor at = tensor<int>({1, -2, 1, 0});
    Tensor y = zeros({3});
    y.index_put_({at}, tensor<float>({1, 2, 3, 4}));
    CHECK(y.to_vector<int>() == std::vector<int>{4, 3, 0});
    y.index_put_({at}, tensor<float>({1, 2, 3, 4}), true);
    CHECK(y.to_vector<int>() == std::vector<int>{8, 9, 0});
    y.index_put_({at}, 2, true);
    CHECK(y.to_vector<int>() == std::vector<int>{10, 15, 0});
    y.index_put_({zeros({0}, kInt32)}, 1);
    y.index_put_({zeros({3}, kBool)}, zeros({0}));
    CHECK(y.to_vector<int>() == std::vector<int>{10, 15, 0});

    // Broadcast over positions that do not stand side by side.
    Tensor z = zeros({2, 3, 2});
    z.index_put_({tensor<int>({1, 0, 1}), Slice(), tensor<int>({0, 1, 1})},
                 tensor<float>({1, 2, 3}));
    CHECK(z.to_vector<int>() == std::vector<int>{0, 1, 0, 2, 0, 3, 1, 1, 2, 2, 3, 3});

    // One write: of the tensor, and of what it is a view of.
    Tensor base = zeros({4});
    Tensor view = base.slice(0, 1, 3);
    const auto version = base._version();
    view.index_put_({tensor<int>({1})}, 9);
    CHECK(base._version() == version + 1);
    CHECK(base.to_vector<int>() == std::vector<int>{0, 0, 9, 0});
}

TEST_CASE("index, index_put_: errors, before anything is written") {
    Tensor x = zeros({2, 3});
    const auto throws = [&x](const std::vector<TensorIndex>& indices, const std::string& text) {
        check_throws<ArgumentError>([&] { x.index(indices); }, text);
        check_throws<ArgumentError>([&] { x.index_put_(indices, 1); }, text);
    };
    throws({}, "] wanted at least one index; got none");
    throws({0, 0, 0}, "got 3 dimensions and 0 Ellipses for x [2, 3] float32");
    throws({Ellipsis, 0, "..."}, "wanted at most 2 dimensions named and one Ellipsis");
    throws({Slice(None, None, -1)}, "step must be greater than zero; got -1");
    throws({Slice(None, None, 0)}, "step must be greater than zero");
    throws({2}, "index must be in [-2, 2) for dim 0; got 2 for x [2, 3]");
    throws({0, -4}, "index must be in [-3, 3) for dim 0; got -4 for x [3]");
    throws({Tensor()}, "got an undefined tensor");
    check_throws<ArgumentError>([&] { x.index({"all"}); }, "the only text is '...'; got 'all'");
    check_throws<DTypeError>([&] { x.index({ones({1})}); }, "must be int32 or bool");
    check_throws<DTypeError>([&] { x.index({zeros({2}, kUInt8)}); }, "must be int32 or bool");
    check_throws<ShapeError>([&] { x.index({zeros({3}, kBool)}); }, "[index] the mask must have");
    check_throws<ShapeError>([&] { x.index({zeros({2}, kInt32), zeros({3}, kInt32)}); }, "[index]");
    check_throws<DTypeError>([&] { x.index_put_({0}, zeros({3}, kInt32)); },
                             "[index_put_] values must have the tensor's dtype");
    check_throws<DTypeError>([&] { zeros({2}, kInt8).index_put_({0}, 1000); }, "int8");
    check_throws<ShapeError>([&] { x.index_put_({0}, zeros({2})); }, "[index_put_]");
    check_throws<ShapeError>(
        [&] {
            x.index_put_({zeros({4}, kInt32)}, zeros({3, 3}));
        },
        "[index_put_]");
    Tensor leaf = ones({2}).set_requires_grad(true);
    check_throws<GradModeError>([&] { leaf.index_put_({tensor<int>({0})}, 3); }, "leaf");
    CHECK(leaf.detach().to_vector<int>() == std::vector<int>{1, 1});
    CHECK(x._version() == 0);
}

TEST_CASE("masked_select, nonzero") {
    const Tensor x = tensor<float>({0, 3, -1, 0, 0, 5}).view({2, 3});
    CHECK(masked_select(x, x.gt(0)).to_vector<int>() == std::vector<int>{3, 5});
    const Tensor column = tensor<bool>({false, true}).view({2, 1});
    CHECK(x.masked_select(column).to_vector<int>() == std::vector<int>{0, 0, 5});
    CHECK(masked_select(tensor<int>({4, 5}), column).to_vector<int>() == std::vector<int>{4, 5});
    CHECK(masked_select(scalar_tensor(2), scalar_tensor(true)).sizes() == Dims{1});
    check_gradients([&](const Inputs& in) { return masked_select(in[0].square(), column); }, {x});
    CHECK(nonzero(x).to_vector<int>() == std::vector<int>{0, 1, 0, 2, 1, 2});
    CHECK(nonzero(x.t()).to_vector<int>() == std::vector<int>{1, 0, 2, 0, 2, 1});
    CHECK(tensor<float>({NAN, 0}).nonzero().sizes() == Dims{1, 1});
    CHECK(nonzero(zeros({2, 0})).sizes() == Dims{0, 2});
    CHECK(nonzero(scalar_tensor(3)).sizes() == Dims{1, 0});
    check_throws<DTypeError>([&] { masked_select(x, x); }, "[masked_select] the mask must be bool");
    check_throws<ShapeError>([&] { masked_select(x, zeros({2}, kBool)); }, "[masked_select]");
}
