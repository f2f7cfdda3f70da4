// SPDX-License-Identifier: Apache-2.0
// What test/cpp/api/autograd.cpp of PyTorch asserts, by its tests' names, written anew against
// pumice/torch.h. TestAutogradNotImplementedFallback is left out: there is no dispatcher.
#include "pumice/torch.h"

#include "support/harness.h"
#include "support/torch_support.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace torch::autograd;

namespace torch::test {

using pumice::test::check_throws;
using pumice::test::check_variables;
using pumice::test::ScaledSum;
using pumice::test::WarningCapture;

namespace {

Variable tracked(const Dims& sizes = {5, 5}) {
    return torch::randn(sizes, torch::requires_grad());
}

Variable product_and_square(const Variable& x, const Variable& y) {
    return x * y + x * x;
}

// Runs backward within its own backward until a counter is down to zero.
struct Countdown : Function<Countdown> {
    static std::vector<int>& order() {
        static std::vector<int> calls;
        return calls;
    }

    static Variable forward(AutogradContext* context, const Variable& x) {
        const at::AutoGradMode enable(true);
        context->saved_data["x"] = make_variable(x.data(), true) - 1;
        return context->saved_data["x"].toTensor().detach();
    }

    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        order().push_back(1);
        const Variable x = context->saved_data["x"].toTensor();
        if (at::native::is_nonzero(x)) {
            const at::AutoGradMode enable(true);
            apply(x).sum().backward();
        }
        return gradients;
    }
};

}  // namespace

TEST_CASE("AutogradAPITests.RegisterHookVoidReturnAcceptsUndefinedTensor") {
    auto x = at::zeros({}, at::kCPU);
    x.requires_grad_();
    x.register_hook([](const at::TensorBase& /*gradient*/) {});
    const auto y = UndefinedGrad().apply({x});
    y[0].backward();
    CHECK(!x.grad().defined());
}

TEST_CASE("AutogradAPITests.RegisterHookTensorReturnAcceptsUndefinedTensor") {
    auto x = at::zeros({}, at::kCPU);
    x.requires_grad_();
    x.register_hook([](const at::Tensor& gradient) -> at::Tensor { return gradient; });
    const auto y = UndefinedGrad().apply({x});
    y[0].backward();
    CHECK(!x.grad().defined());
}

TEST_CASE("AutogradAPITests.BackwardSimpleTest") {
    const Variable x = tracked();
    const Variable y = tracked();
    const Variable result = product_and_square(x, y);
    backward({result.sum()}, {});
    check_variables(x.grad(), 2 * x.detach() + y.detach());
    check_variables(y.grad(), x.detach());
}

TEST_CASE("AutogradAPITests.BackwardTest") {
    const Variable x = tracked();
    const Variable y = tracked();
    const Variable result = product_and_square(x, y);
    const Variable weight = torch::ones({5, 5});
    backward({result}, {weight}, true);
    backward({result}, {weight});
    check_variables(x.grad(), 2 * (2 * x.detach() + y.detach()));
    check_variables(y.grad(), 2 * x.detach());
}

TEST_CASE("AutogradAPITests.GradSimpleTest") {
    const Variable x = tracked();
    const Variable y = tracked();
    const Variable result = product_and_square(x, y);
    const auto gradients = grad({result}, {x, y}, {torch::ones({5, 5})});
    check_variables(gradients[0], 2 * x.detach() + y.detach());
    check_variables(gradients[1], x.detach());
    CHECK(!x.grad().defined());
}

TEST_CASE("AutogradAPITests.GradTest") {
    const Variable x = tracked();
    const Variable y = tracked();
    const Variable result = product_and_square(x, y);
    const Variable weight = torch::ones({5, 5});
    result.backward(weight, false, true);
    const Variable x_grad = 2 * x + y;
    const Variable y_grad = x;
    check_variables(x.grad(), x_grad);
    check_variables(y.grad(), y_grad);

    const Variable grad_sum = 2 * x.grad() + y.grad();
    const auto hessian_product = grad({grad_sum}, {x}, {weight}, {}, true);
    check_variables(hessian_product[0], torch::full({5, 5}, 5));
    check_variables(x.grad(), x_grad);
    check_variables(y.grad(), y_grad);
}

TEST_CASE("AutogradAPITests.GradNonLeafTest") {
    const Variable start = tracked();
    Variable x = start;
    const Variable y = tracked();
    const Variable weight = torch::ones({5, 5});
    for (int i = 0; i < 5; ++i) {
        const Variable value = product_and_square(x, y);
        const auto input_grads = grad({value}, {x}, {weight});
        check_variables(input_grads[0], 2 * x + y);
        CHECK(!x.grad().defined());
        CHECK(!y.grad().defined());
        const Variable next = x + 0.05 * input_grads[0];
        CHECK(product_and_square(next, y).sum().item() > value.sum().item());
        x = next;
    }
    const Variable value = product_and_square(x, y);
    const auto input_grads = grad({value}, {x}, {weight}, true);
    backward({value}, {weight});
    CHECK(start.grad().defined());
    CHECK(y.grad().defined());
    check_variables(input_grads[0], 2 * x.detach() + y.detach());
}

TEST_CASE("AutogradAPITests.GradUnreachableTest") {
    const Variable x = torch::ones({1}, torch::requires_grad());
    const Variable y = torch::ones({1}, torch::requires_grad());
    Variable z = x * 2;
    const Variable w = y * 2;
    auto gradients = grad({x * 2}, {x, y}, {}, {}, false, true);
    check_variables(gradients[0], torch::full({1}, 2));
    CHECK(!gradients[1].defined());
    // Not from the same leaf, but reachable through others.
    z = torch::ones({1}, torch::requires_grad());
    gradients = grad({x * 2}, {x, z}, {}, {}, false, true);
    check_variables(gradients[0], torch::full({1}, 2));
    CHECK(!gradients[1].defined());
    check_throws<c10::Error>(
        [&] {
            grad({x * 2}, {x, y}, {}, {}, false, false);
        },
        "Set allow_unused=True");
}

TEST_CASE("AutogradAPITests.EmptyInput") {
    const Variable x = torch::ones({1}, torch::requires_grad());
    check_throws<c10::Error>([&] { grad({x * 2}, {}, {x}); }, "grad requires non-empty inputs.");
}

TEST_CASE("AutogradAPITests.RetainGrad") {
    const WarningUtils::WarnAlways always;
    const auto input = torch::rand({1, 3}, torch::requires_grad());
    auto h1 = input * 3;
    const auto out = (h1 * h1).sum();
    {
        const WarningCapture warnings;
        CHECK(!h1.grad().defined());
        CHECK(warnings.str().find("is not a leaf") != std::string::npos);
    }
    h1.retain_grad();
    h1.retain_grad();
    CHECK(h1.retains_grad());
    {
        const WarningCapture warnings;
        CHECK(!h1.grad().defined());
        CHECK(warnings.str().find("is not a leaf") == std::string::npos);
    }
    out.backward({}, true);
    check_variables(h1.grad(), h1.detach() * 2);
    out.backward({}, true);
    check_variables(h1.grad(), h1.detach() * 4);
    {
        const torch::NoGradGuard guard;
        input.grad().zero_();
    }
    Variable leaf = input;
    leaf.retain_grad();
    leaf.retain_grad();
    CHECK(!leaf.retains_grad());
    out.backward();
    check_variables(input.grad(), input.detach() * 18);
}

TEST_CASE("AutogradAPITests.AnomalyMode") {
    const DetectAnomalyGuard detect;
    {
        const WarningCapture warnings;
        const auto x = torch::tensor({5.0}, torch::requires_grad());
        auto y = x * x;
        const auto z = y * y;
        y += 1;
        check_throws<c10::Error>([&z] { z.backward(); }, "inplace");
        CHECK(warnings.str().find("Traceback of forward") != std::string::npos);
        CHECK(warnings.str().find("mul([1] float32") != std::string::npos);
    }
    const auto nan_in_double_backward = [](bool should_throw) {
        const auto x = torch::tensor({0.0}, torch::requires_grad());
        const auto y = x.pow(1.5);
        const auto gradient = grad({y}, {x}, {}, true, true);
        const auto weight = torch::tensor({0.0});
        if (!should_throw) {
            grad({gradient[0]}, {x}, {weight});
            return;
        }
        const WarningCapture warnings;
        check_throws<c10::Error>([&] { grad({gradient[0]}, {x}, {weight}); }, "returned nan");
        const auto& messages = warnings.messages();
        REQUIRE(messages.size() == 2);
        CHECK(messages[0].find("Traceback of forward call that caused the error") !=
              std::string::npos);
        CHECK(messages[1].find("Traceback of forward call that induced the previous calculation") !=
              std::string::npos);
    };
    nan_in_double_backward(true);
    {
        const DetectAnomalyGuard without_nan(false);
        nan_in_double_backward(false);
        {
            const DetectAnomalyGuard with_nan(true);
            nan_in_double_backward(true);
        }
    }
    nan_in_double_backward(true);
}

TEST_CASE("CustomAutogradTest.GradUnreachableDiscoveryTest") {
    // A function that is not on the way to the inputs asked for is not run.
    struct NeverRun : Function<NeverRun> {
        static Variable forward(AutogradContext* /*context*/, const Variable& x) { return x; }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            FAIL("this node must not run");
            return gradients;
        }
    };

    const Variable x = tracked({1});
    const Variable x1 = tracked({1});
    const Variable x2 = NeverRun::apply(x + x1);
    const Variable y = tracked({1});
    const auto gradients = grad({x2}, {y}, {}, {}, false, true);
    CHECK(!gradients[0].defined());
}

TEST_CASE("CustomAutogradTest.CustomFunctionReturnInputAsIsAndSavesIt") {
    struct HandsOn : Function<HandsOn> {
        static Variable forward(AutogradContext* context,
                                const Variable& a,
                                const Variable& /*b*/) {
            context->save_for_backward({a});
            return a;
        }

        static variable_list backward(AutogradContext* context, const variable_list& gradients) {
            CHECK(context->get_saved_variables().size() == 1);
            return {gradients[0], gradients[0] * 2};
        }
    };

    const Variable x = tracked().set_requires_grad(true);
    const Variable y = tracked();
    HandsOn::apply(x, y).sum().backward();
    check_variables(x.grad(), torch::ones({5, 5}));
    check_variables(y.grad(), torch::full({5, 5}, 2));
}

TEST_CASE("CustomAutogradTest.CustomFunction") {
    const Variable x = tracked();
    const Variable y = tracked();
    const auto result = ScaledSum::apply(x, 2, y);
    CHECK(result.grad_fn()->name() == "ScaledSum");
    const auto total = result.sum();
    total.backward();
    check_variables(x.grad(), y.detach() + torch::ones({5, 5}));
    check_variables(y.grad(), x.detach() + torch::ones({5, 5}) * 2);
}

TEST_CASE("CustomAutogradTest.CustomFunctionWithTensorList") {
    struct ListSum : Function<ListSum> {
        static Variable forward(AutogradContext* context, const at::TensorList& tensors) {
            context->save_for_backward(tensors);
            return tensors[0] + tensors[1] + tensors[0] * tensors[1];
        }

        static variable_list backward(AutogradContext* context, const variable_list& gradients) {
            const auto saved = context->get_saved_variables();
            return {gradients[0] + gradients[0] * saved[1], gradients[0] + gradients[0] * saved[0]};
        }
    };

    const Variable x = tracked();
    const Variable y = tracked();
    const variable_list variables = {x, y};
    ListSum::apply(at::TensorList(variables)).sum().backward();
    check_variables(x.grad(), y.detach() + torch::ones({5, 5}));
    check_variables(y.grad(), x.detach() + torch::ones({5, 5}));
}

TEST_CASE("CustomAutogradTest.GraphTaskTrimEdges") {
    struct Asked : Function<Asked> {
        static Variable forward(AutogradContext* context,
                                const Variable& a,
                                const Variable& b,
                                int factor,
                                bool needs_a,
                                bool needs_b) {
            context->saved_data["factor"] = factor;
            context->saved_data["needs_a"] = needs_a;
            context->saved_data["needs_b"] = needs_b;
            context->save_for_backward({a, b});
            return a + factor * b + a * b;
        }

        static variable_list backward(AutogradContext* context, const variable_list& gradients) {
            // Positions count tensor operands alone.
            CHECK(context->needs_input_grad(0) == context->saved_data["needs_a"].toBool());
            CHECK(context->needs_input_grad(1) == context->saved_data["needs_b"].toBool());
            CHECK(context->needs_input_grad({IndexRange(0, 2)}));
            const auto factor = context->saved_data["factor"].toInt();
            const auto saved = context->get_saved_variables();
            Variable a_grad;
            Variable b_grad;
            if (context->needs_input_grad(0)) {
                a_grad = gradients[0] + gradients[0] * saved[1];
            }
            if (context->needs_input_grad(1)) {
                b_grad = gradients[0] * factor + gradients[0] * saved[0];
            }
            return {a_grad, b_grad, Variable(), Variable(), Variable()};
        }
    };

    const Variable x = tracked();
    const Variable y = tracked();
    const auto ones = torch::ones({5, 5});
    // Both, then one at a time: the walk asks for less than forward recorded.
    auto out = Asked::apply(x, y, 2, true, true);
    auto both = grad({out}, {x, y}, {ones});
    check_variables(both[0], y.detach() + 1);
    check_variables(both[1], x.detach() + 2);
    check_variables(grad({Asked::apply(x, y, 2, true, false)}, {x}, {ones})[0], y.detach() + 1);
    check_variables(grad({Asked::apply(x, y, 2, false, true)}, {y}, {ones})[0], x.detach() + 2);
}

TEST_CASE("CustomAutogradTest.FunctionReturnsInput") {
    struct HandsOn : Function<HandsOn> {
        static Variable forward(AutogradContext* /*context*/, const Variable& x) { return x; }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0] * 2};
        }
    };

    const Variable x = torch::ones(1, torch::requires_grad());
    HandsOn::apply(x).backward(torch::ones(1), true, true);
    check_variables(x.grad(), torch::full(1, 2));
}

TEST_CASE("CustomAutogradTest.FunctionReturnsUndefined") {
    struct Nothing : Function<Nothing> {
        static Variable forward(AutogradContext* /*context*/, const Variable& x) { return x * 2; }

        static variable_list backward(AutogradContext* /*context*/, const variable_list& /*g*/) {
            return {Variable()};
        }
    };

    const auto x = torch::ones(1, torch::requires_grad());
    Nothing::apply(x).backward();
    CHECK(!x.grad().defined());
    Nothing::apply(x.pow(2)).backward();
    CHECK(!x.grad().defined());
    Nothing::apply(x).sum().backward();
    CHECK(!x.grad().defined());
    CHECK(!grad({Nothing::apply(x)}, {x}, {}, false, false, true)[0].defined());
}

TEST_CASE("CustomAutogradTest.MaterializeGrads") {
    struct Zeros : Function<Zeros> {
        static Variable forward(AutogradContext* /*context*/, const Variable& x) { return x; }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            check_variables(gradients[0], torch::zeros(1));
            return gradients;
        }
    };

    const auto x = torch::ones(1, torch::requires_grad());
    UndefinedGrad().apply({Zeros::apply(x)})[0].backward();
}

TEST_CASE("CustomAutogradTest.DontMaterializeGrads") {
    struct Undefined : Function<Undefined> {
        static Variable forward(AutogradContext* context, const Variable& x) {
            context->set_materialize_grads(false);
            return x;
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            CHECK(!gradients[0].defined());
            return gradients;
        }
    };

    const auto x = torch::ones(1, torch::requires_grad());
    UndefinedGrad().apply({Undefined::apply(x)})[0].backward();
}

TEST_CASE("CustomAutogradTest.NoGradCustomFunction") {
    struct Doubled : Function<Doubled> {
        static Variable forward(AutogradContext* /*context*/, const Variable& x) { return x + 1; }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return gradients;
        }
    };

    const auto x = torch::rand({5, 5}, torch::requires_grad());
    {
        const at::NoGradGuard guard;
        CHECK(!Doubled::apply(x).requires_grad());
    }
    CHECK(Doubled::apply(x).requires_grad());
}

// PUMICE_STAGING=force would have data_ptr refuse.
TEST_CASE("CustomAutogradTest.MarkDirty") {
    struct Doubles : Function<Doubles> {
        static Variable forward(AutogradContext* context, Variable v) {
            v.data_ptr<float>()[0] = 2;
            context->mark_dirty({v});
            return v;
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0] * 2.0};
        }
    };

    const auto start = tracked();
    const auto x = start.clone();
    const auto version_before = x._version();
    const auto out = Doubles::apply(x);
    CHECK(x._version() >= version_before + 1);
    CHECK(out[0][0].item() == 2.0);
    CHECK(out.is_same(x));
    out.sum().backward();
    check_variables(start.grad(), torch::full({5, 5}, 2));
}

TEST_CASE("CustomAutogradTest.MarkNonDifferentiable") {
    struct Positive : Function<Positive> {
        static Variable forward(AutogradContext* context, const Variable& v) {
            Variable output = v > 0;
            context->mark_non_differentiable({output});
            return output;
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0] * 0.0};
        }
    };

    const auto x = tracked();
    const auto mask = Positive::apply(x);
    CHECK(!mask.requires_grad());
    const auto y = x.masked_fill(mask, 0);
    y.sum().backward();
}

TEST_CASE("CustomAutogradTest.MarkNonDifferentiableMixed") {
    struct Both : Function<Both> {
        static variable_list forward(AutogradContext* context, const Variable& input) {
            Variable a = input + 1;
            Variable b = input + 2;
            context->mark_non_differentiable({a});
            return {a, b};
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            check_variables(gradients[0], torch::zeros({5, 5}));
            check_variables(gradients[1], torch::ones({5, 5}));
            return {gradients[1]};
        }
    };

    const auto x = tracked();
    const auto out = Both::apply(x);
    CHECK(!out[0].requires_grad());
    CHECK(out[1].requires_grad());
    out[1].sum().backward();
    check_variables(x.grad(), torch::ones({5, 5}));
}

TEST_CASE("CustomAutogradTest.MarkNonDifferentiableNone") {
    struct None : Function<None> {
        static Variable forward(AutogradContext* context, const Variable& input) {
            auto output = input.clone();
            context->mark_non_differentiable({output});
            return output;
        }

        static variable_list backward(AutogradContext* /*context*/, const variable_list& /*g*/) {
            return {};
        }
    };

    const auto x = tracked();
    const auto r = None::apply(x * x);
    (r * x).sum().backward();
    check_variables(x.grad(), (x * x).detach());
}

TEST_CASE("CustomAutogradTest.ReturnLeafInplace") {
    struct Inplace : Function<Inplace> {
        static variable_list forward(AutogradContext* context, Variable a, const Variable& b) {
            context->mark_dirty({a});
            return {a.add_(b), b + 2};
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0], gradients[0] + gradients[1]};
        }
    };

    const Variable x = torch::randn({5, 5});
    const Variable y = tracked();
    const auto out = Inplace::apply(x, y);
    Variable q = out[0];
    CHECK(torch::equal(q, x));
    CHECK(q.requires_grad());
    q.sum().backward();
    check_variables(y.grad(), torch::ones({5, 5}));
}

TEST_CASE("CustomAutogradTest.ReturnDuplicateInplace") {
    struct Twice : Function<Twice> {
        static variable_list forward(AutogradContext* context, Variable x) {
            x.mul_(2);
            context->mark_dirty({x});
            return {x, x};
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0] * 2 + gradients[1] * 2};
        }
    };

    const auto x = tracked();
    check_throws<c10::Error>([&x] { Twice::apply(x); }, "leaf Variable that requires grad");
    check_throws<c10::Error>([&x] { Twice::apply(x.clone()[0]); }, "only one output");
    const auto out = Twice::apply(x.clone());
    CHECK(torch::equal(out[0], out[1]));
}

TEST_CASE("CustomAutogradTest.ReturnDuplicate") {
    struct Twice : Function<Twice> {
        static variable_list forward(AutogradContext* /*context*/, const Variable& x) {
            auto output = x * 2;
            return {output, output};
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0] * 2 + gradients[1] * 2};
        }
    };

    const auto x = tracked();
    const auto out = Twice::apply(x);
    CHECK(torch::equal(out[0], out[1]));
    (out[0] + out[1]).sum().backward();
    check_variables(x.grad(), torch::full({5, 5}, 4));
}

TEST_CASE("CustomAutogradTest.SaveEmptyForBackward") {
    struct Saves : Function<Saves> {
        static Variable forward(AutogradContext* context, const Variable& x) {
            context->save_for_backward({Variable(), x, Variable()});
            return x * x;
        }

        static variable_list backward(AutogradContext* context, const variable_list& gradients) {
            const auto saved = context->get_saved_variables();
            CHECK(!saved[0].defined());
            CHECK(!saved[2].defined());
            return {gradients[0] * 2 * saved[1]};
        }
    };

    const Variable x = tracked();
    const auto y = Saves::apply(x);
    y.sum().backward();
    check_variables(x.grad(), 2 * x.detach());
}

TEST_CASE("CustomAutogradTest.InvalidGradients") {
    struct Wrong : Function<Wrong> {
        static Variable forward(AutogradContext* /*context*/, const Variable& x) { return x * 2; }

        static variable_list backward(AutogradContext* /*context*/, const variable_list& /*g*/) {
            return {torch::randn(10, torch::dtype(torch::kFloat).requires_grad(true))};
        }
    };

    const auto x = torch::randn({5, 5}, torch::dtype(torch::kFloat).requires_grad(true));
    check_throws<c10::Error>([&x] { Wrong::apply(x).sum().backward(); }, "expected shape");
    CHECK(!x.grad().defined());
    // Upstream goes on to make a float64 tensor that nothing uses.
    check_throws<torch::UnsupportedError>(
        [] { torch::randn(10, torch::dtype(torch::kDouble).requires_grad(true)); },
        "[randn] there are no float64 tensors");
}

TEST_CASE("CustomAutogradTest.NoGradInput") {
    struct HandsOn : Function<HandsOn> {
        static Variable forward(AutogradContext* /*context*/, const Variable& x) { return x; }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return gradients;
        }
    };

    const Variable x = tracked();
    const Variable y = [&x] {
        const at::NoGradGuard guard;
        return HandsOn::apply(x);
    }();
    CHECK(!y.requires_grad());
    CHECK(!y.grad_fn());
}

TEST_CASE("CustomAutogradTest.TooManyGrads") {
    struct TooMany : Function<TooMany> {
        static Variable forward(AutogradContext* /*context*/, const Variable& x) { return x; }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0], Variable(), Variable()};
        }
    };

    const Variable x = tracked();
    TooMany::apply(x).sum().backward();  // undefined ones may be too many
    check_variables(x.grad(), torch::ones({5, 5}));

    struct TooFew : Function<TooFew> {
        static Variable forward(AutogradContext* /*context*/,
                                const Variable& a,
                                const Variable& b) {
            return a + b;
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0]};
        }
    };

    check_throws<c10::Error>([&x] { TooFew::apply(x, x).sum().backward(); },
                             "incorrect number of gradients (expected 2, got 1)");
}

TEST_CASE("CustomAutogradTest.DepNoGrad") {
    struct First : Function<First> {
        static variable_list forward(AutogradContext* context, const Variable& input) {
            auto out = torch::randn(input.sizes());
            context->mark_non_differentiable({out});
            return {input, out};
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0]};
        }
    };

    struct Second : Function<Second> {
        static Variable forward(AutogradContext* /*context*/,
                                const Variable& a,
                                const Variable& /*b*/) {
            return a;
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0], Variable()};
        }
    };

    const auto x = torch::randn(5, torch::requires_grad());
    const auto out = First::apply(x);
    CHECK(!out[1].requires_grad());
    const auto b = Second::apply(out[0], out[1]);
    b.backward(torch::ones(5));
    check_variables(x.grad(), torch::ones(5));
}

TEST_CASE("CustomAutogradTest.Reentrant") {
    struct Reenter : Function<Reenter> {
        static Variable forward(AutogradContext* context, const Variable& input) {
            const at::AutoGradMode enable(true);
            auto x = make_variable(input.data(), true);
            auto y = make_variable(input.data(), true);
            context->saved_data["x"] = x;
            context->saved_data["y"] = y;
            context->saved_data["output"] = x * y;
            return context->saved_data["output"].toTensor().detach();
        }

        static variable_list backward(AutogradContext* context, const variable_list& gradients) {
            const at::AutoGradMode enable(true);
            context->saved_data["output"].toTensor().sum().backward();
            return {context->saved_data["x"].toTensor().grad() * gradients[0]};
        }
    };

    const auto x = tracked();
    const auto out = Reenter::apply(x);
    out.sum().backward();
    check_variables(x.grad(), x.detach());
}

TEST_CASE("CustomAutogradTest.DeepReentrant" * doctest::test_suite("long")) {
    // Deeper than one stack allows.
    const auto v = torch::tensor({8193.0F}, torch::dtype(torch::kFloat).requires_grad(true));
    Countdown::apply(v).sum().backward();
    check_variables(v.grad(), torch::ones(1));
}

TEST_CASE("CustomAutogradTest.ReentrantPriority") {
    Countdown::order().clear();

    struct Last : Function<Last> {
        static Variable forward(AutogradContext* /*context*/, const Variable& x) { return x; }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            Countdown::order().push_back(0);
            return gradients;
        }
    };

    const auto a = Last::apply(torch::tensor({6.0F}, torch::requires_grad()));
    const auto b = Countdown::apply(torch::tensor({9.0F}, torch::requires_grad()));
    (a * b).backward();
    // All the nested walks come before the node that was recorded first.
    const std::vector<int>& order = Countdown::order();
    CHECK(order.size() == 10);
    CHECK(std::count(order.begin(), order.end(), 1) == 9);
    CHECK(order.back() == 0);
}

TEST_CASE("CustomAutogradTest.Hooks") {
    const Variable x = torch::ones({5, 5}, torch::requires_grad());
    Variable y = torch::ones({5, 5}) * 4;
    y.set_requires_grad(true);
    int counter = 0;
    const auto count = [&counter](int by, const Variable& /*gradient*/) { counter += by; };
    const Variable z = x * x + x * 2 + x * y + y;
    Variable hooked = x;
    hooked.register_hook([&](const Variable& gradient) { count(0, gradient); });
    Variable result = z;
    const auto hook_1 = result.register_hook([&](const Variable& gradient) { count(1, gradient); });
    z.backward(torch::ones({5, 5}), true, true);
    CHECK(counter == 1);
    result.register_hook([&](const Variable& gradient) { count(2, gradient); });
    z.backward(torch::ones({5, 5}), true, true);
    CHECK(counter == 4);
    result.remove_hook(hook_1);
    check_throws<c10::Error>([&] { result.remove_hook(hook_1); }, "Invalid index");
    z.backward(torch::ones({5, 5}), true, true);
    CHECK(counter == 6);

    // One that replaces the gradient.
    y.set_grad({});
    const auto twice = result.register_hook([](const Variable& gradient) { return gradient * 2; });
    z.backward(torch::ones({5, 5}), true, false);
    check_variables(y.grad(), (x.detach() + 1) * 2);
    result.remove_hook(twice);
    check_throws<c10::Error>([&] { result.remove_hook(7); }, "Invalid index");
    check_throws<c10::Error>(
        [] {
            auto plain = torch::ones(2);
            plain.register_hook([](const Variable& /*gradient*/) {});
        },
        "cannot register a hook on a variable that doesn't require gradient");
}

TEST_CASE("CustomAutogradTest.HooksInplace") {
    auto a = torch::ones({5, 5}, torch::requires_grad()).clone();
    int hook1_count = 0;
    a.register_hook([&hook1_count](const Variable& gradient) {
        ++hook1_count;
        check_variables(gradient, torch::full({5, 5}, 2));
    });
    int hook2_count = 0;
    a.mul_(2);
    a.register_hook([&hook2_count](const Variable& gradient) {
        ++hook2_count;
        check_variables(gradient, torch::ones({5, 5}));
    });
    const auto out = (a + 1).sum();
    out.backward();
    CHECK(hook1_count == 1);
    CHECK(hook2_count == 1);
}

TEST_CASE("CustomAutogradTest.HooksInplaceWithRetainsGrad") {
    auto a = torch::ones({5, 5}, torch::requires_grad()).clone();
    int hook1_count = 0;
    int hook2_count = 0;
    a.register_hook([&hook1_count](const Variable& gradient) {
        ++hook1_count;
        check_variables(gradient, torch::full({5, 5}, 4));
    });
    a.retain_grad();
    CHECK(a.retains_grad());
    a.mul_(2);
    CHECK(a.retains_grad());
    a.register_hook([&hook2_count](const Variable& gradient) {
        ++hook2_count;
        check_variables(gradient, torch::ones({5, 5}));
        return gradient * 2;
    });
    a.retain_grad();
    const auto out = (a + 1).sum();
    out.backward();
    CHECK(hook1_count == 1);
    CHECK(hook2_count == 1);
    // Kept is the gradient of the value after the write, and after that value's hooks.
    check_variables(a.grad(), torch::full({5, 5}, 2));
}

TEST_CASE("CustomAutogradTest.HooksInplaceTwiceWithRetainsGrad") {
    auto a = torch::ones({5, 5}, torch::requires_grad()).clone();
    std::vector<int> order;
    a.register_hook([&order](const Variable& gradient) {
        order.push_back(1);
        check_variables(gradient, torch::full({5, 5}, 4));
    });
    a.retain_grad();
    a.mul_(2);
    CHECK(a.retains_grad());
    a.register_hook([&order](const Variable& gradient) {
        order.push_back(2);
        check_variables(gradient, torch::full({5, 5}, 2));
    });
    a.retain_grad();
    a.mul_(2);
    a.register_hook([&order](const Variable& gradient) {
        order.push_back(3);
        check_variables(gradient, torch::ones({5, 5}));
    });
    a.retain_grad();
    CHECK(a.retains_grad());
    (a + 1).sum().backward();
    CHECK(order == std::vector<int>{3, 2, 1});
    check_variables(a.grad(), torch::ones({5, 5}));
}

TEST_CASE("CustomAutogradTest.HookNone") {
    struct NoneGradient : Function<NoneGradient> {
        static variable_list forward(AutogradContext* /*context*/,
                                     const Variable& a,
                                     const Variable& b) {
            return {a, b};
        }

        static variable_list backward(AutogradContext* /*context*/,
                                      const variable_list& gradients) {
            return {gradients[0], Variable()};
        }
    };

    bool was_called = false;
    const auto hook = [&was_called](const Variable& gradient) {
        CHECK(gradient.defined());
        was_called = true;
    };
    const auto x = tracked();
    const auto y = tracked();
    Variable rx = x * 1;
    Variable ry = y * 1;
    rx.register_hook(hook);
    ry.register_hook([](const Variable& /*gradient*/) { FAIL("there is no gradient to hook"); });
    const auto out = NoneGradient::apply(rx, ry);
    (out[0] + out[1]).sum().backward();
    CHECK(was_called);
    CHECK(!y.grad().defined());
}

TEST_CASE("CustomAutogradTest.BackwardWithInputs") {
    const Variable x = tracked();
    const Variable y = tracked();
    const Variable z = x * x + x * y + y * y;
    const Variable expected = 2 * x.detach() + y.detach();
    z.backward(torch::ones({5, 5}), false, false, variable_list{x});
    check_variables(x.grad(), expected);
    CHECK(!y.grad().defined());
}

TEST_CASE("CustomAutogradTest.BackwardWithEmptyInputs") {
    const Variable x = tracked();
    const Variable z = x * x;
    check_throws<c10::Error>(
        [&z] {
            z.backward(torch::ones({5, 5}), false, false, variable_list{});
        },
        "cannot be empty");
    CHECK(!x.grad().defined());
}

TEST_CASE("CustomAutogradTest.BackwardWithNonLeafInputs") {
    const Variable x = tracked();
    const Variable y = tracked();
    const Variable z = x * x;
    const Variable w = y * z + x * y + y * y;
    const Variable x_grad = 2 * x.detach() * y.detach() + y.detach();
    const Variable z_grad = y.detach();
    w.backward(torch::ones({5, 5}), false, false, variable_list{x, z});
    check_variables(x.grad(), x_grad);
    check_variables(z.grad(), z_grad);
    CHECK(!y.grad().defined());
}

TEST_CASE("CustomAutogradTest.BackwardWithCreateGraphWarns") {
    const WarningUtils::WarnAlways always;
    const auto x = tracked().set_requires_grad(true);
    const auto z = x * x;
    {
        const WarningCapture warnings;
        z.backward(torch::ones({5, 5}), c10::nullopt, true);
        CHECK(warnings.str().find("Using backward() with create_graph=True") != std::string::npos);
    }
    {
        const WarningCapture warnings;
        grad({z}, {x}, {torch::ones({5, 5})}, c10::nullopt, true);
        CHECK(warnings.str().find("Using backward() with create_graph=True") == std::string::npos);
    }
    Variable leaf = x;
    leaf.set_grad({});
}

}  // namespace torch::test
