// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <optional>

using namespace pumice;
using namespace pumice::test;

namespace {

struct Options {
    Tensor mask = {};
    bool is_causal = false;
    std::optional<double> scale = {};
};

// Row-major values of an operand, expanded to [batch, rows, cols].
std::vector<double> expanded(const Tensor& x, Dims batch, std::int64_t rows, std::int64_t cols) {
    batch.push_back(rows);
    batch.push_back(cols);
    return expand(x, batch).to_vector<double>();
}

double bias_of(const Options& options, const std::vector<double>& mask, std::size_t at) {
    if (!options.mask.defined()) {
        return 0.0;
    }
    if (options.mask.dtype() == kBool) {
        return mask[at] != 0.0 ? 0.0 : -std::numeric_limits<double>::infinity();
    }
    return mask[at];
}

// Weights of one query, in place of its scores; zeros where no key is seen.
void softmax_row(std::vector<double>& row) {
    double top = -std::numeric_limits<double>::infinity();
    for (const double x : row) {
        top = std::max(top, x);
    }
    double total = 0.0;
    for (double& x : row) {
        x = std::isinf(top) ? 0.0 : std::exp(x - top);
        total += x;
    }
    for (double& x : row) {
        x = total == 0.0 ? 0.0 : x / total;
    }
}

std::vector<double> reference(
    const Tensor& q, const Tensor& k, const Tensor& v, const Dims& batch, const Options& options) {
    const std::int64_t length = q.size(-2);
    const std::int64_t depth = q.size(-1);
    const std::int64_t keys = k.size(-2);
    const std::int64_t cols = v.size(-1);
    const std::vector<double> qv = expanded(q, batch, length, depth);
    const std::vector<double> kv = expanded(k, batch, keys, depth);
    const std::vector<double> vv = expanded(v, batch, keys, cols);
    const std::vector<double> mv = options.mask.defined()
                                       ? expanded(options.mask, batch, length, keys)
                                       : std::vector<double>();
    const double scale = options.scale.value_or(1.0 / std::sqrt(static_cast<double>(depth)));
    std::vector<double> result;
    for (std::int64_t r = 0; r < numel(batch) * length; ++r) {
        const std::int64_t b = r / length;
        std::vector<double> row;
        for (std::int64_t s = 0; s < keys; ++s) {
            double dot = 0.0;
            for (std::int64_t e = 0; e < depth; ++e) {
                dot += qv[static_cast<std::size_t>(r * depth + e)] *
                       kv[static_cast<std::size_t>((b * keys + s) * depth + e)];
            }
            const bool is_hidden = options.is_causal && s > r % length;
            row.push_back(is_hidden
                              ? -std::numeric_limits<double>::infinity()
                              : dot * scale +
                                    bias_of(options, mv, static_cast<std::size_t>(r * keys + s)));
        }
        softmax_row(row);
        for (std::int64_t d = 0; d < cols; ++d) {
            double sum = 0.0;
            for (std::int64_t s = 0; s < keys; ++s) {
                sum += row[static_cast<std::size_t>(s)] *
                       vv[static_cast<std::size_t>((b * keys + s) * cols + d)];
            }
            result.push_back(sum);
        }
    }
    return result;
}

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Options& options) {
    return scaled_dot_product_attention(q, k, v, options.mask, options.is_causal, options.scale);
}

// Results are averages of values below 1; scores have up to 130 terms.
void check_attention(const Tensor& q,
                     const Tensor& k,
                     const Tensor& v,
                     const Dims& batch,
                     const Options& options = {}) {
    INFO("q " << to_string(q.sizes()) << ", k " << to_string(k.sizes()) << ", v "
              << to_string(v.sizes()));
    const double tolerance = q.dtype() == kFloat32 ? 4e-6 : 2.0 * tolerance_of(q.dtype());
    const Tensor result = attend(q, k, v, options);
    Dims sizes = batch;
    sizes.push_back(q.size(-2));
    sizes.push_back(v.size(-1));
    CHECK(result.sizes() == sizes);
    check_close(result, reference(q, k, v, batch, options), tolerance);
}

Tensor bool_mask(const Dims& sizes, std::uint64_t seed) {
    return gt(random_tensor(sizes, -1.0, 1.0, seed), 0.0);
}

struct Operands {
    Tensor q;
    Tensor k;
    Tensor v;
};

Operands operands(std::int64_t length,
                  std::int64_t keys,
                  std::int64_t depth,
                  std::int64_t cols,
                  DType dtype = kFloat32) {
    return {random_tensor({2, length, depth}, -2.0, 2.0, 1, dtype),
            random_tensor({2, keys, depth}, -2.0, 2.0, 2, dtype),
            random_tensor({2, keys, cols}, -1.0, 1.0, 3, dtype)};
}

}  // namespace

TEST_CASE("attention: shapes around the tiles" * doctest::test_suite("long")) {
    for (const std::int64_t length : {1, 3, 8, 9, 17}) {
        for (const std::int64_t keys : {1, 2, 15, 16, 17, 33}) {
            const Operands x = operands(length, keys, 6, 4);
            check_attention(x.q, x.k, x.v, {2});
        }
    }
    for (const std::int64_t depth : {1, 2, 3, 16, 17, 130}) {
        const Operands x = operands(5, 19, depth, 3);
        check_attention(x.q, x.k, x.v, {2});
    }
    for (const std::int64_t cols : {1, 2, 15, 16, 17, 34, 65, 130}) {
        const Operands x = operands(5, 19, 4, cols);
        check_attention(x.q, x.k, x.v, {2});
    }
    const Operands x = operands(41, 41, 16, 16);
    check_attention(x.q, x.k, x.v, {2});
}

TEST_CASE("attention: causal changes the result") {
    for (const std::int64_t length : {1, 7, 20}) {
        for (const std::int64_t keys : {1, 5, 40}) {
            const Operands x = operands(length, keys, 6, 4);
            check_attention(x.q, x.k, x.v, {2}, {.is_causal = true});
        }
    }
}

TEST_CASE("attention: scale changes the result") {
    const Operands x = operands(5, 19, 6, 4);
    check_attention(x.q, x.k, x.v, {2}, {.scale = 0.05});
    check_attention(x.q, x.k, x.v, {2}, {.scale = -1.5});
    check_attention(x.q, x.k, x.v, {2}, {.scale = 0.0});
}

TEST_CASE("attention: bool and additive masks of every broadcast shape" *
          doctest::test_suite("long")) {
    const Operands x = operands(9, 19, 6, 4);
    const auto shapes = {Dims{19},
                         Dims{1, 19},
                         Dims{9, 1},
                         Dims{9, 19},
                         Dims{2, 1, 19},
                         Dims{2, 9, 19},
                         Dims{1, 9, 1},
                         Dims{}};
    for (const Dims& shape : shapes) {
        INFO("mask " << to_string(shape));
        const Tensor seen = bool_mask(shape, 5);
        check_attention(x.q, x.k, x.v, {2}, {.mask = seen});
        check_attention(x.q, x.k, x.v, {2}, {.mask = seen, .is_causal = true});
        const Tensor added = random_tensor(shape, -3.0, 3.0, 6);
        check_attention(x.q, x.k, x.v, {2}, {.mask = added});
    }
    const Tensor turned = random_tensor({19, 9}, -3.0, 3.0, 7).t();
    check_attention(x.q, x.k, x.v, {2}, {.mask = turned});
}

TEST_CASE("attention: a query that sees no key gets zeros") {
    const Operands x = operands(9, 19, 6, 4);
    const Tensor none = zeros({9, 19}, kBool);
    CHECK(attend(x.q, x.k, x.v, {.mask = none}).to_vector<float>() ==
          std::vector<float>(2 * 9 * 4, 0.0F));
    const Tensor lowest = full({9, 19}, -std::numeric_limits<double>::infinity());
    CHECK(attend(x.q, x.k, x.v, {.mask = lowest}).to_vector<float>() ==
          std::vector<float>(2 * 9 * 4, 0.0F));
    check_attention(x.q, x.k, x.v, {2}, {.mask = full({9, 19}, -1e30)});
}

TEST_CASE("attention: large scores do not overflow") {
    const Operands x = operands(5, 40, 6, 4);
    check_close(
        attend(mul(x.q, 300.0), x.k, x.v, {}), reference(mul(x.q, 300.0), x.k, x.v, {2}, {}), 1e-3);
}

TEST_CASE("attention: narrow dtypes" * doctest::test_suite("long")) {
    for (const DType dtype : {kFloat16, kBFloat16}) {
        for (const std::int64_t cols : {3, 4, 16}) {
            const Operands x = operands(9, 21, 6, cols, dtype);
            check_attention(x.q, x.k, x.v, {2});
            check_attention(x.q, x.k, x.v, {2}, {.mask = random_tensor({9, 21}, -1, 1, 4, dtype)});
        }
        const Operands odd = operands(5, 7, 5, 5, dtype);
        check_attention(odd.q, odd.k, odd.v, {2}, {.is_causal = true});
    }
}

TEST_CASE("attention: batches broadcast, heads are strided") {
    const Tensor q = random_tensor({2, 5, 3, 4}, -1.0, 1.0, 1).transpose(1, 2);
    const Tensor k = random_tensor({2, 6, 3, 4}, -1.0, 1.0, 2).transpose(1, 2);
    const Tensor v = random_tensor({2, 6, 3, 4}, -1.0, 1.0, 3).transpose(1, 2);
    check_attention(q, k, v, {2, 3});
    check_attention(q, k, v, {2, 3}, {.mask = bool_mask({2, 1, 1, 6}, 4)});
    check_attention(q, k.select(1, 0).unsqueeze(1), v.select(0, 1), {2, 3});
    const Tensor base = random_tensor({2, 7, 9}, -1.0, 1.0, 5);
    const Tensor odd = base.slice(1, 1, 6).slice(2, 1, 9, 2);  // offset, column stride 2
    check_attention(odd, odd, odd, {2});
    const Tensor deep = random_tensor({2, 1, 2, 1, 3, 4}, -1.0, 1.0, 6);
    const Tensor other = random_tensor({1, 2, 1, 2, 5, 4}, -1.0, 1.0, 7);
    check_attention(deep, other, other, {2, 2, 2, 2}, {.mask = bool_mask({2, 1, 3, 5}, 8)});
}

TEST_CASE("attention: more rows than a grid's width") {
    const Tensor q = random_tensor({70001, 1, 2}, -1.0, 1.0, 1);
    const Tensor k = random_tensor({70001, 2, 2}, -1.0, 1.0, 2);
    check_attention(q, k, k, {70001});
}

TEST_CASE("attention: empty sizes") {
    CHECK(attend(zeros({2, 0, 3}), zeros({2, 4, 3}), zeros({2, 4, 5}), {}).sizes() ==
          Dims{2, 0, 5});
    CHECK(attend(zeros({2, 3, 3}), zeros({2, 0, 3}), zeros({2, 0, 2}), {}).to_vector<float>() ==
          std::vector<float>(12, 0.0F));
    CHECK(attend(zeros({2, 3, 3}), zeros({2, 4, 3}), zeros({2, 4, 0}), {}).sizes() ==
          Dims{2, 3, 0});
    CHECK(attend(ones({1, 2, 0}), ones({1, 4, 0}), ones({1, 4, 1}), {}).to_vector<float>() ==
          std::vector<float>(2, 1.0F));
}

TEST_CASE("attention: modes agree" * doctest::test_suite("long")) {
    const Operands x = operands(17, 21, 6, 18);
    check_modes([](const std::vector<Tensor>& t) { return attend(t[0], t[1], t[2], {}); },
                {x.q, x.k, x.v});
    check_modes(
        [](const std::vector<Tensor>& t) {
            return attend(t[0], t[1], t[2], {.mask = t[3], .is_causal = true});
        },
        {x.q, x.k, x.v, bool_mask({17, 21}, 5)});
}

TEST_CASE("attention: gradients" * doctest::test_suite("long")) {
    const std::vector<Tensor> x = {random_tensor({2, 3, 4}, -1.0, 1.0, 1),
                                   random_tensor({2, 5, 4}, -1.0, 1.0, 2),
                                   random_tensor({2, 5, 3}, -1.0, 1.0, 3)};
    check_gradients([](const std::vector<Tensor>& t) { return attend(t[0], t[1], t[2], {}); }, x);
    check_gradients(
        [](const std::vector<Tensor>& t) {
            return attend(t[0], t[1], t[2], {.is_causal = true, .scale = 0.8});
        },
        x);
    const Tensor seen = bool_mask({3, 5}, 8);
    check_gradients(
        [&](const std::vector<Tensor>& t) { return attend(t[0], t[1], t[2], {.mask = seen}); }, x);
    std::vector<Tensor> with_mask = x;
    with_mask.push_back(random_tensor({1, 3, 5}, -1.0, 1.0, 4));
    check_gradients(
        [](const std::vector<Tensor>& t) { return attend(t[0], t[1], t[2], {.mask = t[3]}); },
        with_mask);
    const std::vector<Tensor> broadcast = {random_tensor({2, 2, 3, 4}, -1.0, 1.0, 1),
                                           random_tensor({2, 1, 5, 4}, -1.0, 1.0, 2),
                                           random_tensor({2, 5, 3}, -1.0, 1.0, 3),
                                           random_tensor({2, 1, 1, 5}, -1.0, 1.0, 4)};
    check_gradients(
        [](const std::vector<Tensor>& t) { return attend(t[0], t[1], t[2], {.mask = t[3]}); },
        broadcast);
}

TEST_CASE("attention: gradients of a query without keys are zeros") {
    Tensor q = random_tensor({1, 3, 4}, -1.0, 1.0, 1);
    Tensor k = random_tensor({1, 5, 4}, -1.0, 1.0, 2);
    q.set_requires_grad(true);
    k.set_requires_grad(true);
    sum(attend(q, k, ones({1, 5, 2}), {.mask = zeros({3, 5}, kBool)})).backward();
    CHECK(q.grad().to_vector<float>() == std::vector<float>(12, 0.0F));
    CHECK(k.grad().to_vector<float>() == std::vector<float>(20, 0.0F));
}

TEST_CASE("attention: a gradient can be differentiated, and is the same") {
    const std::vector<Tensor> x = {random_tensor({1, 2, 2}, -1.0, 1.0, 1),
                                   random_tensor({1, 3, 2}, -1.0, 1.0, 2),
                                   random_tensor({1, 3, 2}, -1.0, 1.0, 3)};
    const auto d_query = [](const std::vector<Tensor>& t, bool create_graph) {
        Tensor q = t[0].requires_grad() ? t[0] : t[0].detach().clone().set_requires_grad(true);
        const Tensor y = sum(square(attend(q, t[1], t[2], {.is_causal = true})));
        const std::vector<Tensor> outputs{y};
        const std::vector<Tensor> wanted{q};
        return autograd::grad(outputs, wanted, {}, create_graph, create_graph)[0];
    };
    check_close(d_query(x, true), d_query(x, false).to_vector<double>(), 4e-6);
    check_gradients([&](const std::vector<Tensor>& t) { return d_query(t, true); }, x);
}

TEST_CASE("attention: errors") {
    const Tensor q = zeros({2, 3, 4});
    const Tensor k = zeros({2, 5, 4});
    const Tensor v = zeros({2, 5, 6});
    check_throws<ShapeError>(
        [&] {
            attend(q, zeros({2, 5, 3}), v, {});
        },
        "[scaled_dot_product_attention] query must be [..., L, E], key [..., S, E] and value "
        "[..., S, D]; got query [2, 3, 4]");
    check_throws<ShapeError>([&] { attend(q, k, zeros({2, 4, 6}), {}); }, "value [2, 4, 6]");
    check_throws<ShapeError>([&] { attend(zeros({4}), k, v, {}); }, "query [4]");
    check_throws<ShapeError>(
        [&] {
            attend(zeros({3, 3, 4}), k, v, {});
        },
        "[scaled_dot_product_attention] leading dimensions must broadcast");
    check_throws<ShapeError>(
        [&] {
            attend(q, k, v, {.mask = zeros({4, 5}, kBool)});
        },
        "mask must broadcast to the scores' shape [2, 3, 5]; got mask [4, 5]");
    check_throws<ShapeError>(
        [&] {
            attend(q, k, v, {.mask = zeros({1, 2, 3, 5}, kBool)});
        },
        "mask must broadcast");
    check_throws<DTypeError>([&] { attend(q, k.to(kFloat16), v, {}); },
                             "query, key and value must have one floating dtype");
    check_throws<DTypeError>(
        [&] {
            attend(q, k, v, {.mask = zeros({3, 5}, kInt32)});
        },
        "mask must be bool or of query's dtype");
    check_throws<ArgumentError>([&] { attend(q, k, v, {.scale = std::nan("")}); },
                                "scale must be finite; got nan");
    check_throws<ArgumentError>([&] { attend(Tensor(), k, v, {}); },
                                "[scaled_dot_product_attention]");
}
