// SPDX-License-Identifier: Apache-2.0
// What a captured function does beside its results, and what happens around it: constants that it
// writes, versions, gradients, results of other plans, layouts of arguments, calls of the host.
#include "pumice/graph.h"
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"

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

std::int64_t version_of(const Tensor& tensor) {
    return tensor._version();
}

}  // namespace

TEST_CASE("effects: a constant that the function writes is new in each replay") {
    const auto uploaded = [](const Tensor& x) {
        Tensor a = tensor({0.0F, 1.0F});
        a.add_(x);
        a.slice(0, 0, 1).mul_(2.0);
        return a;
    };
    const auto persistent = [](const Tensor& x) {
        Tensor a;
        {
            const PersistentAllocGuard guard;
            a = zeros({2}, kFloat16);
        }
        a.add_(x);
        return to(a, kFloat32);
    };
    const auto indexed = [](const Tensor& x) {
        Tensor place = tensor({0});
        place.add_(1);
        return index_select(x, 0, place);
    };
    for (const bool passes : {true, false}) {
        const CaptureOptions options{.eliminate_dead_code = passes,
                                     .fold_constants = passes,
                                     .eliminate_common_subexpressions = passes,
                                     .fuse_elementwise = passes};
        for (const std::function<Tensor(const Tensor&)>& fn :
             {std::function<Tensor(const Tensor&)>(uploaded),
              std::function<Tensor(const Tensor&)>(persistent),
              std::function<Tensor(const Tensor&)>(indexed)}) {
            const Plan plan = capture(fn, {ones({2})}, options);
            for (const float value : {1.0F, 2.0F, 3.0F}) {
                const Tensor x = tensor({value, value + 0.5F});
                check_same_bits(plan(x)[0], fn(x));
            }
        }
    }
}

TEST_CASE("effects: two constants of one function, one of them kept by the program") {
    Tensor kept;
    const auto fn = [&kept](const Tensor& x) {
        Tensor own = tensor({1.0F});
        if (!kept.defined()) {
            const PersistentAllocGuard guard;
            kept = zeros({1});
        }
        own.add_(x);
        kept.add_(own);
        return own;
    };
    const Plan plan = capture(fn, {ones({1})});
    check_close(kept, {0});
    check_close(plan(ones({1}))[0], {2});
    check_close(plan(ones({1}))[0], {2});
    check_close(kept, {4});
}

TEST_CASE("effects: the memory of another plan's result is asked for at each replay") {
    const InferenceMode guard;
    const Plan first =
        capture([](const Tensor& x) { return mul(x, 2); }, {ones({2})}, {.alias_outputs = true});
    const Tensor x = tensor({1.0F, 2.0F});
    const Tensor c = first(x)[0];
    const auto fn = [&c](const Tensor& y) { return add(y, c.slice(0, 0, 1)); };
    const Plan second = capture(fn, {ones({2})});
    check_close(second(x)[0], {3, 4});
    CHECK(!second.is_stale());
    first(tensor({10.0F, 10.0F}));
    CHECK(second.is_stale());
    check_throws<GradModeError>([&] { second(x); }, "later replay");
    // Nor can it be captured again.
    check_throws<GradModeError>([&] { capture(fn, {ones({2})}); }, "later replay");
}

TEST_CASE("effects: a capture counts no writes, a replay those of the function") {
    Tensor state = ones({2});
    Tensor weight = ones({2}).set_requires_grad(true);
    const auto step = [&state](const Tensor& x) {
        const NoGradGuard guard;
        state.add_(x);
        state.slice(0, 0, 1).mul_(2.0);
        return state.clone();
    };
    const Tensor pending = sum(mul(weight, state));
    const std::int64_t before = version_of(state);
    const Plan plan = capture(step, {ones({2})});
    CHECK(version_of(state) == before);
    pending.backward();  // state has not been written
    check_close(weight.grad(), {1, 1});
    plan(ones({2}));
    CHECK(version_of(state) == before + 2);
    step(ones({2}));
    CHECK(version_of(state) == before + 4);
    // A function that throws has written nothing either.
    CHECK_THROWS_AS(capture(
                        [&state](const Tensor& x) {
                            const NoGradGuard guard;
                            state.add_(x);
                            throw ArgumentError("test", "stop");
                            return x;
                        },
                        {ones({2})}),
                    ArgumentError);
    CHECK(version_of(state) == before + 4);
}

TEST_CASE("effects: freezing a parameter makes a plan stale") {
    Tensor weight = ones({2}).set_requires_grad(true);
    optim::SGD sgd({weight}, {.lr = 0.5});
    const auto step = [&](const Tensor& x) {
        sgd.zero_grad();
        const Tensor loss = sum(mul(weight.detach(), x)) + sum(mul(weight, x));
        loss.backward();
        sgd.step();
        return loss.detach();
    };
    Plan plan = capture(step, {ones({2})});
    plan(ones({2}));
    check_close(weight.detach(), {0.5, 0.5});
    weight.set_requires_grad(false);
    CHECK(plan.is_stale());
    check_throws<ArgumentError>([&] { plan(ones({2})); }, "requires_grad");
    check_close(weight.detach(), {0.5, 0.5});
    weight.set_requires_grad(true);
    CHECK(!plan.is_stale());
    // What records nothing does not ask.
    const Plan forward = no_grad(
        [&] { return capture([&](const Tensor& x) { return mul(x, weight); }, {ones({2})}); });
    weight.set_requires_grad(false);
    CHECK(!forward.is_stale());
}

TEST_CASE("effects: a captured backward leaves its gradient, whatever became of the last one") {
    Tensor weight = ones({2}).set_requires_grad(true);
    const auto step = [&](const Tensor& x) {
        sum(mul(weight, x)).backward();
        return x;
    };
    const Plan plan = capture(step, {ones({2})});
    optim::SGD sgd({weight}, {.lr = 1.0});
    for (int i = 0; i < 3; ++i) {
        plan(tensor({1.0F, 2.0F}));
        check_close(weight.grad(), {1, 2});
        sgd.step();
        sgd.zero_grad();
        CHECK(!weight.grad().defined());
    }
    check_close(weight.detach(), {-2, -5});
    // An eager call would add to this one.
    weight.set_grad(ones({2}));
    CHECK(plan.is_stale());
    check_throws<ArgumentError>([&] { plan(ones({2})); }, "grad was exchanged");
    weight.set_grad({});
    plan(tensor({3.0F, 4.0F}));
    check_close(weight.grad(), {3, 4});
}

TEST_CASE("effects: a gradient that is added to has to stay") {
    Tensor weight = ones({1}).set_requires_grad(true);
    const auto step = [&](const Tensor& x) {
        sum(mul(weight, x)).backward();
        return x;
    };
    step(ones({1}));
    const Plan plan = capture(step, {ones({1})});
    plan(ones({1}));
    check_close(weight.grad(), {2});
    weight.grad().zero_();
    plan(ones({1}));
    check_close(weight.grad(), {1});
    weight.set_grad({});
    CHECK(plan.is_stale());
    check_throws<ArgumentError>([&] { plan(ones({1})); }, "grad was exchanged");
}

TEST_CASE("effects: a function that clears gradients itself takes any") {
    Tensor weight = ones({1}).set_requires_grad(true);
    const auto step = [&](const Tensor& x) {
        const Tensor loss = sum(mul(weight, x));
        weight.set_grad({});
        loss.backward();
        return x;
    };
    step(ones({1}));
    const Plan plan = capture(step, {ones({1})});
    for (const float value : {2.0F, 3.0F}) {
        step(ones({1}));  // a gradient of its own
        plan(tensor({value}));
        check_close(weight.grad(), {value});
    }
    // One that clears them at its end leaves none.
    const Plan clears = capture(
        [&](const Tensor& x) {
            weight.set_grad({});
            sum(mul(weight, x)).backward();
            const Tensor gradient = weight.grad().clone();
            weight.set_grad({});
            return gradient;
        },
        {ones({1})});
    weight.set_grad(ones({1}));
    check_close(clears(tensor({7.0F}))[0], {7});
    CHECK(!weight.grad().defined());
}

TEST_CASE("effects: a capture that fails leaves gradients as it found them") {
    Tensor used = ones({2}).set_requires_grad(true);
    Tensor cleared = ones({2}).set_requires_grad(true);
    cleared.set_grad(full({2}, 7.0));
    const auto fails_after = [](const std::function<void()>& act) {
        check_throws<UnsupportedError>(
            [&] {
                capture(
                    [&](const Tensor& x) -> Tensor {
                        act();
                        throw UnsupportedError("test", "after " + std::to_string(x.dim()));
                    },
                    {ones({2})});
            },
            "[test] after 1");
    };
    fails_after([&] { sum(mul(used, used)).backward(); });
    CHECK(!used.grad().defined());
    fails_after([&] {
        cleared.set_grad({});
        sum(mul(cleared, used)).backward();
    });
    CHECK(!used.grad().defined());
    check_close(cleared.grad(), {7, 7});
    fails_after([&] { sum(mul(cleared, 3.0)).backward(); });
    check_close(cleared.grad(), {7, 7});
    sum(mul(cleared, 3.0)).backward();
    check_close(cleared.grad(), {10, 10});
}

TEST_CASE("effects: an argument's own gradient is refused") {
    const Tensor example = ones({}).set_requires_grad(true);
    check_throws<UnsupportedError>(
        [&] {
            capture(
                [](const Tensor& x) {
                    x.backward();
                    return x.detach();
                },
                {example});
        },
        "autograd::grad");
    const auto slope = [](const Tensor& x) { return autograd::grad({mul(x, x)}, {x})[0]; };
    check_close(capture(slope, {example})(example)[0], {2});
}

TEST_CASE("effects: arguments keep their layout, so that bits stay") {
    const InferenceMode guard;
    const std::vector<std::function<Tensor(const Tensor&)>> functions = {
        [](const Tensor& x) { return sum(x); },
        [](const Tensor& x) { return mean(x, {0}); },
        [](const Tensor& x) { return std(x, {1}); },
        [](const Tensor& x) { return softmax(x, 0); },
    };
    const Tensor base = random_tensor({160, 70}, -100, 100, 3);
    const std::vector<Tensor> arguments = {
        base.t(),
        base.slice(0, 0, 160, 3).slice(1, 2, 60),
        base.slice(1, 3, 4).expand({160, 70}),
        base.slice(0, 0, 1).expand({16, 70}),
        base.view({4, 40, 70}).transpose(0, 1).slice(2, 1, 30),
        base.view({40, 280}).slice(1, 0, 280, 40),  // gaps that a copy does not keep
        unfold(base.view({11200}), 0, 16, 3),
    };
    for (const auto& fn : functions) {
        auto fast = compile(fn);
        for (const Tensor& argument : arguments) {
            const Plan plan = capture(fn, {argument});
            for (int i = 0; i < 4; ++i) {  // from the third replay on read where it lies
                check_same_bits(plan(argument)[0], fn(argument));
            }
            check_same_bits(fast(argument), fn(argument));
            check_same_bits(fast(argument.contiguous()), fn(argument.contiguous()));
        }
    }
}

TEST_CASE("effects: an argument of another layout is copied into the example's, or refused") {
    const InferenceMode guard;
    const auto fn = [](const Tensor& x) { return sum(x, {0}); };
    const Tensor x = random_tensor({6, 5}, -1, 1, 4);
    const Plan turned = capture(fn, {random_tensor({5, 6}).t()});
    check_close(turned(x)[0], fn(x).to_vector<double>());
    const Plan expanded = capture(fn, {ones({1, 5}).expand({6, 5})});
    check_throws<ArgumentError>([&] { expanded(x); }, "share memory");
    const Tensor row = x.slice(0, 0, 1).expand({6, 5});
    check_same_bits(expanded(row)[0], fn(row));
}

TEST_CASE("effects: a plan that its own host_call uses says so") {
    const InferenceMode guard;
    std::optional<Plan> plan;
    bool calls = false;
    bool asks = false;
    const auto fn = [&](const Tensor& x) {
        host_call([&] {
            if (calls) {
                plan->replay({ones({1})});
            }
            if (asks) {
                plan->stats();
            }
        });
        return neg(x);
    };
    plan = capture(fn, {ones({1})});
    calls = true;
    check_throws<ArgumentError>([&] { plan->replay({ones({1})}); }, "must not use the plan");
    calls = false;
    asks = true;
    check_throws<ArgumentError>([&] { plan->replay({ones({1})}); }, "must not use the plan");
    asks = false;
    check_close(plan->replay({ones({1})})[0], {-1});
}

}  // namespace pumice
