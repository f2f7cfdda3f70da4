// SPDX-License-Identifier: Apache-2.0
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice {

namespace {

using test::check_same_bits;
using test::random_tensor;

constexpr CaptureOptions kNone{.eliminate_dead_code = false,
                               .fold_constants = false,
                               .eliminate_common_subexpressions = false,
                               .fuse_elementwise = false};

CaptureOptions only(bool CaptureOptions::*pass) {
    CaptureOptions options = kNone;
    options.*pass = true;
    return options;
}

template <class F>
std::size_t count_of(const F& fn, const CaptureOptions& options) {
    const Tensor x = random_tensor({3, 4}, -1, 1, 1);
    const Plan plan = capture(fn, {x}, options);
    check_same_bits(plan(x)[0], fn(x));
    return plan.stats().operator_count;
}

}  // namespace

TEST_CASE("passes: dead calls go, with what they alone read") {
    const InferenceMode guard;
    const auto fn = [](const Tensor& x) {
        exp(neg(x));
        Tensor scratch = neg(x);
        add_(scratch, 1);
        return mul(x, 2);
    };
    CHECK(count_of(fn, kNone) == 5);
    CHECK(count_of(fn, only(&CaptureOptions::eliminate_dead_code)) == 1);
}

TEST_CASE("passes: a call that writes what outlives the function stays") {
    const InferenceMode guard;
    Tensor state = zeros({3, 4});
    const auto fn = [&](const Tensor& x) {
        copy_(state, neg(x));
        return mul(x, 2);
    };
    CHECK(count_of(fn, only(&CaptureOptions::eliminate_dead_code)) == 3);
    check_same_bits(state, neg(random_tensor({3, 4}, -1, 1, 1)));
}

TEST_CASE("passes: constants are made once") {
    const InferenceMode guard;
    const auto fn = [](const Tensor& x) {
        const Tensor positions = arange(0, 4, 1, kFloat32);
        const Tensor angles = mul(positions, 0.5);
        Tensor counter = zeros({4});
        add_(counter, angles);  // written twice: not folded
        return add(add(x, sin(angles)), counter);
    };
    CHECK(count_of(fn, kNone) == 7);
    CHECK(count_of(fn, only(&CaptureOptions::fold_constants)) == 4);
    const Plan plan = capture(fn, {ones({3, 4})}, only(&CaptureOptions::fold_constants));
    CHECK(plan.stats().constant_bytes > 0);
}

TEST_CASE("passes: equal calls are one, unless something is written between") {
    const InferenceMode guard;
    Tensor state = ones({3, 4});
    const auto same = [&](const Tensor& x) {
        return add(mul(exp(neg(x)), state), mul(exp(neg(x)), state));
    };
    CHECK(count_of(same, kNone) == 7);
    CHECK(count_of(same, only(&CaptureOptions::eliminate_common_subexpressions)) == 4);
    const auto other = [](const Tensor& x) {
        return add(softmax(x, 0), add(softmax(x, 1), softmax(x.t(), 0).t()));
    };
    CHECK(count_of(other, only(&CaptureOptions::eliminate_common_subexpressions)) == 5);
    const auto written = [](const Tensor& x) {
        Tensor y = mul(x, 2);
        const Tensor before = neg(y);
        add_(y, 1);
        return add(before, neg(y));
    };
    CHECK(count_of(written, only(&CaptureOptions::eliminate_common_subexpressions)) == 5);
}

TEST_CASE("passes: draws are never merged or folded, and a dead one leaves its place") {
    const InferenceMode guard;
    const auto fn = [](const Tensor& x) {
        rand({4});
        const Tensor noise = sub(rand({3, 4}), rand({3, 4}));
        return add(noise, sub(dropout(x, 0.5), dropout(x, 0.5)));
    };
    const Tensor x = random_tensor({3, 4}, -1, 1, 1);
    for (const CaptureOptions& options : {kNone, CaptureOptions{}}) {
        const Plan plan = capture(fn, {x}, options);
        CHECK(plan.stats().operator_count == (options.fold_constants ? 7 : 8));
        CHECK(plan.stats().constant_bytes == 0);
        for (const std::uint64_t seed : {1U, 2U}) {
            manual_seed(seed);
            const Tensor wanted = fn(x);
            const std::uint64_t offset = get_rng_state().offset;
            manual_seed(seed);
            check_same_bits(plan(x)[0], wanted);
            CHECK(get_rng_state().offset == offset);
        }
    }
    const auto seeded = [](const Tensor& in) {
        manual_seed(8);
        return add(in, rand({3, 4}));
    };
    CHECK(count_of(seeded, only(&CaptureOptions::fold_constants)) == 1);
}

}  // namespace pumice
