// SPDX-License-Identifier: Apache-2.0
#include "pumice/saved_tensor_hooks.h"

#include "pumice/parallel.h"
#include "pumice/pumice.h"
#include "pumice/task.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <any>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace pumice {

namespace {

using autograd::SavedTensorHooks;
using autograd::SavedTensorHooksGuard;

Tensor leaf(const std::vector<float>& values) {
    Tensor made = tensor(values);
    return made.set_requires_grad(true);
}

struct Seen {
    int packed = 0;
    int unpacked = 0;
    bool grad_was_on = false;
};

// Keeps the values on the host.
SavedTensorHooks to_host_hooks(Seen& seen) {
    return {.pack =
                [&seen](const Tensor& saved) {
                    ++seen.packed;
                    seen.grad_was_on = seen.grad_was_on || is_grad_enabled();
                    CHECK(!saved.requires_grad());
                    return std::any(saved.to_vector<float>());
                },
            .unpack =
                [&seen](const std::any& value) {
                    ++seen.unpacked;
                    seen.grad_was_on = seen.grad_was_on || is_grad_enabled();
                    return tensor(std::any_cast<const std::vector<float>&>(value));
                }};
}

}  // namespace

TEST_CASE("G46 saved-tensor hooks pack operands and results, in no_grad") {
    Seen seen;
    const Tensor x = leaf({1, 2, 3});
    Tensor out;
    {
        const SavedTensorHooksGuard guard(to_host_hooks(seen));
        out = sum(mul(exp(x), x));  // exp saves its result, mul both operands
    }
    CHECK(seen.packed == 3);
    out.backward();
    CHECK(seen.unpacked == 3);
    CHECK(!seen.grad_was_on);
    const std::vector<float> gradient = x.grad().to_vector<float>();
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        const double value = static_cast<double>(i) + 1.0;
        CHECK(gradient[i] == doctest::Approx(std::exp(value) * (1.0 + value)).epsilon(1e-6));
    }
    static_cast<void>(sum(mul(x, x)));
    CHECK(seen.packed == 3);  // the guard is gone
}

TEST_CASE("G46 saved-tensor hooks never run where nothing is recorded") {
    Seen seen;
    const Tensor x = leaf({1, 2, 3});
    const SavedTensorHooksGuard guard(to_host_hooks(seen));
    no_grad([&] { static_cast<void>(mul(x, x)); });
    inference_mode([&] { static_cast<void>(mul(x, x)); });
    CHECK(seen.packed == 0);
}

TEST_CASE("saved-tensor hooks: double backward goes through what was packed") {
    Seen seen;
    const Tensor x = leaf({1, 2, 3});
    Tensor first;
    {
        const SavedTensorHooksGuard guard(to_host_hooks(seen));
        const Tensor y = sum(mul(mul(x, x), x));
        first = autograd::grad({y}, {x}, {}, {}, true)[0];
    }
    CHECK(first.to_vector<float>() == std::vector<float>{3, 12, 27});
    const Tensor second = autograd::grad({sum(first)}, {x})[0];
    CHECK(second.to_vector<float>() == std::vector<float>{6, 12, 18});
}

TEST_CASE("saved-tensor hooks: a packed copy does not mind later writes") {
    Seen seen;
    const Tensor x = leaf({1, 2, 3});
    Tensor factor = tensor({2.0F, 2.0F, 2.0F});
    Tensor out;
    {
        const SavedTensorHooksGuard guard(to_host_hooks(seen));
        out = mul(x, factor);
    }
    fill_(factor, 0);
    sum(out).backward();
    CHECK(x.grad().to_vector<float>() == std::vector<float>{2, 2, 2});
}

TEST_CASE("saved-tensor hooks: what they throw comes out, and the engine goes on") {
    const Tensor x = leaf({1, 2, 3});
    SUBCASE("pack of an operand") {
        const SavedTensorHooksGuard guard(
            {.pack = [](const Tensor&) -> std::any { throw std::runtime_error("full"); },
             .unpack = [](const std::any&) { return Tensor(); }});
        CHECK_THROWS_WITH(mul(x, x), "full");
    }
    SUBCASE("pack of a result, written in place") {
        Tensor y = mul(x, 1.0);
        const SavedTensorHooksGuard guard(
            {.pack = [](const Tensor&) -> std::any { throw std::runtime_error("full"); },
             .unpack = [](const std::any&) { return Tensor(); }});
        CHECK_THROWS_WITH(exp_(y), "full");
        sum(y).backward();  // the call was whole
        CHECK(x.grad().to_vector<float>()[0] == doctest::Approx(std::exp(1.0)));
    }
    SUBCASE("unpack of another shape") {
        Tensor out;
        {
            const SavedTensorHooksGuard guard(
                {.pack = [](const Tensor&) { return std::any(1); },
                 .unpack = [](const std::any&) { return ones({2}); }});
            out = sum(mul(x, x));
        }
        CHECK_THROWS_AS(out.backward(), ArgumentError);
        CHECK(!x.grad().defined());
    }
    SUBCASE("an empty function") {
        CHECK_THROWS_AS(SavedTensorHooksGuard(SavedTensorHooks{}), ArgumentError);
    }
    CHECK(sum(mul(x, x)).item() == doctest::Approx(14));
}

TEST_CASE("saved-tensor hooks: the innermost counts, and each flow has its own") {
    Seen outer_seen;
    Seen inner_seen;
    const Tensor x = leaf({1, 2, 3});
    const auto flow = [&]() -> Task<> {
        const SavedTensorHooksGuard guard(to_host_hooks(inner_seen));
        co_await launch([] {});
        static_cast<void>(mul(x, x));
    };
    const SavedTensorHooksGuard guard(to_host_hooks(outer_seen));
    Task<> task = flow();
    static_cast<void>(mul(x, x));
    CHECK(outer_seen.packed == 2);
    task.get();
    CHECK(inner_seen.packed == 2);
    CHECK(outer_seen.packed == 2);
}

}  // namespace pumice
