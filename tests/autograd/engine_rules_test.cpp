// SPDX-License-Identifier: Apache-2.0
// Rules of the walk, of hooks, of what leaves inference mode and of threads.
#include "pumice/function.h"
#include "pumice/io.h"
#include "pumice/parallel.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/scratch.h"

#include <doctest/doctest.h>

#include <stdexcept>
#include <thread>

namespace pumice::test {

namespace {

using List = std::vector<Tensor>;

Tensor leaf(const Dims& sizes = {2, 2}) {
    return ones(sizes, {kFloat32, true});
}

constexpr const char* kE2 =
    "Inplace update to inference tensor outside InferenceMode is not allowed.";

// Notes the modes in which its backward runs.
struct NotesModes : autograd::Function<NotesModes> {
    static std::vector<AutogradState>& seen() {
        static std::vector<AutogradState> states;
        return states;
    }

    static Tensor forward(autograd::AutogradContext* /*context*/, const Tensor& x) { return x * 2; }

    static List backward(autograd::AutogradContext* /*context*/, const List& gradients) {
        seen().push_back(autograd_state());
        return {gradients[0] * 2};
    }
};

// Its forward gives an inference tensor.
struct GivesInference : autograd::Function<GivesInference> {
    static Tensor forward(autograd::AutogradContext* /*context*/, const Tensor& x) {
        return inference_mode([&x] { return x + 1; });
    }

    static List backward(autograd::AutogradContext* /*context*/, const List& gradients) {
        return gradients;
    }
};

}  // namespace

TEST_CASE("G11 the original exception object comes out of every form") {
    struct Special : std::runtime_error {
        using std::runtime_error::runtime_error;
    };

    const Special* thrown = nullptr;
    const auto fails = [&thrown] {
        static const Special error("special");
        thrown = &error;
        std::rethrow_exception(std::make_exception_ptr(Special("special")));
    };
    CHECK_THROWS_AS(no_grad(fails), Special);
    CHECK_THROWS_AS(enable_grad(fails), Special);
    CHECK_THROWS_AS(grad_mode(false, fails), Special);
    CHECK_THROWS_AS(inference_mode(fails), Special);
    CHECK_THROWS_AS(with_inference_mode(fails)(), Special);
    const std::exception_ptr one = std::make_exception_ptr(Special("one"));
    try {
        inference_mode([&one] { std::rethrow_exception(one); });
    } catch (...) {
        CHECK(std::current_exception() == one);
    }
    CHECK(autograd_state() == AutogradState{});
}

TEST_CASE("G15 G43 nodes and hooks run outside inference, with grad as create_graph says") {
    NotesModes::seen().clear();
    Tensor x = leaf();
    Tensor y = NotesModes::apply(x);
    y.register_hook(
        [](const Tensor& /*gradient*/) { NotesModes::seen().push_back(autograd_state()); });
    const Tensor total = y.sum();
    no_grad([&] { total.backward({}, true); });
    autograd::grad({total}, {x}, {}, true, true);
    const std::vector<AutogradState>& seen = NotesModes::seen();
    REQUIRE(seen.size() == 4);
    const AutogradState plain{.grad = false, .inference = false, .fw_grad = false};
    const AutogradState recorded{.grad = true, .inference = false, .fw_grad = false};
    CHECK(seen[0] == plain);
    CHECK(seen[1] == plain);
    CHECK(seen[2] == recorded);
    CHECK(seen[3] == recorded);
    CHECK(autograd_state() == AutogradState{});
}

TEST_CASE("G46 hooks need R, in whatever mode and of whatever kind") {
    Tensor plain = ones({2});
    check_throws<GradModeError>([&] { plain.register_hook([](const Tensor& /*g*/) {}); },
                                "cannot register a hook on a variable that doesn't require "
                                "gradient");
    check_throws<GradModeError>([&] { plain.retain_grad(); },
                                "can't retain_grad on Tensor that has requires_grad=False");
    inference_mode([&] {
        Tensor tracked = leaf();
        tracked.register_hook([](const Tensor& /*g*/) {});
        tracked.retain_grad();
        CHECK(!tracked.retains_grad());  // a leaf
        check_throws<GradModeError>([&] { plain.register_hook([](const Tensor& /*g*/) {}); },
                                    "cannot register a hook");
    });
    int calls = 0;
    Tensor x = leaf();
    no_grad([&] { x.register_hook([&calls](const Tensor& /*g*/) { ++calls; }); });
    (x * 2).sum().backward();
    CHECK(calls == 1);
}

TEST_CASE("G47 a custom function records iff grad is on and an operand is R") {
    const Tensor x = leaf();
    CHECK(NotesModes::apply(x).requires_grad());
    CHECK(!no_grad([&] { return NotesModes::apply(x); }).requires_grad());
    CHECK(!NotesModes::apply(ones({2})).requires_grad());
    const Tensor made = inference_mode([&] { return NotesModes::apply(x); });
    CHECK(made.is_inference());
    CHECK(!made.requires_grad());
    check_throws<GradModeError>([&] { GivesInference::apply(x); },
                                "Cannot attach autograd history to an inference tensor");
    CHECK(no_grad([&] { return GivesInference::apply(x); }).is_inference());
    CHECK(autograd_state() == AutogradState{});
}

TEST_CASE("G49 G50 clone is the way out of inference") {
    const Tensor i = inference_mode([] { return leaf(); });
    const Tensor n = i.clone();
    CHECK(!n.is_inference());
    CHECK(!n.requires_grad());
    CHECK(n._version() == 0);
    CHECK(n.is_leaf());
    Tensor trained = i.clone().set_requires_grad(true);
    (trained * trained).sum().backward();
    check_close(trained.grad(), {2, 2, 2, 2});
    CHECK(!i.grad().defined());
    inference_mode([&] { CHECK(n.clone().is_inference()); });
}

TEST_CASE("G51 copy_ into normal tensors is legal in all modes, into inference tensors in one") {
    Tensor i = inference_mode([] { return full({2}, 3); });
    Tensor n = zeros({2});
    n.copy_(i);
    no_grad([&] { n.copy_(i); });
    inference_mode([&] {
        n.copy_(i);
        i.copy_(n);
    });
    CHECK(n._version() == 3);
    CHECK(!n.is_inference());
    check_throws<GradModeError>([&] { i.copy_(n); }, kE2);
    check_close(n, {3, 3});
}

TEST_CASE("G52 set_data keeps kinds apart") {
    Tensor n = zeros({2});
    Tensor i = inference_mode([] { return ones({2}); });
    constexpr const char* kE14 =
        "Attempted to call `variable.set_data(tensor)`, but `variable` and `tensor` have "
        "incompatible tensor type.";
    check_throws<GradModeError>([&] { n.set_data(i); }, kE14);
    check_throws<GradModeError>([&] { i.set_data(n); }, kE14);
    inference_mode([&] {
        check_throws<GradModeError>([&] { i.set_data(n); }, kE14);
        i.set_data(full({3}, 2));
    });
    check_close(i, {2, 2, 2});
    check_throws<GradModeError>([&] { i.set_data(i.detach()); }, kE2);
    no_grad([&] { check_throws<GradModeError>([&] { i.set_data(i.detach()); }, kE2); });
    check_close(i, {2, 2, 2});
    check_close(n, {0, 0});
}

TEST_CASE("G52 set_data of a normal tensor keeps version, gradient and tracking in any mode") {
    Tensor n = leaf({2});
    no_grad([&] { n.mul_(3); });
    n.set_grad(full({2}, 5.0));
    const auto replace = [&](double value) {
        const PersistentAllocGuard guard;
        n.set_data(full({3}, value, kFloat16));
    };
    replace(1);
    no_grad([&] { replace(2); });
    inference_mode([&] { replace(7); });
    CHECK(n._version() == 1);
    CHECK(n.requires_grad());
    CHECK(n.is_leaf());
    CHECK(!n.is_inference());
    CHECK(n.dtype() == kFloat16);
    check_close(n, {7, 7, 7});
    check_close(n.grad(), {5, 5});
    // Made in inference mode without the guard, it is of the other kind.
    inference_mode([&] { CHECK_THROWS_AS(n.set_data(ones({3})), GradModeError); });
}

TEST_CASE("G66 G71 what inference made stays as it was past its scope, and dies on any thread") {
    std::vector<Tensor> kept;
    inference_mode([&] {
        for (int k = 0; k < 20; ++k) {
            kept.push_back(full({257}, k));
            const Tensor passing = full({257}, -1);
            static_cast<void>(passing + kept.back());
        }
    });
    inference_mode([] {
        for (int k = 0; k < 50; ++k) {
            static_cast<void>(full({257}, -2) * 2);
        }
    });
    for (int k = 0; k < 20; ++k) {
        check_close(kept[static_cast<std::size_t>(k)], std::vector<double>(257, k));
    }
    std::thread([tensors = std::move(kept)]() mutable { tensors.clear(); }).join();
    inference_mode([] { check_close(full({3}, 5), {5, 5, 5}); });
}

TEST_CASE("G77 tangents are refused in inference mode and not supported elsewhere") {
    const Tensor x = ones({2});
    inference_mode([&] {
        check_throws<GradModeError>([&] { autograd::make_dual(x, x); },
                                    "Forward-mode AD is disabled in inference_mode");
        CHECK(!autograd_state().fw_grad);
    });
    no_grad([&] { CHECK(autograd_state().fw_grad); });
    check_throws<UnsupportedError>([&] { autograd::make_dual(x, x); }, "forward-mode");
}

TEST_CASE("hooks see and change the gradient, in order, and can be taken away") {
    Tensor x = leaf({3});
    const unsigned first = x.register_hook([](const Tensor& gradient) { return gradient * 3; });
    const unsigned second = x.register_hook([](const Tensor& gradient) { return gradient + 1; });
    const Tensor y = (x * 2).sum();
    y.backward({}, true);
    check_close(x.grad(), {7, 7, 7});
    x.set_grad({});
    x.remove_hook(first);
    y.backward({}, true);
    check_close(x.grad(), {3, 3, 3});
    x.remove_hook(second);
    check_throws<ArgumentError>([&] { x.remove_hook(second); }, "Invalid index");
    x.register_hook([](const Tensor& /*gradient*/) { return ones({4}); });
    check_throws<ShapeError>([&] { y.backward(); }, "a hook must keep the gradient's shape");
    check_close(x.grad(), {3, 3, 3});
}

TEST_CASE("threads walk a shared graph at the same time") {
    const Tensor x = leaf({64});
    const Tensor y = (x * x).sum();
    std::vector<Future<int>> walks;
    for (int k = 0; k < 16; ++k) {
        walks.push_back(launch([&y] {
            y.backward({}, true);
            return 0;
        }));
    }
    for (Future<int>& walk : walks) {
        walk.get();
    }
    check_close(x.grad(), std::vector<double>(64, 32));
}

}  // namespace pumice::test
