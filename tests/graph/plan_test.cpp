// SPDX-License-Identifier: Apache-2.0
// Captures and replays: values, modes, states, errors.
#include "pumice/graph.h"
#include "pumice/nn/attention.h"
#include "pumice/nn/layers.h"
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/programs.h"
#include "support/scratch.h"

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

// Layers, views, broadcasts, reductions and an operator with several results.
Tensor network(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const Tensor hidden = gelu(linear(x, weight, bias));
    const std::vector<Tensor> halves = chunk(hidden, 2, -1);
    Tensor gated = mul(halves[0], sigmoid(halves[1]));
    add_(gated, mean(gated, {-1}, true));
    const Tensor normed = layer_norm(gated, {gated.size(-1)});
    const Tensor heads = normed.view({2, 5, 2, 4}).transpose(1, 2);
    const Tensor mixed = scaled_dot_product_attention(heads, heads, heads);
    return softmax(cat({mixed.transpose(1, 2).reshape({2, 5, 8}), normed}, -1), -1);
}

struct Weights {
    Tensor weight = random_tensor({16, 6}, -1, 1, 11);
    Tensor bias = random_tensor({16}, -1, 1, 12);

    Tensor operator()(const Tensor& x) const { return network(x, weight, bias); }
};

Tensor input(std::uint64_t seed) {
    return random_tensor({2, 5, 6}, -1, 1, seed);
}

struct Mode {
    const char* name;
    std::function<void(const std::function<void()>&)> run;
};

const std::vector<Mode> kModes = {
    {"grad", [](const auto& body) { body(); }},
    {"no_grad", [](const auto& body) { no_grad(body); }},
    {"inference", [](const auto& body) { inference_mode(body); }},
};

}  // namespace

TEST_CASE("graph: a replay gives the function's bits, for fresh values, in every mode") {
    for (const Mode& mode : kModes) {
        INFO(mode.name);
        mode.run([] {
            const Weights net;
            const Plan plan = capture(net, {input(1)});
            for (std::uint64_t seed = 1; seed < 6; ++seed) {
                const Tensor x = input(seed);
                check_same_bits(plan(x)[0], net(x));
            }
        });
    }
}

TEST_CASE("graph: capturing runs nothing, and what is planned takes no memory twice") {
    const Weights net;
    const InferenceMode guard;
    const MemoryStats before = memory_stats();
    const Plan plan = capture(net, {input(1)}, {.fold_constants = false});
    // The input's values were made; nothing else ran.
    CHECK(memory_stats().dispatch_count <= before.dispatch_count + 2);
    const PlanStats stats = plan.stats();
    CHECK(stats.kernel_count > 0);
    CHECK(stats.kernel_count < stats.operator_count);  // some are fused
    CHECK(stats.recording_count == 1);
    CHECK(stats.lower_bound_bytes > 0);
    CHECK(static_cast<double>(stats.planned_bytes) <=
          1.01 * static_cast<double>(stats.lower_bound_bytes));
}

TEST_CASE("graph: a thousand replays on fresh values in fresh buffers, two on their way at once") {
    const InferenceMode guard;
    const Weights net;
    const Plan plan = capture(net, {input(1)});
    for (std::uint64_t i = 0; i < 1000; i += 2) {
        const Tensor x = input(100 + i);
        const Tensor y = input(101 + i);
        const Tensor first = plan(x)[0];
        const Tensor second = plan(y)[0];
        check_same_bits(first, net(x));
        check_same_bits(second, net(y));
    }
}

TEST_CASE("graph: arguments of any strides, results that are arguments, parameters or nothing") {
    const InferenceMode guard;
    const Tensor weight = random_tensor({3, 4}, -1, 1, 5);
    const auto fn = [&](const Tensor& x, const Tensor& empty) {
        return std::vector<Tensor>{x, weight, x.t(), add(x, weight), add(x, weight), mul(empty, 2)};
    };
    const Plan plan = capture(fn, {zeros({3, 4}), zeros({0, 2})});
    const Tensor x = random_tensor({4, 3}, -1, 1, 6).t();
    const std::vector<Tensor> got = plan.replay({x, zeros({0, 2})});
    REQUIRE(got.size() == 6);
    check_same_bits(got[0], x.contiguous());
    check_same_bits(got[1], weight);
    check_same_bits(got[2], x.t().contiguous());
    check_same_bits(got[3], add(x, weight));
    check_same_bits(got[4], add(x, weight));
    CHECK(got[5].sizes() == Dims{0, 2});
    // Copies: writing one changes nothing else.
    got[1].clone();
    Tensor own = got[1];
    own.zero_();
    check_same_bits(plan.replay({x, zeros({0, 2})})[1], weight);
}

TEST_CASE("graph: parameters and states are shared with the program") {
    Tensor scale = ones({4});
    Tensor calls = zeros({1});
    const auto fn = [&](const Tensor& x) {
        add_(calls, 1.0);
        return mul(x, scale);
    };
    const NoGradGuard guard;
    const Plan plan = capture(fn, {ones({4})});
    check_close(calls, {0.0});
    check_close(plan(ones({4}))[0], {1, 1, 1, 1});
    fill_(scale, 3.0);
    check_close(plan(ones({4}))[0], {3, 3, 3, 3});
    check_close(calls, {2.0});
}

TEST_CASE("graph: indices are arguments like others") {
    const InferenceMode guard;
    const Tensor table = random_tensor({10, 3}, -1, 1, 8);
    const auto fn = [&](const Tensor& ids) { return embedding(table, ids); };
    const Plan plan = capture(fn, {tensor({0, 0})});
    const Tensor ids = tensor({9, 4});
    check_same_bits(plan(ids)[0], fn(ids));
}

TEST_CASE("graph: uploads and what is made under PersistentAllocGuard happen once, at capture") {
    const InferenceMode guard;
    Tensor cache;
    const auto fn = [&](const Tensor& x) {
        if (!cache.defined()) {
            const PersistentAllocGuard persistent;
            cache = add(ones({2}), 4.0);
        }
        return add(mul(x, tensor({2.0F, 3.0F})), cache);
    };
    const Plan plan = capture(fn, {ones({2})});
    check_close(cache, {5, 5});
    check_close(plan(tensor({1.0F, 10.0F}))[0], {7, 35});
}

TEST_CASE("graph: a training step with SGD, replayed, is the step run") {
    const auto train = [](const std::function<Tensor(const std::function<Tensor(const Tensor&)>&,
                                                     const Tensor&)>& call) {
        Tensor weight = random_tensor({3, 6}, -1, 1, 21);
        weight.set_requires_grad(true);
        optim::SGD sgd({weight}, {.lr = 0.1, .momentum = 0.9});
        const auto step = [&](const Tensor& x) {
            sgd.zero_grad();
            Tensor loss = mean(square(linear(x, weight)));
            loss.backward();
            sgd.step();
            return loss.detach();
        };
        std::vector<Tensor> losses;
        for (std::uint64_t i = 0; i < 5; ++i) {
            losses.push_back(call(step, random_tensor({4, 6}, -1, 1, 30 + i)));
        }
        losses.push_back(weight.detach().clone());
        return losses;
    };
    std::optional<Plan> plan;
    const std::vector<Tensor> eager =
        train([](const auto& step, const Tensor& x) { return step(x); });
    const std::vector<Tensor> replayed = train([&](const auto& step, const Tensor& x) {
        if (!plan) {
            plan = capture(step, {x});
        }
        return plan->replay({x})[0];
    });
    for (std::size_t i = 0; i < eager.size(); ++i) {
        INFO(i);
        check_same_bits(replayed[i], eager[i]);
    }
}

TEST_CASE("graph: gradients that the function leaves behind are written by each replay") {
    Tensor weight = ones({3});
    weight.set_requires_grad(true);
    const Plan plan = capture(
        [&](const Tensor& x) {
            weight.set_grad({});
            Tensor loss = sum(mul(x, weight));
            loss.backward();
            return loss.detach();
        },
        {ones({3})});
    check_close(weight.grad(), {0, 0, 0});
    plan(tensor({1.0F, 2.0F, 3.0F}));
    check_close(weight.grad(), {1, 2, 3});
    const std::int64_t version = weight.grad()._version();
    plan(tensor({4.0F, 5.0F, 6.0F}));
    check_close(weight.grad(), {4, 5, 6});
    CHECK(weight.grad()._version() > version);  // G74
}

TEST_CASE("graph: gradients that were there before the capture are added to") {
    Tensor weight = ones({2});
    weight.set_requires_grad(true);
    const auto step = [&](const Tensor& x) {
        Tensor loss = sum(mul(x, weight));
        loss.backward();
        return loss.detach();
    };
    step(tensor({1.0F, 2.0F}));
    const Plan plan = capture(step, {ones({2})});
    check_close(weight.grad(), {1, 2});
    plan(tensor({10.0F, 20.0F}));
    plan(tensor({10.0F, 20.0F}));
    check_close(weight.grad(), {21, 42});
}

TEST_CASE("graph: reading values on the host names the operator and the line") {
    const InferenceMode guard;
    const auto text_of = [](const std::function<Tensor(const Tensor&)>& fn) {
        try {
            capture(fn, {ones({1})});
        } catch (const GradModeError& error) {
            return std::string(error.what());
        }
        return std::string("nothing thrown");
    };
    const auto reads = [](const Tensor& x) { return x.item<float>() > 0 ? x : neg(x); };
    const int line = __LINE__ - 1;
    const std::string item = text_of(reads);
    CHECK(item.find("[item]") != std::string::npos);
    CHECK(item.find("plan_test.cpp:" + std::to_string(line)) != std::string::npos);
    CHECK(text_of([](const Tensor& x) {
              add(x, 1).to_vector<float>();
              return x;
          }).find("[to_host]") != std::string::npos);
    CHECK(text_of([](const Tensor& x) {
              add(x, 1).to_host_async().get();
              return x;
          }).find("[to_host_async]") != std::string::npos);
    // The engine goes on, and no capture is left open.
    check_close(add(ones({1}), 1), {2});
}

TEST_CASE("graph: what no plan can hold is refused at capture") {
    const InferenceMode guard;
    const std::vector<Tensor> one = {ones({2})};
    check_throws<UnsupportedError>(
        [&] {
            capture(
                [](const Tensor& x) {
                    Tensor own = x;
                    return add_(own, 1);
                },
                one);
        },
        "does not write its arguments");
    check_throws<ArgumentError>(
        [&] {
            capture(
                [&](const Tensor& x) { return capture([](const Tensor& y) { return y; }, {x})(x); },
                one);
        },
        "running on this thread");
    const Plan plan = capture([](const Tensor& x) { return neg(x); }, one);
    check_throws<UnsupportedError>([&] { capture([&](const Tensor& x) { return plan(x); }, one); },
                                   "inside a captured");
    check_throws<ArgumentError>([&] { capture([](const Tensor&) { return Tensor(); }, one); },
                                "undefined");
    check_throws<ArgumentError>(
        [&] {
            capture([](const Tensor& x) { return x; }, {one[0], one[0]});
        },
        "does not take 2");
    check_throws<ArgumentError>([] { Plan().stats(); }, "undefined plan");
}

TEST_CASE("graph: a tensor that leaves a capture without a replay says so") {
    const InferenceMode guard;
    Tensor kept;
    bool is_first = true;
    CHECK_THROWS_AS(capture(
                        [&](const Tensor& x) {
                            kept = neg(x);
                            if (is_first) {
                                throw ArgumentError("test", "stop");
                            }
                            return x;
                        },
                        {ones({2})}),
                    ArgumentError);
    check_throws<GradModeError>([&] { add(kept, 1); }, "captured function");
    check_throws<GradModeError>([&] { kept.to_vector<float>(); }, "captured function");
}

TEST_CASE("G72 G73 a plan replays in the mode of its capture alone") {
    const Weights net;
    const Plan plan = inference_mode([&] { return capture(net, {input(1)}); });
    const Tensor x = inference_mode([&] { return input(2); });
    check_throws<GradModeError>([&] { plan(x); }, "Graph was captured in a different grad mode");
    check_throws<GradModeError>([&] { no_grad([&] { plan(x); }); }, "no_grad");
    inference_mode([&] { check_same_bits(plan(x)[0], net(x)); });
}

TEST_CASE("G72 a replay's arguments are as the examples were") {
    const InferenceMode guard;
    const Plan plan = capture([](const Tensor& x) { return neg(x); }, {ones({2, 3})});
    check_throws<ArgumentError>([&] { plan.replay({}); }, "1 arguments; got 0");
    check_throws<ShapeError>([&] { plan(ones({3, 2})); }, "argument 0 must have shape [2, 3]");
    check_throws<DTypeError>([&] { plan(ones({2, 3}, kInt32)); }, "must be float32");
    check_throws<ArgumentError>([&] { plan(Tensor()); }, "undefined");
    const Tensor normal = inference_mode(false, [] { return ones({2, 3}); });
    check_throws<ArgumentError>([&] { plan(normal); }, "an inference tensor");
}

TEST_CASE("G74 a replay bumps what it writes and gives the captured kind") {
    Tensor state = zeros({2});
    const auto fn = [&](const Tensor& x) {
        add_(state, x);
        mul_(state, 2.0);
        return neg(x);
    };
    const NoGradGuard guard;
    const Plan plan = capture(fn, {ones({2})});
    const std::uint32_t before = state.unsafeGetTensorImpl()->version_counter().current_version();
    const Tensor result = plan(ones({2}))[0];
    CHECK(state.unsafeGetTensorImpl()->version_counter().current_version() == before + 2);
    CHECK(!result.is_inference());
    CHECK(!result.requires_grad());
    CHECK(current_grad_mode() == GradModeKind::kNoGrad);
}

TEST_CASE("G75 no operator of a capture is in another mode class") {
    const std::vector<Tensor> one = {ones({2})};
    check_throws<GradModeError>(
        [&] {
            capture([](const Tensor& x) { return inference_mode([&] { return neg(x); }); }, one);
        },
        "[neg]");
    check_throws<GradModeError>(
        [&] {
            inference_mode([&] {
                capture(
                    [](const Tensor& x) { return inference_mode(false, [&] { return neg(x); }); },
                    {ones({2})});
            });
        },
        "one mode");
    check_throws<GradModeError>(
        [&] {
            no_grad([&] {
                capture(
                    [](const Tensor& x) {
                        set_grad_enabled(true);
                        return neg(x);
                    },
                    one);
            });
        },
        "another mode");
    // Balanced scopes without operators, and recording switched off inside, are fine.
    const Plan plan = capture(
        [](const Tensor& x) {
            inference_mode([] {});
            return no_grad([&] { return neg(x); });
        },
        one);
    check_close(plan(ones({2}))[0], {-1, -1});
}

TEST_CASE("G76 results are copies, or say when a later replay has taken their memory") {
    const InferenceMode guard;
    const auto fn = [](const Tensor& x) { return std::vector<Tensor>{mul(x, 2), add(x, 1)}; };
    const Plan copies = capture(fn, {ones({3})});
    const Tensor first = copies(ones({3}))[0];
    copies(zeros({3}));
    check_close(first, {2, 2, 2});

    const Plan aliases = capture(fn, {ones({3})}, {.alias_outputs = true});
    const std::vector<Tensor> results = aliases(ones({3}));
    const Tensor part = results[1].slice(0, 1, 3);
    check_close(results[0], {2, 2, 2});
    check_close(part, {2, 2});
    const Tensor kept = results[0].clone();
    check_throws<ArgumentError>([&] { aliases(results[0]); }, "give a clone");
    check_close(results[0], {2, 2, 2});
    const std::vector<Tensor> later = aliases(zeros({3}));
    check_close(later[0], {0, 0, 0});
    check_close(kept, {2, 2, 2});
    check_throws<GradModeError>([&] { results[0].to_vector<float>(); }, "later replay");
    check_throws<GradModeError>([&] { add(part, 1); }, "later replay");
}

TEST_CASE("G76 what a plan has lent ends with it; what is not its own is copied") {
    const InferenceMode guard;
    Tensor weight = ones({3});
    const auto fn = [&](const Tensor& x) { return std::vector<Tensor>{weight, neg(x), ones({2})}; };
    std::optional<Plan> plan = capture(fn, {ones({3})}, {.alias_outputs = true});
    std::vector<Tensor> results = plan->replay({ones({3})});
    results[0].zero_();
    results[2].zero_();
    check_close(weight, {1, 1, 1});
    check_close(plan->replay({ones({3})})[2], {1, 1});
    const Tensor lent = plan->replay({ones({3})})[1];
    check_close(lent, {-1, -1, -1});
    plan.reset();
    check_throws<GradModeError>([&] { lent.to_vector<float>(); }, "the plan's end");
    check_close(results[0], {0, 0, 0});
}

TEST_CASE("graph: arguments that stay where they are are read there") {
    const InferenceMode guard;
    const Weights net;
    const Plan plan = capture(net, {input(1)});
    Tensor x = input(1);
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
        copy_(x, input(seed));
        check_same_bits(plan(x)[0], net(x));
        CHECK(plan.stats().inputs_in_place == (seed < 2 ? 0 : 1));
    }
    const std::size_t recorded = plan.stats().recording_count;
    // Somewhere else, or with other strides: copied again, and nothing is recorded for it.
    check_same_bits(plan(input(9))[0], net(input(9)));
    CHECK(plan.stats().inputs_in_place == 0);
    const Tensor turned = random_tensor({6, 5, 2}, -1, 1, 3).permute({2, 1, 0});
    for (int i = 0; i < 5; ++i) {
        check_same_bits(plan(turned)[0], net(turned));
        CHECK(plan.stats().inputs_in_place == 0);
    }
    check_same_bits(plan(x)[0], net(x));
    CHECK(plan.stats().inputs_in_place == 1);
    CHECK(plan.stats().recording_count == recorded);
}

TEST_CASE("graph: what is written, or given back, is not read in place") {
    const InferenceMode guard;
    Tensor state = ones({4});
    const Plan plan = capture(
        [&](const Tensor& x) {
            add_(state, 1);
            return std::vector<Tensor>{mul(x, 2), x};
        },
        {ones({4})});
    copy_(state, ones({4}));
    for (int i = 0; i < 6; ++i) {
        // As in the first replay, the argument is what it was when the replay began.
        const std::vector<Tensor> results = plan.replay({state});
        check_close(results[0], std::vector<double>(4, 2.0 * (i + 1)));
        check_close(results[1], std::vector<double>(4, i + 1.0));
        CHECK(plan.stats().inputs_in_place == 0);
    }
}

TEST_CASE("graph: a tensor that moves is found, one that was exchanged is refused") {
    const InferenceMode guard;
    Tensor weight = random_tensor({4}, -1, 1, 3);
    const Plan plan = capture([&](const Tensor& x) { return mul(x, weight); }, {ones({4})});
    check_same_bits(plan(ones({4}))[0], weight);
    weight.persist();
    check_same_bits(plan(ones({4}))[0], weight);
    CHECK(plan.stats().recording_count == 2);
    CHECK(!plan.is_stale());
    weight.set_data(ones({4}));
    CHECK(plan.is_stale());
    check_throws<ArgumentError>([&] { plan(ones({4})); }, "other memory");
}

TEST_CASE("graph: another program finds the plan's lower bound in its trace") {
    const InferenceMode guard;
    const Plan plan = capture(Weights(), {input(1)});
    const test::Scratch scratch;
    plan.dump_trace(scratch.path("plan.jsonl"));
    const test::ProgramResult result = test::run_lower_bound(scratch.path("plan.jsonl"));
    INFO(result.output);
    CHECK(result.exit_status == 0);
    CHECK(result.output.find(std::to_string(plan.stats().lower_bound_bytes)) != std::string::npos);
}

TEST_CASE("graph: dot names operators, shapes and outputs") {
    const InferenceMode guard;
    const std::string dot = capture(Weights(), {input(1)}).dot();
    CHECK(dot.find("digraph plan") == 0);
    CHECK(dot.find("softmax\\n[2, 5, 16] float32") != std::string::npos);
    CHECK(dot.find("output 0") != std::string::npos);
}

}  // namespace pumice
