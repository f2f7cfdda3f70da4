// SPDX-License-Identifier: Apache-2.0
// Which results of a plan have the place of an operand, told by the bytes that it plans, and that
// values do not tell.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/programs.h"
#include "support/scratch.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

namespace pumice {

namespace {

using test::check_same_bits;
using test::random_tensor;

using Function = std::function<Tensor(const Tensor&)>;

constexpr std::uint64_t kSmallBytes = 4096;   // of the arguments, which the matrix makes wide
constexpr std::uint64_t kWideBytes = 131072;  // of [32, 1024] float32

struct Wide {
    Tensor matrix = random_tensor({32, 1024}, -1, 1, 4);

    Tensor operator()(const Tensor& x) const { return matmul(x, matrix); }
};

Tensor argument(std::uint64_t seed) {
    return random_tensor({32, 32}, -1, 1, seed);
}

// One kernel a call, as each of these tests means it.
constexpr CaptureOptions kPlain{.fuse_elementwise = false};

// Bytes that the plan of `fn` needs at least; its replays must give the function's bits.
std::uint64_t bound_of(const Function& fn, const CaptureOptions& options = kPlain) {
    const InferenceMode guard;
    const Plan plan = capture(fn, {argument(1)}, options);
    for (std::uint64_t seed = 1; seed < 4; ++seed) {
        const Tensor x = argument(seed);
        check_same_bits(plan(x)[0], fn(x));
    }
    return plan.stats().lower_bound_bytes;
}

}  // namespace

TEST_CASE("lending: a dying operand's place is the result's, along a chain") {
    const Wide wide;
    CHECK(bound_of([&](const Tensor& x) { return sum(relu(wide(x)), {1}); }) ==
          kSmallBytes + kWideBytes);
    CHECK(bound_of([&](const Tensor& x) {
              Tensor y = gelu(wide(x));
              add_(y, 1.0);
              y = softmax(mul(clone(y), 2.0), -1);
              return sum(square(std::move(y)), {1});
          }) <= 2 * kWideBytes + kSmallBytes);
}

TEST_CASE("lending: an argument's copy lends too, and to what is returned") {
    CHECK(bound_of([](const Tensor& x) { return neg(x); }) == kSmallBytes);
    const InferenceMode guard;
    const Plan plan =
        capture([](const Tensor& x) { return neg(x); }, {argument(1)}, {.alias_outputs = true});
    CHECK(plan.stats().planned_bytes == kSmallBytes);
    check_same_bits(plan(argument(2))[0], neg(argument(2)));
    check_same_bits(plan(argument(3))[0], neg(argument(3)));
}

TEST_CASE("lending: both operands may be one value, read in one way") {
    const Wide wide;
    CHECK(bound_of([&](const Tensor& x) {
              const Tensor y = wide(x);
              return sum(mul(y, y), {1});
          }) == kSmallBytes + kWideBytes);
    // Read at another index too: rows that are columns.
    CHECK(bound_of([](const Tensor& x) { return mul(x, x.t()); }) == 2 * kSmallBytes);
}

TEST_CASE("lending: an operand that is read again keeps its place") {
    const Wide wide;
    CHECK(bound_of([&](const Tensor& x) {
              const Tensor y = wide(x);
              return sum(add(matmul(y.t(), relu(y)), 1.0), {1});
          }) >= 2 * kWideBytes);
    CHECK(bound_of([&](const Tensor& x) { return add(neg(x), mul(x, 3.0)); }) == 2 * kSmallBytes);
    const InferenceMode guard;
    const auto both = [](const Tensor& x) {
        const Tensor y = mul(x, 2.0);
        return std::vector<Tensor>{y, neg(y)};
    };
    const Plan plan = capture(both, {argument(1)}, kPlain);
    const std::vector<Tensor> got = plan.replay({argument(2)});
    check_same_bits(got[0], both(argument(2))[0]);
    check_same_bits(got[1], both(argument(2))[1]);
}

TEST_CASE("lending: another shape, order, place or dtype lends nothing") {
    // Each result is as large as its operand, which dies.
    CHECK(bound_of([](const Tensor& x) { return neg(x.t()); }) == 2 * kSmallBytes);
    CHECK(bound_of([](const Tensor& x) { return to(x, kInt32); }) == 2 * kSmallBytes);
    CHECK(bound_of([](const Tensor& x) { return neg(x.view({1024})); }) == kSmallBytes);
    CHECK(bound_of([](const Tensor& x) { return softmax(x, -1); }) == 2 * kSmallBytes);
    // A part of a value does not take all of it along.
    CHECK(bound_of([](const Tensor& x) { return neg(slice(x, 0, 0, 16)); }) ==
          kSmallBytes + kSmallBytes / 2);
    CHECK(bound_of([](const Tensor& x) { return neg(slice(x, 0, 16)); }) ==
          kSmallBytes + kSmallBytes / 2);
    // Broadcast, though the result takes the other operand's place.
    CHECK(bound_of([](const Tensor& x) { return add(slice(x, 0, 0, 1), mul(x, 2.0)); }) ==
          2 * kSmallBytes);
}

TEST_CASE("lending: parameters and states lend nothing") {
    const InferenceMode guard;
    Tensor state = random_tensor({32, 32}, -1, 1, 7);
    const Tensor before = state.clone();
    const Plan plan =
        capture([&](const Tensor& x) { return add(neg(state), x); }, {argument(1)}, kPlain);
    check_same_bits(plan(argument(2))[0], add(neg(before), argument(2)));
    check_same_bits(state, before);
}

TEST_CASE("lending: another program finds the bound of what shares places") {
    const InferenceMode guard;
    const Wide wide;
    const Plan plan = capture(
        [&](const Tensor& x) { return sum(relu(neg(sigmoid(wide(x)))), {1}); }, {argument(1)});
    const test::Scratch scratch;
    plan.dump_trace(scratch.path("plan.jsonl"));
    const test::ProgramResult result = test::run_lower_bound(scratch.path("plan.jsonl"));
    INFO(result.output);
    CHECK(result.exit_status == 0);
    CHECK(result.output.find(
              "\"lower_bound_bytes\":" + std::to_string(plan.stats().lower_bound_bytes) + ",") !=
          std::string::npos);
}

TEST_CASE("lending: all operands of a fused kernel that are like its result lend") {
    const Wide wide;
    const Function fn = [&](const Tensor& x) {
        const Tensor y = wide(x);
        return sum(mul(relu(y), add(y, 1.0)), {1});
    };
    CHECK(bound_of(fn, {}) == kSmallBytes + kWideBytes);
    CHECK(bound_of(fn) > kSmallBytes + kWideBytes);
}

}  // namespace pumice
