// SPDX-License-Identifier: Apache-2.0
#include "pumice/nn/layers.h"

#include "pumice/nn/attention.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>

namespace pumice::nn {

TEST_CASE("layers: linear, embedding and norms against float64") {
    const Linear linear(3, 2);
    const Tensor x = test::random_tensor({4, 3});
    const auto w = linear->weight.to_vector<double>();
    const auto b = linear->bias.to_vector<double>();
    const auto v = x.to_vector<double>();
    std::vector<double> wanted;
    for (std::size_t row = 0; row < 4; ++row) {
        for (std::size_t o = 0; o < 2; ++o) {
            double total = b[o];
            for (std::size_t i = 0; i < 3; ++i) {
                total += v[row * 3 + i] * w[o * 3 + i];
            }
            wanted.push_back(total);
        }
    }
    test::check_close(linear(x), wanted);
    const Embedding table(5, 2, 1);
    CHECK(table(tensor<int>({1})).to_vector<float>() == std::vector<float>{0, 0});
    wanted.clear();
    for (std::size_t row = 0; row < 4; ++row) {
        double square = 0.0;
        for (std::size_t i = 0; i < 3; ++i) {
            square += v[row * 3 + i] * v[row * 3 + i] / 3.0;
        }
        for (std::size_t i = 0; i < 3; ++i) {
            wanted.push_back(v[row * 3 + i] / std::sqrt(square + 1e-6));
        }
    }
    test::check_close(RMSNorm(Dims{3})(x), wanted);
}

TEST_CASE("layers: dropout acts in training only and G80 draws alike in all modes") {
    const Dropout drop(0.5);
    const Tensor x = ones({1000});
    manual_seed(3);
    const Tensor eager = drop(x);
    manual_seed(3);
    const Tensor unrecorded = no_grad([&] { return drop(x); });
    test::check_same_bits(unrecorded, eager);
    manual_seed(3);
    const Tensor inferred = inference_mode([&] { return drop(x); });
    test::check_same_bits(inferred, eager);
    // The generator moved on alike too.
    const Tensor next = inference_mode([] { return rand({3}); });
    manual_seed(3);
    drop(ones({1000}, {kFloat32, true}));
    test::check_same_bits(rand({3}), next);
    const double kept = sum(eager).item() / 2.0;
    CHECK(kept > 400.0);
    CHECK(kept < 600.0);
    drop->eval();
    test::check_same_bits(drop(x), x);
    inference_mode([&] { test::check_same_bits(drop(x), x); });
    manual_seed(3);
    no_grad([&] { drop(x); });
    const Tensor untouched = rand({3});
    manual_seed(3);
    test::check_same_bits(rand({3}), untouched);
    test::check_throws<ArgumentError>([] { Dropout(1.0); }, "p must be in [0, 1)");
}

TEST_CASE("rotary positions turn pairs by position and keep norms") {
    const RotaryEmbedding rotary(4);
    const Tensor x = test::random_tensor({2, 3, 4});
    const auto v = x.to_vector<double>();
    std::vector<double> wanted(v.size());
    for (std::size_t row = 0; row < 6; ++row) {
        const auto t = static_cast<double>(row % 3);
        for (std::size_t i = 0; i < 2; ++i) {
            const double angle = t * std::pow(10000.0, -static_cast<double>(i) / 2.0);
            const double low = v[row * 4 + i];
            const double high = v[row * 4 + i + 2];
            wanted[row * 4 + i] = low * std::cos(angle) - high * std::sin(angle);
            wanted[row * 4 + i + 2] = high * std::cos(angle) + low * std::sin(angle);
        }
    }
    test::check_close(rotary(x), wanted);
    test::check_throws<ArgumentError>([] { RotaryEmbedding(3); }, "even");
    test::check_throws<ShapeError>([&] { rotary(ones({2, 6})); }, "[..., T, 4]");
}

TEST_CASE("G64 rotary tables made in inference mode are normal tensors") {
    const RotaryEmbedding rotary(4);
    inference_mode([&] { rotary(ones({2, 4})); });
    const Tensor x = ones({2, 4}, {kFloat32, true});
    sum(rotary(x)).backward();
    CHECK(x.grad().defined());
}

TEST_CASE("multi-head attention: one head without positions is plain attention") {
    const MultiheadAttention attention(
        MultiheadAttentionOptions{.embed_dim = 4, .num_heads = 1, .has_bias = false});
    const Tensor x = test::random_tensor({2, 3, 4});
    const Tensor q = attention->q_proj(x);
    const Tensor k = attention->k_proj(x);
    const Tensor v = attention->v_proj(x);
    const Tensor weights = softmax(mul(matmul(q, k.transpose(1, 2)), 0.5), -1);
    const Tensor wanted = attention->out_proj(matmul(weights, v));
    test::check_close(attention(x, x, x), wanted.to_vector<double>(), 1e-5);
    test::check_throws<ArgumentError>(
        [] { MultiheadAttention(MultiheadAttentionOptions{.embed_dim = 5, .num_heads = 2}); },
        "must divide");
    test::check_throws<ArgumentError>(
        [] {
            MultiheadAttention(
                MultiheadAttentionOptions{.embed_dim = 4, .num_heads = 2, .head_dim = -3});
        },
        "head_dim must be positive, or 0 for embed_dim / num_heads; got -3");
    test::check_throws<ShapeError>([&] { attention(ones({3, 4}), x, x); }, "[3, 4]");
}

}  // namespace pumice::nn
