// SPDX-License-Identifier: Apache-2.0
// Histories of views that are computed anew, whoever asks first; leaves that changed since a graph
// was made. Expected values: LibTorch 1.13.
#include "pumice/checkpoint.h"
#include "pumice/function.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <functional>

namespace pumice::test {

namespace {

using List = std::vector<Tensor>;
using Values = std::vector<double>;

Tensor leaf(const Dims& sizes = {2}) {
    return ones(sizes, {kFloat32, true});
}

struct Triple : autograd::Function<Triple> {
    static Tensor forward(autograd::AutogradContext* /*context*/, const Tensor& x) { return x * 3; }

    static List backward(autograd::AutogradContext* /*context*/, const List& gradients) {
        return {gradients[0] * 3};
    }
};

struct WritesOwnView : autograd::Function<WritesOwnView> {
    static Tensor forward(autograd::AutogradContext* /*context*/, const Tensor& x) {
        Tensor view = x.clone().slice(0, 0, 2);
        view.add_(2);
        return view;
    }

    static List backward(autograd::AutogradContext* /*context*/, const List& gradients) {
        return {gradients[0] * 5};
    }
};

struct GivesView : autograd::Function<GivesView> {
    static Tensor forward(autograd::AutogradContext* /*context*/, const Tensor& x) {
        return x.unsqueeze(0);
    }

    static List backward(autograd::AutogradContext* /*context*/, const List& gradients) {
        return {gradients[0].select(0, 0)};
    }
};

}  // namespace

TEST_CASE("a stale view's history is there for the first operator that uses it") {
    const std::vector<std::pair<const char*, std::function<Tensor(const Tensor&)>>> uses = {
        {"mul", [](const Tensor& v) { return v * 3; }},
        {"clone", [](const Tensor& v) { return v.clone() * 3; }},
        {"view of the view", [](const Tensor& v) { return v.unsqueeze(0) * 3; }},
        {"Function", [](const Tensor& v) { return Triple::apply(v); }},
        {"checkpoint",
         [](const Tensor& v) {
             return autograd::checkpoint([](const List& in) { return List{in[0] * 3}; }, {v})[0];
         }},
    };
    for (const auto& [name, use] : uses) {
        CAPTURE(name);
        for (const bool through_view : {true, false}) {
            const Tensor x = leaf();
            Tensor b = x * 1;
            Tensor v = b.select(0, 0);
            Tensor& written = through_view ? v : b;
            written.mul_(2);
            use(v).sum().backward();
            REQUIRE(x.grad().defined());
            check_close(x.grad(), {6, 0});
        }
    }
}

TEST_CASE("a stale view beside its base in one operator") {
    const Tensor x = tensor({1.F, 2.F});
    Tensor leaf_x = x.detach();
    leaf_x.set_requires_grad(true);
    Tensor b = leaf_x * 1;
    Tensor v = b.slice(0, 0, 1);
    b.mul_(2);
    // sum(cat(2 x0; 2 x0, 2 x1)), and sum(2 x * 2 x0)
    cat({v, b}).sum().backward({}, true);
    check_close(leaf_x.grad(), {4, 2});
    leaf_x.set_grad({});
    (b * v).sum().backward();
    check_close(leaf_x.grad(), {16, 4});
}

TEST_CASE("a row of a buffer that was filled from a leaf") {
    const Tensor x = leaf();
    Tensor buffer = zeros({2});
    const Tensor row = buffer.select(0, 1);
    buffer.copy_(x);
    (row * 3).backward();
    REQUIRE(x.grad().defined());
    check_close(x.grad(), {0, 3});
}

TEST_CASE("hooks and retain_grad see a stale view's new value") {
    const Tensor x = leaf();
    Tensor b = x * 1;
    Tensor v = b.select(0, 0);
    b.mul_(2);
    Values seen;
    v.register_hook([&](const Tensor& gradient) { seen = gradient.to_vector<double>(); });
    v.retain_grad();
    (v * 3).backward();
    CHECK(seen == Values{3});
    check_close(v.grad(), {3});
    check_close(x.grad(), {6, 0});
}

TEST_CASE("a written view is no leaf, and keeps its history when its base is detached") {
    const Tensor x = leaf();
    Tensor b = zeros({2});
    Tensor v = b.select(0, 0);
    CHECK(v.is_leaf());
    v.copy_(x.select(0, 1));
    CHECK(!v.is_leaf());
    CHECK(!b.is_leaf());
    b.detach_();
    (v * 3).backward();
    check_close(x.grad(), {0, 3});
    CHECK(!b.requires_grad());
}

TEST_CASE("a stale view whose base was detached has a gradient that goes nowhere") {
    const Tensor x = leaf();
    Tensor b = x * 1;
    const Tensor v = b.select(0, 0);
    b.mul_(2);
    b.detach_();
    (v * 3).backward();
    CHECK(!x.grad().defined());
}

TEST_CASE("a call that is refused leaves a stale view as it was") {
    const Tensor x = leaf();
    Tensor b = x * 1;
    const Tensor v = b.select(0, 0);
    b.mul_(2);
    const Tensor inference = inference_mode([] { return ones({}); });
    check_throws<GradModeError>([&] { v* inference; }, "cannot be saved for backward");
    check_throws<ShapeError>([&] { cat({v, ones({2, 2})}); }, "cat");
    (v * 3).backward();
    check_close(x.grad(), {6, 0});
}

TEST_CASE("an empty view behind its storage's end has a history that can be computed anew") {
    const Tensor x = leaf({2, 2});
    Tensor b = x * 1;
    const Tensor none = b.select(1, 1).slice(0, 2, 2);
    b.mul_(2);
    none.backward(ones({0}));
    check_close(x.grad(), {0, 0, 0, 0});
}

TEST_CASE("tensor_data shares the version counter, data has its own") {
    const Tensor x = leaf();
    const Tensor a = x * 1;
    const Tensor y = a * a;
    a.tensor_data().add_(1);
    CHECK(a._version() == 1);
    check_throws<GradModeError>([&] { y.sum().backward(); },
                                "has been modified by an inplace operation");
    a.data().add_(1);
    CHECK(a._version() == 1);
}

TEST_CASE("a leaf that was frozen after the forward pass gets no gradient and runs no hook") {
    Tensor x = leaf();
    const Tensor w = leaf();
    int calls = 0;
    x.register_hook([&](const Tensor& /*gradient*/) { ++calls; });
    const Tensor y = (x * w).sum();
    x.set_requires_grad(false);
    y.backward({}, true);
    CHECK(!x.grad().defined());
    CHECK(calls == 0);
    check_close(w.grad(), {1, 1});
    x.set_requires_grad(true);
    y.backward({}, true);
    check_close(x.grad(), {1, 1});
    CHECK(calls == 1);
    x.set_requires_grad(false);
    x.reset();
    y.backward();
    CHECK(calls == 1);
}

TEST_CASE("a leaf that became interior is refused, and no gradient is written") {
    Tensor x = leaf();
    const Tensor w = leaf();
    const Tensor y = (x * 2 + w).sum();
    x.detach_();
    x.copy_(w);
    check_throws<GradModeError>([&] { y.backward({}, true); },
                                "leaf variable has been moved into the graph interior");
    CHECK(!w.grad().defined());
    x.detach_();
    x.set_requires_grad(true);
    y.backward();
    check_close(x.grad(), {2, 2});
    check_close(w.grad(), {1, 1});
}

TEST_CASE("a Function may write a view of its own before it returns it") {
    const Tensor x = leaf();
    const Tensor y = WritesOwnView::apply(x);
    check_close(y, {3, 3});
    (y * 2).sum().backward();
    check_close(x.grad(), {10, 10});
}

TEST_CASE("an unrecorded Function's view is a view, and a leaf that may be tracked") {
    Tensor own = WritesOwnView::apply(ones({2}));
    own.set_requires_grad(true);
    (own * 2).sum().backward();
    check_close(own.grad(), {2, 2});
    const Tensor x = leaf();
    const Tensor quiet = no_grad([&] { return GivesView::apply(x); });
    CHECK(quiet.is_view());
    CHECK(quiet.requires_grad());
    CHECK(quiet.is_leaf());
}

TEST_CASE("a Function's view whose base was written says so") {
    const Tensor x = leaf();
    Tensor b = x * 1;
    const Tensor v = GivesView::apply(b);
    b.mul_(2);
    check_throws<GradModeError>([&] { v * 2; }, "created inside a custom Function");
}

TEST_CASE("grad: a view made without history is an input that nothing reaches") {
    const Tensor x = leaf();
    const Tensor v = no_grad([&] { return x.select(0, 0); });
    const Tensor y = (x * 2).sum();
    CHECK(!autograd::grad({y}, {v}, {}, true, false, true)[0].defined());
    check_throws<GradModeError>([&] { autograd::grad({y}, {v}, {}, true); }, "not have been used");
    y.backward({}, true, false, v);
    CHECK(!x.grad().defined());
}

TEST_CASE("reshape: a copy is no view of anything") {
    const Tensor x = ones({2, 3});
    Tensor made = no_grad([&] { return x.t().reshape({6}); });
    CHECK(!made.is_view());
    made.mul_(leaf({1}));
    CHECK(made.requires_grad());
    made.detach_();
    CHECK(x.reshape({6}).is_view());
}

TEST_CASE("a base that names an element more than once: gradients of writes through its views") {
    const Tensor w = leaf();
    Tensor base = ones({2}).expand({3, 2}).detach();
    base.select(0, 1).copy_(w);
    check_close(base, {1, 1, 1, 1, 1, 1});
    (base * arange(6).to(kFloat32).view({3, 2})).sum().backward();
    check_close(w.grad(), {6, 9});
}

}  // namespace pumice::test
