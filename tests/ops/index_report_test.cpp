// SPDX-License-Identifier: Apache-2.0
// Indices and labels outside their extent: the next read on the host throws, once, and everything
// stays usable. Values are as they were: NaN, 0, or left out.
#include "pumice/graph.h"
#include "pumice/nn/functional.h"

#include "memory/scoped_environment.h"
#include "support/harness.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace pumice {

namespace {

namespace functional = nn::functional;

using test::check_throws;
using test::random_tensor;

constexpr std::int32_t kLeast = std::numeric_limits<std::int32_t>::min();

struct Case {
    std::string text;  // of the error
    std::function<Tensor()> run;
};

Tensor at(std::initializer_list<int> indices) {
    return tensor(std::vector<int>(indices));
}

std::vector<Case> cases() {
    const Tensor x = ones({3, 2});
    return {
        {"[gather] indices must be in [0, 3); got 3",
         [=] {
             return gather(x, 0, at({0, 3}).view({1, 2}));
         }},
        {"[gather] indices must be in [0, 2); got -1",
         [=] {
             return gather(x, 1, at({-1}).view({1, 1}));
         }},
        {"[index_select] indices must be in [0, 3); got 7",
         [=] {
             return index_select(x, 0, at({7, 1}));
         }},
        {"[embedding] indices must be in [0, 3); got -1",
         [=] {
             return embedding(x, at({2, -1}));
         }},
        {"[embedding] indices must be in [0, 3); got -1",
         [=] { return embedding(x, at({-1}), 1); }},
        {"[index] indices must be in [-3, 3); got 3",
         [=] {
             return x.index({at({0, 3})});
         }},
        {"[index] indices must be in [-3, 3); got -4", [=] { return x[at({-4})]; }},
        {"[index] indices must be in [-2, 2); got 5",
         [=] {
             return x.index({at({0, 1}), at({1, 5})});
         }},
        {"[index_put_] indices must be in [-3, 3); got 9",
         [=] {
             Tensor y = x.clone();
             return y.index_put_({at({9, 0})}, 5);
         }},
        {"[index_put_] indices must be in [-3, 3); got -9",
         [=] {
             Tensor y = x.clone();
             return y.index_put_({at({-9, 0})}, ones({2, 2}), true);
         }},
        {"[scatter_add] indices must be in [0, 3); got 4",
         [=] {
             return scatter_add(x, 0, at({0, 4}).view({1, 2}), ones({1, 2}));
         }},
        {"[scatter_add] indices must be in [0, 3); got -1",
         [=] {
             return scatter_add(x, 0, at({-1}).view({1, 1}), ones({1, 1}));
         }},
        {"[scatter_add] indices must be in [0, 3); got " + std::to_string(kLeast),
         [=] {
             return scatter_add(x, 0, at({kLeast, 0}).view({1, 2}), ones({1, 2}));
         }},
        {"[index_add] indices must be in [0, 3); got 3",
         [=] {
             return index_add(x, 0, at({3}), ones({1, 2}));
         }},
        {"[index_copy] indices must be in [0, 2); got 2",
         [=] {
             return index_copy(x, 1, at({2}), ones({3, 1}));
         }},
        {"[cross_entropy] targets must be in [0, 2); got 5",
         [=] {
             return cross_entropy(x, at({1, 5, 0}));
         }},
        {"[nll_loss] targets must be in [0, 2); got -7",
         [=] {
             return functional::nll_loss(x, at({-7, 0, -100}));
         }},
        {"[one_hot] indices must be in [0, 4); got 4",
         [=] {
             return functional::one_hot(at({0, 4}), 4);
         }},
    };
}

// Passes if the next read throws this, and the one after it does not.
void check_told_once(const Tensor& result, const std::string& text) {
    check_throws<IndexError>([&] { static_cast<void>(result.to_host()); }, text);
    static_cast<void>(result.to_host());
}

}  // namespace

TEST_CASE("an index outside its extent is told by the next read, once, in every mode") {
    const Tensor other = ones({2});
    for (const Case& each : cases()) {
        CAPTURE(each.text);
        check_told_once(each.run(), each.text);
        {
            const InferenceMode guard;
            check_told_once(each.run(), each.text);
        }
        // Any read: of another tensor, of one value, of the mapped memory, or a later one.
        const Tensor result = each.run();
        check_throws<IndexError>([&] { static_cast<void>(other.to_vector<float>()); }, each.text);
        CHECK(other.to_vector<float>() == std::vector<float>{1, 1});
        static_cast<void>(result.to_host());
    }
    CHECK(index_select(ones({3}), 0, at({2, 0})).to_vector<int>() == std::vector<int>{1, 1});
}

TEST_CASE("an index outside is told by every kind of read") {
    const Tensor x = ones({3});
    const auto fault = [&] { return index_select(x, 0, at({3})); };
    const std::string text = "[index_select] indices must be in [0, 3); got 3";
    Tensor result = fault();
    check_throws<IndexError>([&] { static_cast<void>(x.select(0, 0).item()); }, text);
    result = fault();
    check_throws<IndexError>([&] { static_cast<void>(to_string(x)); }, text);
    result = fault();
    Future<HostTensor> copied = x.to_host_async();
    check_throws<IndexError>([&] { static_cast<void>(copied.get()); }, text);
    result = fault();
    check_throws<IndexError>([&] { static_cast<void>(x.data_ptr<float>()); }, text);
    const test::ScopedEnvironment scope("PUMICE_STAGING", "force");
    result = fault();
    check_throws<IndexError>([&] { static_cast<void>(x.to_host()); }, text);
    CHECK(x.to_vector<int>() == std::vector<int>{1, 1, 1});
}

TEST_CASE("an index outside keeps the name of its call where another function reads") {
    const Tensor x = ones({3});
    const Tensor result = gather(x, 0, at({8}));
    check_throws<IndexError>([&] { static_cast<void>(x.index({x.gt(0)})); },
                             "[gather] indices must be in [0, 3); got 8");
    const Tensor first = gather(x, 0, at({5}));
    const Tensor second = embedding(ones({4, 2}), at({6}));
    check_throws<IndexError>([&] { static_cast<void>(x.to_host()); },
                             "[gather] indices must be in [0, 3); got 5 (1 other dispatches");
    static_cast<void>(x.to_host());
}

TEST_CASE("an index outside gives the values that it always gave") {
    const auto after_report = [](const Tensor& result) {
        check_throws<IndexError>([&] { static_cast<void>(result.to_host()); }, "must be in");
        return result.to_vector<double>();
    };
    const Tensor x = ones({3});
    const std::vector<double> taken = after_report(gather(x, 0, at({1, 3, -1})));
    CHECK(taken[0] == 1.0);
    CHECK(std::isnan(taken[1]));
    CHECK(std::isnan(taken[2]));
    CHECK(after_report(gather(ones({3}, kInt8), 0, at({1, 3, -1}))) ==
          std::vector<double>{1, 0, 0});
    CHECK(after_report(index_add(x, 0, at({0, 3}), ones({2}))) == std::vector<double>{2, 1, 1});
    CHECK(after_report(index_copy(x, 0, at({-1, 2}), zeros({2}))) == std::vector<double>{1, 1, 0});
    CHECK(std::isnan(after_report(x.index({at({0, -4})}))[1]));
    Tensor y = zeros({2, 3});
    y.index_put_({at({0, 1}), at({0, 3})}, 1);
    CHECK(after_report(y) == std::vector<double>{1, 0, 0, 0, 0, 0});
    CHECK(std::isnan(after_report(cross_entropy(random_tensor({2, 3}), at({5, 7})))[0]));
    CHECK(after_report(functional::one_hot(at({1, 2}), 2)) == std::vector<double>{0, 1, 0, 0});
}

TEST_CASE("indices inside, ignored labels and what the engine pads with are not told") {
    const Tensor x = random_tensor({3, 4}).set_requires_grad(true);
    const Tensor narrow_index = at({2, 0}).view({1, 2});
    // An index smaller than x is widened; so is the gradient's.
    Tensor loss =
        sum(scatter_add(x, 0, narrow_index, ones({2, 3}))) + sum(gather(x, 0, narrow_index));
    loss = loss + sum(embedding(x, at({0, 2, 2}), 2)) + sum(x.index({at({-3, 2}), at({-4, 3})}));
    loss = loss + cross_entropy(x, at({-100, 3, 0})) +
           cross_entropy(x, at({9, 3, 0}), Reduction::kSum, 9);
    loss = loss + functional::nll_loss(x, at({1, -100, 0}));
    loss.backward();
    CHECK(!std::isnan(loss.item().toDouble()));
    CHECK(x.grad().numel() == 12);
    static_cast<void>(x.grad().to_host());
}

TEST_CASE("gradients of a call with an index outside are told with the call") {
    const Tensor x = ones({3}).set_requires_grad(true);
    sum(gather(x, 0, at({0, 3}))).backward();
    check_throws<IndexError>([&] { static_cast<void>(x.grad().to_host()); }, "[gather] indices");
    CHECK(x.grad().to_vector<float>() == std::vector<float>{1, 0, 0});
    const Tensor source = ones({2}).set_requires_grad(true);
    const Tensor copied = index_copy(x.detach(), 0, at({0, 3}), source);
    check_throws<IndexError>([&] { static_cast<void>(copied.to_host()); }, "[index_copy] indices");
    sum(copied).backward();
    CHECK(source.grad().to_vector<float>()[0] == 1.0F);
}

TEST_CASE("an index outside is told from captured functions, at each replay") {
    const Tensor x = ones({3, 2});
    const Plan plan = inference_mode([&] {
        return capture([&](const Tensor& index) { return index_select(x, 0, index) * 2; },
                       {at({0, 1})});
    });
    inference_mode([&] {
        CHECK(plan(at({2, 0}))[0].to_vector<int>() == std::vector<int>{2, 2, 2, 2});
        for (int round = 0; round < 2; ++round) {
            const std::vector<Tensor> results = plan(at({1, 6}));
            check_told_once(results[0], "[index_select] indices must be in [0, 3); got 6");
        }
        CHECK(plan(at({2, 0}))[0].to_vector<int>() == std::vector<int>{2, 2, 2, 2});
    });
}

TEST_CASE("an index outside is told with its extent where the dimension is read window by window") {
    const Tensor x = arange(40000).view({40000, 1});
    vk::limit_storage_range(vk::device(), 48U << 10U);
    const Tensor found = index_select(x, 0, at({39999, 5, 20000}));
    CHECK(found.to_vector<int>() == std::vector<int>{39999, 5, 20000});
    check_told_once(index_select(x, 0, at({39999, 40000, 5})),
                    "[index_select] indices must be in [0, 40000); got 40000");
    check_told_once(index_select(x, 0, at({-1})), "got -1");
    check_told_once(index_add(x, 0, at({39999, 40000}), ones({2, 1}, kInt32)),
                    "[index_add] indices must be in [0, 40000); got 40000");
    vk::restore(vk::device());
}

TEST_CASE("reports cost no barriers between independent reads") {
    const Tensor x = ones({64, 4});
    const Tensor index = at({1, 2, 3});
    static_cast<void>(x.to_host());
    const std::uint64_t before = memory_stats().barrier_count;
    std::vector<Tensor> results;
    for (int i = 0; i < 24; ++i) {
        results.push_back(index_select(x, 0, index));
    }
    CHECK(memory_stats().barrier_count - before <= 1);
    // More than there are slots for, in one go and over submits.
    for (int i = 0; i < 300; ++i) {
        results.push_back(index_select(x, 0, index));
    }
    results.push_back(index_select(x, 0, at({64})));
    check_told_once(results[0], "[index_select] indices must be in [0, 64); got 64");
}

}  // namespace pumice
