// SPDX-License-Identifier: Apache-2.0
// Operands without elements, whose place in memory is at the end of their storage or past it, in
// every operator whose result has elements all the same; the others record nothing.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace pumice {

namespace {

// 64 bytes: the storage ends where a range may begin.
Tensor empty_at_end(const Dims& sizes, DType dtype = kFloat32) {
    Dims strides = sizes;
    std::int64_t step = 1;
    for (std::int64_t i = sizes.count() - 1; i >= 0; --i) {
        strides[i] = step;
        step *= std::max<std::int64_t>(sizes[i], 1);
    }
    const std::int64_t count = 64 / itemsize(dtype);
    return as_strided(ones({count}, dtype), sizes, strides, count);
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

struct Row {
    const char* name;
    Tensor (*call)();
    Dims sizes;
    double value;  ///< of all elements
};

Tensor none(const Dims& sizes) {
    return empty_at_end(sizes);
}

Tensor no_index() {
    return empty_at_end({0}, kInt32);
}

const Row kRows[] = {
    {"sum", [] { return sum(none({0})); }, {}, 0},
    {"sum of columns",
     [] {
         return sum(none({0, 3}), {0});
     },
     {3},
     0},
    {"sum of rows",
     [] {
         return sum(none({3, 0}), {1}, true);
     },
     {3, 1},
     0},
    {"sum, float16", [] { return sum(empty_at_end({0}, kFloat16)); }, {}, 0},
    {"sum, int8",
     [] {
         return sum(empty_at_end({2, 0}, kInt8), {1});
     },
     {2},
     0},
    {"sum past the end",
     [] {
         return sum(zeros({3, 0, 50}).select(2, 32));
     },
     {},
     0},
    {"sum_to_size",
     [] {
         return sum_to_size(none({0, 2}), {1, 2});
     },
     {1, 2},
     0},
    {"mean",
     [] {
         return mean(none({2, 0}), {1});
     },
     {2},
     kNan},
    {"var",
     [] {
         return var(none({2, 0}), {1});
     },
     {2},
     kNan},
    {"std",
     [] {
         return pumice::std(none({0, 2}), {0});
     },
     {2},
     kNan},
    {"logsumexp",
     [] {
         return logsumexp(none({2, 0}), {1});
     },
     {2},
     -kInf},
    {"any",
     [] {
         return any(none({2, 0}), {1});
     },
     {2},
     0},
    {"all",
     [] {
         return all(none({0, 2}), {0});
     },
     {2},
     1},
    {"pad",
     [] {
         return pad(none({2, 0}), {1, 2}, 3);
     },
     {2, 3},
     3},
    {"cat",
     [] {
         return cat({none({0, 2}), ones({3, 2}), none({0, 2})});
     },
     {3, 2},
     1},
    {"matmul",
     [] {
         return matmul(none({2, 0}), none({0, 3}));
     },
     {2, 3},
     0},
    {"matmul of vectors", [] { return matmul(none({0}), none({0})); }, {}, 0},
    {"matmul, batched",
     [] {
         return matmul(none({4, 2, 0}), none({0, 3}));
     },
     {4, 2, 3},
     0},
    {"linear",
     [] {
         return linear(none({2, 0}), none({3, 0}), ones({3}));
     },
     {2, 3},
     1},
    {"linear without bias",
     [] {
         return linear(none({2, 0}), none({3, 0}));
     },
     {2, 3},
     0},
    {"attention without keys",
     [] {
         return scaled_dot_product_attention(ones({1, 2, 4}), none({1, 0, 4}), none({1, 0, 4}));
     },
     {1, 2, 4},
     0},
    {"attention without keys, with a mask",
     [] {
         return scaled_dot_product_attention(
             ones({1, 2, 4}), none({1, 0, 4}), none({1, 0, 4}), none({2, 0}));
     },
     {1, 2, 4},
     0},
    {"index_add",
     [] {
         return index_add(ones({3, 2}), 0, no_index(), none({0, 2}));
     },
     {3, 2},
     1},
    {"index_copy",
     [] {
         return index_copy(ones({3, 2}), 0, no_index(), none({0, 2}));
     },
     {3, 2},
     1},
    {"scatter_add",
     [] {
         return scatter_add(ones({3, 2}), 0, empty_at_end({0, 2}, kInt32), none({0, 2}));
     },
     {3, 2},
     1},
    {"index_put_",
     [] {
         Tensor x = ones({3, 2});
         x.index_put_({no_index()}, none({0, 2}));
         return x;
     },
     {3, 2},
     1},
    {"index_put_, accumulated",
     [] {
         Tensor x = ones({3, 2});
         x.index_put_({no_index()}, none({0, 2}), true);
         return x;
     },
     {3, 2},
     1},
    {"mse_loss", [] { return mse_loss(none({0}), none({0})); }, {}, kNan},
    {"l1_loss", [] { return l1_loss(none({0}), none({0}), Reduction::kSum); }, {}, 0},
    {"huber_loss",
     [] {
         return huber_loss(none({0, 2}), none({0, 2}));
     },
     {},
     kNan},
    {"cross_entropy",
     [] {
         return cross_entropy(none({0, 3}), no_index(), Reduction::kSum);
     },
     {},
     0},
    {"cross_entropy, mean",
     [] {
         return cross_entropy(none({0, 3}), no_index());
     },
     {},
     kNan},
    {"quantile_loss",
     [] {
         return quantile_loss(none({0, 2}), none({0}), full({2}, 0.5), Reduction::kSum);
     },
     {},
     0},
    {"a chain before a sum",
     [] {
         return sum(exp(neg(none({2, 0}))) * 2, {1}) + 3;
     },
     {2},
     3},
};

void check_row(const Row& row, const Tensor& got) {
    CHECK(got.sizes() == row.sizes);
    for (const double value : got.to_vector<double>()) {
        CHECK((value == row.value || (std::isnan(value) && std::isnan(row.value))));
    }
}

}  // namespace

TEST_CASE("empty operands: operators with results, in all modes and captured") {
    for (const Row& row : kRows) {
        CAPTURE(std::string(row.name));
        check_row(row, row.call());
        check_row(row, no_grad(row.call));
        check_row(row, inference_mode(row.call));
        const auto fn = [&row](const Tensor& /*x*/) { return row.call(); };
        check_row(row, capture(fn, {ones({1})})(ones({1}))[0]);
    }
}

TEST_CASE("empty operands: arguments and states of a captured function") {
    const Tensor state = empty_at_end({2, 0});
    const auto fn = [&state](const Tensor& x) { return cat({sum(x, {1}), sum(state, {1})}); };
    const Plan plan = capture(fn, {zeros({2, 0})});
    // The third replay reads arguments where they lie.
    const Tensor at_end = empty_at_end({2, 0});
    const Tensor past_end = zeros({2, 0, 50}).select(2, 32);
    for (int i = 0; i < 4; ++i) {
        for (const Tensor& argument : {at_end, past_end, zeros({2, 0})}) {
            CHECK(plan(argument)[0].to_vector<float>() == std::vector<float>(4, 0.0F));
        }
    }
    for (int i = 0; i < 4; ++i) {
        CHECK(plan(past_end)[0].to_vector<float>() == std::vector<float>(4, 0.0F));
    }
}

namespace {

struct GradientRow {
    const char* name;
    Tensor (*loss)(const Tensor& leaf);
    Dims leaf;
};

// What has elements gets zeros from what has none.
const GradientRow kGradientRows[] = {
    {"linear's weight",
     [](const Tensor& w) {
         return sum(linear(none({0, 4}), w));
     },
     {3, 4}},
    {"linear's bias",
     [](const Tensor& b) {
         return sum(linear(none({0, 4}), ones({3, 4}), b));
     },
     {3}},
    {"matmul",
     [](const Tensor& b) {
         return sum(matmul(none({0, 2}), b));
     },
     {2, 3}},
    {"layer_norm's weight",
     [](const Tensor& w) {
         return sum(layer_norm(none({0, 4}), {4}, w, ones({4})));
     },
     {4}},
    {"rms_norm's weight",
     [](const Tensor& w) {
         return sum(rms_norm(none({0, 4}), {4}, w));
     },
     {4}},
    {"conv2d's weight",
     [](const Tensor& w) {
         return sum(conv2d(none({0, 2, 3, 3}), w));
     },
     {4, 2, 1, 1}},
    {"embedding", [](const Tensor& w) { return sum(embedding(w, no_index())); }, {3, 2}},
    {"index_select", [](const Tensor& x) { return sum(index_select(x, 0, no_index())); }, {3, 2}},
    {"gather",
     [](const Tensor& x) {
         return sum(gather(x, 0, empty_at_end({0, 2}, kInt32)));
     },
     {3, 2}},
    {"index", [](const Tensor& x) { return sum(x.index({no_index()})); }, {3, 2}},
    {"expand",
     [](const Tensor& x) {
         return sum(expand(x, {0, 3}));
     },
     {1, 3}},
    {"mul, broadcast",
     [](const Tensor& x) {
         return sum(none({0, 3}) * x);
     },
     {3}},
    {"slice", [](const Tensor& x) { return sum(slice(x, 0, 3)); }, {3, 2}},
    {"where",
     [](const Tensor& x) {
         return sum(where(empty_at_end({0, 3}, kBool), x, none({0, 3})));
     },
     {3}},
    {"attention's queries",
     [](const Tensor& q) {
         return sum(scaled_dot_product_attention(q, none({1, 0, 4}), none({1, 0, 4})));
     },
     {1, 2, 4}},
    {"attention's keys",
     [](const Tensor& k) {
         return sum(scaled_dot_product_attention(none({1, 0, 4}), k, ones({1, 3, 4})));
     },
     {1, 3, 4}},
    {"masked_select",
     [](const Tensor& x) { return sum(masked_select(x, zeros({3}, kBool))); },
     {3}},
};

}  // namespace

TEST_CASE("empty operands: gradients of what has elements are zeros") {
    for (const GradientRow& row : kGradientRows) {
        CAPTURE(std::string(row.name));
        Tensor leaf = ones(row.leaf).set_requires_grad(true);
        row.loss(leaf).backward();
        REQUIRE(leaf.grad().defined());
        CHECK(leaf.grad().sizes() == row.leaf);
        for (const float value : leaf.grad().to_vector<float>()) {
            CHECK(value == 0.0F);
        }
    }
}

}  // namespace pumice
