// SPDX-License-Identifier: Apache-2.0
// Attention from its parts: when a plan runs it as one operator, and that it then is that operator.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <vector>

namespace pumice {

namespace {

using test::check_close;
using test::check_same_bits;
using test::random_tensor;

using Scores = std::function<Tensor(const Tensor&)>;

struct Heads {
    Tensor q = random_tensor({2, 3, 7, 8}, -1, 1, 1);
    Tensor k = random_tensor({2, 3, 5, 8}, -1, 1, 2);
    Tensor v = random_tensor({2, 3, 5, 6}, -1, 1, 3);
};

Tensor attend(const Heads& heads, const Scores& change) {
    const Tensor scores = change(matmul(heads.q, heads.k.transpose(-1, -2)));
    return matmul(softmax(scores, -1), heads.v);
}

std::size_t kernels_of(const std::function<Tensor(const Tensor&)>& fn, const Tensor& x) {
    return capture(fn, {x}, {.fuse_elementwise = false}).stats().kernel_count;
}

// One kernel, with the bits of the operator, near those of the parts.
void check_recognised(const Heads& heads,
                      const Scores& change,
                      const std::optional<Tensor>& mask,
                      double scale) {
    const auto fn = [&](const Tensor& q) { return attend({q, heads.k, heads.v}, change); };
    const Plan plan = capture(fn, {heads.q});
    CHECK_MESSAGE(plan.stats().kernel_count == 1, plan.dot());
    const Tensor got = plan(heads.q)[0];
    const Tensor whole = scaled_dot_product_attention(
        heads.q, heads.k, heads.v, mask.value_or(Tensor()), false, scale);
    check_same_bits(got, whole);
    const std::vector<float> parts = to(fn(heads.q), kFloat32).to_vector<float>();
    check_close(to(got, kFloat32),
                std::vector<double>(parts.begin(), parts.end()),
                heads.q.dtype() == kFloat32 ? 1e-5 : 1e-2);
}

}  // namespace

TEST_CASE("attention from its parts: with and without a scale and a mask" *
          doctest::test_suite("long")) {
    const InferenceMode guard;
    for (const DType dtype : {kFloat32, kFloat16}) {
        Heads heads;
        for (Tensor* const each : {&heads.q, &heads.k, &heads.v}) {
            *each = to(*each, dtype);
        }
        check_recognised(
            heads, [](const Tensor& s) { return s; }, {}, 1.0);
        check_recognised(
            heads, [](const Tensor& s) { return mul(s, 0.25); }, {}, 0.25);
        check_recognised(
            heads, [](const Tensor& s) { return div(s, 2.0); }, {}, 0.5);
        for (const Dims& sizes : {Dims{7, 5}, Dims{2, 1, 1, 5}, Dims{2, 3, 7, 5}}) {
            const Tensor mask = to(random_tensor(sizes, -2, 2, 4), dtype);
            check_recognised(
                heads, [&](const Tensor& s) { return add(s, mask); }, mask, 1.0);
            check_recognised(
                heads, [&](const Tensor& s) { return add(mask, mul(s, 0.5)); }, mask, 0.5);
        }
    }
}

TEST_CASE("attention from its parts: a mask that the function makes, before or after the scores") {
    const InferenceMode guard;
    const Heads heads;
    const Tensor square_mask = random_tensor({2, 3, 7, 5}, -1, 1, 4);
    const auto mask_of = [&](const Tensor& q) { return add(square_mask, sum(q, {-1}, true)); };
    const Tensor whole =
        scaled_dot_product_attention(heads.q, heads.k, heads.v, mask_of(heads.q), false, 0.5);
    for (const bool is_first : {true, false}) {
        const auto fn = [&](const Tensor& q) {
            const Tensor mask = mask_of(q);
            return attend({q, heads.k, heads.v}, [&](const Tensor& s) {
                const Tensor scaled = mul(s, 0.5);
                return is_first ? add(mask, scaled) : add(scaled, mask);
            });
        };
        // The sum, the mask, the attention.
        CHECK(kernels_of(fn, heads.q) == 3);
        check_same_bits(capture(fn, {heads.q})(heads.q)[0], whole);
    }
}

TEST_CASE("attention from its parts: other patterns stay as they are") {
    const InferenceMode guard;
    const Heads heads;
    const Tensor square_mask = random_tensor({4, 2, 3, 7, 5}, -1, 1, 4);
    const Scores same = [](const Tensor& s) { return s; };
    CHECK(kernels_of(
              [&](const Tensor& q) {
                  return attend({q, heads.k, heads.v}, same);
              },
              heads.q) == 1);
    // A mask that makes more of the scores, another operator between, another dimension.
    for (const Scores& change : std::vector<Scores>{
             [&](const Tensor& s) { return add(s, square_mask); },
             [](const Tensor& s) { return relu(s); },
             [](const Tensor& s) { return add(s, s, 2.0); },
         }) {
        CHECK(kernels_of(
                  [&](const Tensor& q) {
                      return attend({q, heads.k, heads.v}, change);
                  },
                  heads.q) >= 4);
    }
    CHECK(kernels_of(
              [&](const Tensor& q) {
                  return matmul(softmax(matmul(q, heads.k.transpose(-1, -2)), 2), heads.v);
              },
              heads.q) >= 3);
    // The weights are read by somebody else too.
    CHECK(kernels_of(
              [&](const Tensor& q) {
                  const Tensor weights = softmax(matmul(q, heads.k.transpose(-1, -2)), -1);
                  return add(matmul(weights, heads.v), sum(weights));
              },
              heads.q) >= 5);
    CHECK(capture(
              [&](const Tensor& q) {
                  return attend({q, heads.k, heads.v}, same);
              },
              {heads.q},
              {.recognise_attention = false})
              .stats()
              .kernel_count >= 3);
}

TEST_CASE("attention from its parts: operands that change before the end") {
    const InferenceMode guard;
    const Heads heads;
    Tensor keys = heads.k.clone();
    const auto fn = [&](const Tensor& q) {
        const Tensor weights = softmax(matmul(q, keys.transpose(-1, -2)), -1);
        mul_(keys, 0.5);
        return matmul(weights, heads.v);
    };
    const Plan plan = capture(fn, {heads.q});
    copy_(keys, heads.k);
    const Tensor got = plan(heads.q)[0];
    copy_(keys, heads.k);
    check_same_bits(got, fn(heads.q));
}

}  // namespace pumice
