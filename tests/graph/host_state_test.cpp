// SPDX-License-Identifier: Apache-2.0
// What replays get from the host: random numbers, calls and numbers.
#include "pumice/checkpoint.h"
#include "pumice/graph.h"
#include "pumice/nn/containers.h"
#include "pumice/nn/layers.h"
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/philox_reference.h"

#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace pumice {

namespace {

using test::check_close;
using test::check_same_bits;
using test::check_throws;
using test::random_tensor;

using Results = std::vector<Tensor>;
using Network = std::function<Results(const Tensor&)>;

// Runs the body once eagerly, then with calls that alternate between eager and replayed ones, from
// the same generator state; all results and the generator afterwards must be the same.
void check_streams(const Network& fn, const std::vector<bool>& is_replayed, GeneratorState start) {
    const GeneratorState before = get_rng_state();
    const Tensor x = random_tensor({5, 7}, -1, 1, 3);
    const Plan plan = capture(fn, {x});
    const auto run = [&](const std::function<Results(std::size_t)>& call) {
        set_rng_state(start);
        std::vector<Tensor> all;
        for (std::size_t i = 0; i < is_replayed.size(); ++i) {
            for (Tensor& each : call(i)) {
                all.push_back(std::move(each));
            }
        }
        return all;
    };
    const std::vector<Tensor> eager = run([&](std::size_t) { return fn(x); });
    const GeneratorState end = get_rng_state();
    const std::vector<Tensor> mixed =
        run([&](std::size_t i) { return is_replayed[i] ? plan(x) : fn(x); });
    CHECK(get_rng_state().seed == end.seed);
    CHECK(get_rng_state().offset == end.offset);
    REQUIRE(mixed.size() == eager.size());
    for (std::size_t i = 0; i < eager.size(); ++i) {
        INFO(i);
        check_same_bits(mixed[i], eager[i]);
    }
    set_rng_state(before);
}

// Every operator that draws, with draws of odd sizes between and one that nobody reads.
Results draws(const Tensor& x) {
    const Tensor noisy = add(x, rand({5, 7}));
    rand({11});
    return {dropout(noisy, 0.3),
            randn({3}),
            rand({2, 3}, kFloat16),
            randint(-5, 100, {9}),
            dropout(x.t(), 0.5)};
}

const std::vector<std::vector<bool>> kInterleavings = {
    {true},
    {true, true, true},
    {false, true, false, true, true, false},
    {true, false, false, true, false, true, true, true},
};

}  // namespace

TEST_CASE("graph: replays draw what eager calls would, in any interleaving and mode") {
    for (const std::vector<bool>& is_replayed : kInterleavings) {
        const GeneratorState start{.seed = 0x123456789abcdef, .offset = 5};
        check_streams(draws, is_replayed, start);
        no_grad([&] { check_streams(draws, is_replayed, start); });
        inference_mode([&] { check_streams(draws, is_replayed, start); });
    }
}

TEST_CASE("graph: a replay's offset carries into the upper word") {
    const InferenceMode guard;
    for (const std::uint64_t offset : {0xfffffffaU, 0xfffffffeU, 0xffffffffU}) {
        check_streams(draws, {true, true, false, true}, {.seed = ~0ULL, .offset = offset});
    }
    manual_seed(7);
    const Plan plan = capture([](const Tensor&) { return rand({1000}); }, {ones({1})});
    set_rng_state({.seed = 9, .offset = 0xffffffff0});
    const auto values = plan(ones({1}))[0].to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint32_t word = test::random_word(9, 0xffffffff0, i);
        CHECK(values[i] == static_cast<float>(word >> 8U) * 0x1p-24F);
    }
}

TEST_CASE("graph: capturing leaves the generator alone, and seeding between replays counts") {
    const InferenceMode guard;
    manual_seed(3);
    const Plan plan = capture([](const Tensor& x) { return add(x, rand({6})); }, {zeros({6})});
    CHECK(get_rng_state().seed == 3);
    CHECK(get_rng_state().offset == 0);
    const Tensor first = plan(zeros({6}))[0];
    CHECK(get_rng_state().offset == 2);
    const Tensor second = plan(zeros({6}))[0];
    CHECK(first.to_host().bytes != second.to_host().bytes);
    manual_seed(3);
    check_same_bits(plan(zeros({6}))[0], first);
    manual_seed(4);
    CHECK(plan(zeros({6}))[0].to_host().bytes != first.to_host().bytes);
}

TEST_CASE("graph: replays on their way at once have their own numbers") {
    const InferenceMode guard;
    const auto fn = [](const Tensor& in) {
        const Tensor dropped = dropout(in, 0.5);
        return mul(dropped, rand({64, 64}));
    };
    const Tensor x = ones({64, 64});
    const Plan plan = capture(fn, {x});
    manual_seed(11);
    std::vector<Tensor> replayed;
    for (int i = 0; i < 50; ++i) {
        replayed.push_back(plan(x)[0]);
    }
    manual_seed(11);
    for (int i = 0; i < 50; ++i) {
        INFO(i);
        check_same_bits(replayed[static_cast<std::size_t>(i)], fn(x));
    }
}

TEST_CASE("graph: a seed that the function sets is the function's") {
    const InferenceMode guard;
    const Network seeded = [](const Tensor& x) {
        const Tensor before = rand({5});
        manual_seed(42);
        const Tensor same = add(x, rand({5, 7}));
        const GeneratorState kept = get_rng_state();
        manual_seed(43);
        const Tensor other = rand({3});
        set_rng_state(kept);
        return Results{before, same, other, rand({4})};
    };
    for (const std::vector<bool>& is_replayed : kInterleavings) {
        check_streams(seeded, is_replayed, {.seed = 1, .offset = 2});
    }
    const Network restored = [](const Tensor& x) {
        const GeneratorState kept = get_rng_state();
        const Tensor once = dropout(x, 0.5);
        set_rng_state(kept);
        return Results{once, dropout(x, 0.5), rand({2})};
    };
    check_streams(restored, {true, false, true}, {.seed = 1, .offset = 2});
}

TEST_CASE("graph: dropout in a replayed training step drops the same forward and backward") {
    manual_seed(1);
    const Tensor x = random_tensor({8, 16}, 0.5, 1, 5);
    Tensor weight = ones({8, 16}, {kFloat32, true});
    const Plan plan = capture(
        [&](const Tensor& in) {
            weight.set_grad({});
            const Tensor y = dropout(mul(in, weight), 0.5);
            sum(y).backward();
            return Results{y.detach(), weight.grad().clone()};
        },
        {x});
    for (int i = 0; i < 3; ++i) {
        const Results got = plan(x);
        check_same_bits(got[0], got[1]);  // x / (1 - p) where kept, 0 elsewhere, both
        CHECK(sum(eq(got[0], 0.0)).item<int>() > 20);
    }
}

TEST_CASE("graph: checkpoints in a captured step draw the same twice") {
    const Tensor weight = random_tensor({7, 7}, -1, 1, 9);
    const Network step = [&](const Tensor& x) {
        Tensor leaf = weight.detach();
        leaf.set_requires_grad(true);
        const auto block = [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{dropout(matmul(in[0], in[1]), 0.4)};
        };
        const Tensor y = autograd::checkpoint(block, {x, leaf})[0];
        sum(square(y)).backward();
        return Results{y.detach(), leaf.grad().clone(), rand({3})};
    };
    check_streams(step, {true, false, true}, {.seed = 77, .offset = 1});
}

TEST_CASE("graph: a network with dropout, trained by replays, is the one trained eagerly" *
          doctest::test_suite("long")) {
    using Step = std::function<Tensor(const Tensor&)>;
    const auto train = [](const std::function<Tensor(const Step&, const Tensor&)>& call) {
        manual_seed(5);
        nn::Sequential net(
            nn::Linear(6, 16), nn::Dropout(0.5), nn::Linear(16, 3), nn::Dropout(0.1));
        optim::AdamW adam(net->parameters(), {.lr = 0.05, .weight_decay = 0.1});
        const Step step = [&](const Tensor& x) {
            adam.zero_grad();
            Tensor loss = mean(square(net(x)));
            loss.backward();
            adam.step();
            return loss.detach();
        };
        std::vector<Tensor> results;
        for (std::uint64_t i = 0; i < 8; ++i) {
            results.push_back(call(step, random_tensor({4, 6}, -1, 1, 50 + i)));
        }
        for (const Tensor& parameter : net->parameters()) {
            results.push_back(parameter.detach().clone());
        }
        return results;
    };
    std::optional<Plan> plan;
    int calls = 0;
    const auto replay = [&](const Step& step, const Tensor& x) {
        if (!plan) {
            plan = capture(step, {x});
        }
        return plan->replay({x})[0];
    };
    const Results eager = train([](const Step& step, const Tensor& x) { return step(x); });
    const Results replayed = train(replay);
    plan.reset();
    const Results mixed = train([&](const Step& step, const Tensor& x) {
        return ++calls % 3 == 0 ? step(x) : replay(step, x);
    });
    for (std::size_t i = 0; i < eager.size(); ++i) {
        INFO(i);
        check_same_bits(replayed[i], eager[i]);
        check_same_bits(mixed[i], eager[i]);
    }
}

TEST_CASE("host_call: now when eager, once a replay in the function's order when captured") {
    const InferenceMode guard;
    std::string log;
    const auto fn = [&](const Tensor& x) {
        host_call([&] { log += 'a'; });
        const Tensor y = mul(x, host_number([&] {
                                 log += 'n';
                                 return static_cast<double>(log.size());
                             }));
        host_call([&] { log += 'b'; });
        return y;
    };
    check_close(fn(ones({2})), {2, 2});
    CHECK(log == "anb");
    const Plan plan = capture(fn, {ones({2})});
    CHECK(log == "anb");
    check_close(plan(ones({2}))[0], {5, 5});
    check_close(plan(ones({2}))[0], {8, 8});
    CHECK(log == "anbanbanb");
    check_throws<ArgumentError>([] { host_call({}); }, "[host_call] got an empty function");
    check_throws<ArgumentError>([] { static_cast<void>(host_number({})); }, "[host_number]");
}

TEST_CASE("host_number: many numbers, of every replay its own") {
    const InferenceMode guard;
    double base = 0.0;
    const auto fn = [&](const Tensor& x) {
        std::vector<Tensor> all;
        for (int i = 0; i < 300; ++i) {
            all.push_back(host_number([&base, i] { return base + i; }));
        }
        return std::vector<Tensor>{stack(all), mul(x, all[299])};
    };
    const Plan plan = capture(fn, {ones({1})});
    std::vector<Results> replayed;
    for (int i = 0; i < 20; ++i) {
        base = 1000.0 * i;
        replayed.push_back(plan(ones({1})));
    }
    for (std::size_t i = 0; i < 20; ++i) {
        base = 1000.0 * static_cast<double>(i);
        const Results wanted = fn(ones({1}));
        check_same_bits(replayed[i][0], wanted[0]);
        check_same_bits(replayed[i][1], wanted[1]);
    }
}

TEST_CASE("host_call: what it throws leaves the replay, which has changed nothing") {
    const InferenceMode guard;
    Tensor total = zeros({2});
    bool fails = true;
    bool is_current = true;
    const auto fn = [&](const Tensor& x) {
        host_call(
            [&] {
                if (fails) {
                    throw ArgumentError("test", "stop");
                }
            },
            [&] { return is_current; });
        add_(total, add(x, rand({2})));
        return x;
    };
    const Plan plan = capture(fn, {ones({2})});
    const GeneratorState before = get_rng_state();
    check_throws<ArgumentError>([&] { plan(ones({2})); }, "[test] stop");
    CHECK(get_rng_state().offset == before.offset);
    check_close(total, {0, 0});
    fails = false;
    CHECK(!plan.is_stale());
    is_current = false;
    CHECK(plan.is_stale());
    check_throws<ArgumentError>([&] { plan(ones({2})); }, "capture again");
    check_close(total, {0, 0});
    is_current = true;
    plan(ones({2}));
    CHECK(get_rng_state().offset == before.offset + 1);
}

}  // namespace pumice
