// SPDX-License-Identifier: Apache-2.0
// Chains of maps within the kernels of other operators: that they have no kernels of their own, and
// that every bit stays.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <functional>
#include <tuple>
#include <vector>

namespace pumice {

namespace {

using test::check_same_bits;
using test::random_tensor;

using Map = std::function<Tensor(const Tensor&)>;

// `chains`: that have no kernel of their own any more.
template <class F>
void check_hosted(const F& fn, const std::vector<Tensor>& inputs, std::size_t chains) {
    const Plan plan = capture(fn, inputs);
    const Plan plain = capture(fn, inputs, {.fuse_into_kernels = false});
    CHECK_MESSAGE(plan.stats().kernel_count + chains == plain.stats().kernel_count, plan.dot());
    const std::vector<Tensor> results = plan.replay(inputs);
    const std::vector<Tensor> wanted = plain.replay(inputs);
    REQUIRE(results.size() == wanted.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
        check_same_bits(results[i], wanted[i]);
    }
}

Tensor numbers(const Dims& sizes, std::uint64_t seed, DType dtype = kFloat32) {
    return to(random_tensor(sizes, -2, 2, seed), dtype);
}

}  // namespace

TEST_CASE("hosted: a matrix product stores what bias, activation and residual make of it" *
          doctest::test_suite("long")) {
    const InferenceMode guard;

    struct Case {
        Dims size;  ///< rows, depth, columns
        DType dtype = kFloat32;
        Map activation = relu;
    };

    // A store stands in many places of the unrolled kernel, which takes its time to compile.
    for (const Case& each :
         {Case{.size = {6, 5, 8}},
          Case{.size = {1, 9, 7}},
          Case{.size = {64, 64, 64}},
          Case{.size = {33, 40, 17}},
          Case{.size = {33, 40, 17}, .dtype = kFloat16},
          Case{.size = {33, 40, 17}, .dtype = kBFloat16},
          Case{.size = {33, 40, 17}, .activation = [](const Tensor& x) { return gelu(x); }}}) {
        const auto& [rows, depth, columns] = std::tuple(each.size[0], each.size[1], each.size[2]);
        check_hosted(
            [&each](const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& rest) {
                return add(each.activation(add(matmul(x, w), bias)), rest);
            },
            {numbers({rows, depth}, 1, each.dtype),
             numbers({depth, columns}, 2, each.dtype),
             numbers({columns}, 3, each.dtype),
             numbers({rows, columns}, 4, each.dtype)},
            1);
    }
}

TEST_CASE("hosted: matrix products of batches, of turned operands, of integers, in parts") {
    const InferenceMode guard;
    const auto scaled = [](const Tensor& x, const Tensor& w) { return mul(matmul(x, w), 0.5); };
    check_hosted(scaled, {numbers({3, 2, 7, 5}, 1), numbers({2, 5, 6}, 2)}, 1);
    check_hosted(scaled, {numbers({5, 7}, 1).t(), numbers({6, 5}, 2).t()}, 1);
    check_hosted([](const Tensor& x, const Tensor& w) { return add(matmul(x, w), 3); },
                 {numbers({4, 5}, 1, kInt32), numbers({5, 6}, 2, kInt32)},
                 1);
    // Few results of a great depth: the splits' sums are added by a second kernel.
    check_hosted(scaled, {numbers({2, 20000}, 1), numbers({20000, 3}, 2)}, 1);
    // The result's view, in another shape.
    check_hosted(
        [](const Tensor& x, const Tensor& w) {
            return relu(matmul(x, w).view({2, 3, 4}));
        },
        {numbers({6, 5}, 1), numbers({5, 4}, 2)},
        1);
    check_hosted(
        [](const Tensor& x, const Tensor& w, const Tensor& b) { return silu(linear(x, w, b)); },
        {numbers({2, 3, 8}, 1), numbers({6, 8}, 2), numbers({6}, 3)},
        1);
}

TEST_CASE("hosted: convolutions" * doctest::test_suite("long")) {
    const InferenceMode guard;
    const auto block =
        [](const Tensor& x, const Tensor& w, const Tensor& scale, const Tensor& rest) {
            return relu(add(mul(conv2d(x, w, {}, 2, 1), scale), rest));
        };
    for (const DType dtype : {kFloat32, kFloat16}) {
        for (const std::int64_t size : {8, 9}) {
            const std::int64_t out = (size - 1) / 2 + 1;
            check_hosted(block,
                         {numbers({2, 3, size, size}, 1, dtype),
                          numbers({5, 3, 3, 3}, 2, dtype),
                          numbers({5, 1, 1}, 3, dtype),
                          numbers({2, 5, out, out}, 4, dtype)},
                         1);
        }
    }
}

TEST_CASE("hosted: chains before and after reductions" * doctest::test_suite("long")) {
    const InferenceMode guard;
    const std::vector<Map> reductions = {
        [](const Tensor& x) { return sum(x, {1}); },
        [](const Tensor& x) {
            return mean(x, {0, 2});
        },
        [](const Tensor& x) { return amax(x, {2}); },
        [](const Tensor& x) {
            return var(x, {1, 2});
        },
        [](const Tensor& x) { return logsumexp(x, {2}); },
        [](const Tensor& x) { return sum(x); },
    };
    for (const Map& reduce : reductions) {
        for (const DType dtype : {kFloat32, kBFloat16}) {
            const auto fn = [&reduce](const Tensor& x, const Tensor& row) {
                return neg(mul(reduce(square(sub(x, row))), 0.5));
            };
            check_hosted(fn, {numbers({7, 6, 9}, 1, dtype), numbers({9}, 2, dtype)}, 2);
        }
    }
    check_hosted([](const Tensor& x) { return argmax(abs(x), 1); }, {numbers({5, 40}, 1)}, 1);
    check_hosted([](const Tensor& x) { return any(gt(x, 1), 1); }, {numbers({5, 40}, 1)}, 1);
    check_hosted([](const Tensor& x) { return exp(sum(abs(x))); }, {numbers({300, 400}, 1)}, 2);
}

TEST_CASE("hosted: chains before and after softmax and the norms" * doctest::test_suite("long")) {
    const InferenceMode guard;
    for (const DType dtype : {kFloat32, kFloat16}) {
        for (const std::int64_t length : {8, 33, 300}) {
            const Tensor x = numbers({6, length}, 1, dtype);
            const Tensor row = numbers({length}, 2, dtype);
            check_hosted(
                [](const Tensor& in, const Tensor& mask) {
                    return mul(softmax(add(mul(in, 0.25), mask), -1), 2.0);
                },
                {x, row},
                2);
            check_hosted(
                [length](const Tensor& in, const Tensor& weight) {
                    return silu(layer_norm(add(in, weight), {length}, weight));
                },
                {x, row},
                2);
            check_hosted(
                [length](const Tensor& in, const Tensor& weight) {
                    return mul(rms_norm(abs(in), {length}, weight), in);
                },
                {x, row},
                2);
        }
    }
    check_hosted([](const Tensor& x) { return exp(log_softmax(mul(x, 2.0), 0)); },
                 {numbers({5, 6, 7}, 1)},
                 2);
}

TEST_CASE("hosted: formulas of every group, in every kernel with hooks" *
          doctest::test_suite("long")) {
    const InferenceMode guard;
    const auto wild = [](const Tensor& x) {
        return pow(abs(asinh(sin(gelu(sigmoid(x))))), add(x, 2.5));
    };
    const Tensor x = numbers({4, 6}, 1);
    const Tensor w = numbers({6, 6}, 2);
    check_hosted([&](const Tensor& in) { return wild(matmul(in, w)); }, {x}, 1);
    check_hosted([&](const Tensor& in) { return wild(softmax(in, 0)); }, {x}, 1);
    check_hosted([&](const Tensor& in) { return wild(rms_norm(in, {6})); }, {x}, 1);
    check_hosted([&](const Tensor& in) { return wild(sum(wild(in), {1})); }, {x}, 2);
    const Tensor image = numbers({1, 2, 5, 5}, 3);
    const Tensor filters = numbers({3, 2, 3, 3}, 4);
    check_hosted([&](const Tensor& in) { return wild(conv2d(in, filters)); }, {image}, 1);
    check_hosted(
        [&](const Tensor& in) {
            return wild(matmul(in, numbers({20000, 2}, 5)));
        },
        {numbers({2, 20000}, 6)},
        1);
}

TEST_CASE("hosted: what costs more than a load is not computed three times") {
    const InferenceMode guard;
    const auto count = [](const auto& fn) {
        return capture(fn, {numbers({4, 6}, 1)}).stats().kernel_count;
    };
    CHECK(count([](const Tensor& x) { return softmax(gelu(x), -1); }) == 2);
    CHECK(count([](const Tensor& x) { return softmax(mul(x, 3), -1); }) == 1);
    CHECK(count([](const Tensor& x) { return sum(gelu(x), {1}); }) == 1);
    // Between two kernels that would take it, a chain joins the first.
    CHECK(count([](const Tensor& x) { return softmax(relu(rms_norm(x, {6})), -1); }) == 2);
}

TEST_CASE("hosted: what others read or write stays outside") {
    const InferenceMode guard;
    const Tensor x = numbers({6, 6}, 1);
    const Tensor w = numbers({6, 6}, 2);
    // The product is an output as well.
    const auto shown = [&w](const Tensor& in) {
        const Tensor y = matmul(in, w);
        return std::vector<Tensor>{y, relu(y)};
    };
    CHECK(capture(shown, {x}).stats().kernel_count == 2);
    // Another dtype would be stored.
    const auto compared = [&w](const Tensor& in) { return gt(matmul(in, w), 0); };
    CHECK(capture(compared, {x}).stats().kernel_count == 2);
    // The operand is written between the product and its map, and by the map.
    Tensor state = x.clone();
    const auto step = [&](const Tensor& in) {
        const Tensor y = matmul(state, w);
        add_(state, in);
        mul_(state, y);
        return sum(abs(state), {1});
    };
    const Plan plan = capture(step, {x});
    CHECK(plan.stats().kernel_count == 4);
    copy_(state, x);
    const Tensor got = plan(x)[0];
    const Tensor after = state.clone();
    copy_(state, x);
    check_same_bits(got, step(x));
    check_same_bits(after, state);
}

TEST_CASE("hosted: in place, into a tensor that only the chain reads") {
    const InferenceMode guard;
    Tensor state = numbers({6, 5}, 3);
    const Tensor start = state.clone();
    const Tensor w = numbers({4, 5}, 2);
    const auto step = [&](const Tensor& in) {
        add_(state, matmul(in, w));
        return state;
    };
    const Tensor x = numbers({6, 4}, 1);
    const Plan plan = capture(step, {x});
    CHECK(plan.stats().kernel_count == 1);
    copy_(state, start);
    plan(x);
    const Tensor after = state.clone();
    copy_(state, start);
    step(x);
    check_same_bits(after, state);
}

}  // namespace pumice
