// SPDX-License-Identifier: Apache-2.0
#include "pumice/graph.h"
#include "pumice/nn/containers.h"
#include "pumice/nn/layers.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <functional>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace pumice {

using test::check_close;
using test::check_same_bits;
using test::check_throws;
using test::random_tensor;

TEST_CASE("compile: captures once a signature and replays") {
    const InferenceMode guard;
    const auto fn = [](const Tensor& x, const Tensor& y) { return mul(add(x, y), 0.5); };
    auto fast = compile(fn);
    for (const Dims& sizes : {Dims{3}, Dims{2, 3}, Dims{3}, Dims{2, 3}}) {
        const Tensor x = random_tensor(sizes, -1, 1, 1);
        const Tensor y = random_tensor(sizes, -1, 1, 2);
        const Tensor got = fast(x, y);
        check_same_bits(got, fn(x, y));
    }
    CHECK(fast.capture_count() == 2);
    fast(ones({3}, kFloat16), ones({3}, kFloat16));
    CHECK(fast.capture_count() == 3);
}

TEST_CASE("compile: G73 another mode, kind or requires_grad is another signature") {
    auto fast = compile([](const Tensor& x) { return neg(x); });
    const Tensor normal = ones({2});
    fast(normal);
    no_grad([&] { fast(normal); });
    CHECK(fast.capture_count() == 2);
    CHECK(inference_mode([&] { return fast(normal); }).is_inference());
    inference_mode([&] { fast(ones({2})); });
    CHECK(fast.capture_count() == 4);
    Tensor leaf = ones({2});
    leaf.set_requires_grad(true);
    CHECK(!fast(leaf).requires_grad());
    fast(normal);
    CHECK(fast.capture_count() == 5);
}

TEST_CASE("compile: the cache is bounded, the least recently used goes first") {
    const InferenceMode guard;
    auto fast = compile([](const Tensor& x) { return neg(x); }, {}, 2);
    fast(ones({1}));
    fast(ones({2}));
    fast(ones({1}));
    fast(ones({3}));  // {2} goes
    fast(ones({1}));
    CHECK(fast.capture_count() == 3);
    fast(ones({2}));
    CHECK(fast.capture_count() == 4);
    check_throws<ArgumentError>([] { compile([](const Tensor& x) { return x; }, {}, 0); },
                                "at least 1");
}

TEST_CASE("compile: a module's training mode is part of the signature") {
    const InferenceMode guard;
    const nn::Sequential model(nn::Linear(4, 3), nn::Dropout(0.5));
    model->eval();
    auto fast = compile(model);
    const Tensor x = random_tensor({2, 4}, -1, 1, 1);
    check_same_bits(fast(x), model(x));
    model->train();
    for (const std::uint64_t seed : {1U, 2U}) {
        manual_seed(seed);
        const Tensor got = fast(x);
        manual_seed(seed);
        check_same_bits(got, model(x));
    }
    CHECK(fast.capture_count() == 2);
    model->eval();
    check_same_bits(fast(x), model(x));
    CHECK(fast.capture_count() == 2);
}

TEST_CASE("compile: a module whose parameters were exchanged is captured again") {
    const InferenceMode guard;
    const nn::Linear layer = inference_mode(false, [] { return nn::Linear(3, 2); });
    auto fast = compile(layer);
    const Tensor x = random_tensor({2, 3}, -1, 1, 1);
    check_same_bits(fast(x), layer(x));
    inference_mode(false, [&] { layer->weight.set_data(ones({2, 3})); });
    check_same_bits(fast(x), layer(x));
    CHECK(fast.capture_count() == 2);
    fast(x);
    CHECK(fast.capture_count() == 2);
}

TEST_CASE("compile: results keep the function's type") {
    const InferenceMode guard;
    auto fast = compile([](const Tensor& x) { return std::tuple(neg(x), mul(x, 2)); });
    const auto [negative, twice] = fast(ones({2}));
    check_close(negative, {-1, -1});
    check_close(twice, {2, 2});
    auto many = compile([](const Tensor& x) { return chunk(x, 2); });
    CHECK(many(ones({4})).size() == 2);
}

TEST_CASE("compile: inside another capture it is the plain function") {
    const InferenceMode guard;
    auto inner = compile([](const Tensor& x) { return neg(x); });
    auto outer = compile([&](const Tensor& x) { return mul(inner(x), 2); });
    check_close(outer(ones({2})), {-2, -2});
    CHECK(inner.capture_count() == 0);
    CHECK(outer.capture_count() == 1);
}

TEST_CASE("compile: threads take turns") {
    auto fast = compile([](const Tensor& x) { return mul(x, 2); });
    std::vector<std::thread> threads;
    std::vector<double> sums(4);
    for (std::size_t i = 0; i < sums.size(); ++i) {
        threads.emplace_back([&, i] {
            const InferenceMode guard;
            for (int turn = 0; turn < 20; ++turn) {
                const Tensor got = fast(full({8}, static_cast<double>(i)));
                sums[i] += got.to_vector<double>()[turn % 8];
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
        CHECK(sums[i] == 40.0 * static_cast<double>(i));
    }
}

TEST_CASE("compile: a small replay and what reads its result are one submit") {
    const InferenceMode guard;
    const auto fn = [](const Tensor& x) { return sum(exp(x), {1}); };
    auto fast = compile(fn);
    const Tensor x = random_tensor({3, 5}, -1, 1, 1);
    fast(x).to_vector<float>();
    for (int i = 0; i < 40; ++i) {  // more than the ring of command buffers has
        const std::uint64_t before = memory_stats().submit_count;
        const Tensor y = fast(x);
        if (i % 4 == 3) {
            check_same_bits(y, fn(x));
        } else if (i % 4 == 2) {
            y.to_vector<float>();
            CHECK(memory_stats().submit_count <= before + 2);  // what came before it, too
        }
    }
}

TEST_CASE("compile: a function that is captured does not keep others from replaying") {
    const InferenceMode guard;
    std::function<void()> inside;
    auto fast = compile([&inside](const Tensor& x) {
        if (inside) {
            std::exchange(inside, nullptr)();
        }
        return mul(x, 2.0);
    });
    check_close(fast(ones({2})), {2, 2});
    inside = [&fast] {
        CHECK(fast.capture_count() == 1);
        std::thread([&fast] {
            const InferenceMode here;
            check_close(fast(ones({2})), {2, 2});
        }).join();
    };
    check_close(fast(ones({3})), {2, 2, 2});
    CHECK(fast.capture_count() == 2);
}

}  // namespace pumice
