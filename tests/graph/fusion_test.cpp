// SPDX-License-Identifier: Apache-2.0
// Fused maps: how many kernels stay, and that every bit does.
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/unary_cases.h"

#include <doctest/doctest.h>

#include <functional>
#include <vector>

namespace pumice {

namespace {

using test::check_same_bits;
using test::random_tensor;

using Map = std::function<Tensor(const Tensor&)>;
using PairMap = std::function<Tensor(const Tensor&, const Tensor&)>;

std::size_t kernel_count(const Plan& plan) {
    return plan.stats().kernel_count;
}

template <class F>
void check_fused(const F& fn, const std::vector<Tensor>& inputs, std::size_t kernels) {
    const Plan plan = capture(fn, inputs);
    CHECK_MESSAGE(kernel_count(plan) == kernels, plan.dot());
    const std::vector<Tensor> results = plan.replay(inputs);
    const Plan plain = capture(fn, inputs, {.fuse_elementwise = false});
    const std::vector<Tensor> wanted = plain.replay(inputs);
    REQUIRE(results.size() == wanted.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
        check_same_bits(results[i], wanted[i]);
    }
}

const std::vector<Map> kOtherMaps = {
    [](const Tensor& x) { return gelu(x); },
    [](const Tensor& x) { return gelu(x, "tanh"); },
    [](const Tensor& x) { return softplus(x, 2.0, 3.0); },
    [](const Tensor& x) { return clamp(x, 0.25, 1.5); },
    [](const Tensor& x) { return nan_to_num(x, 3.0, 4.0, 5.0); },
    [](const Tensor& x) { return isnan(x); },
    [](const Tensor& x) { return isfinite(x); },
    [](const Tensor& x) { return logical_not(x); },
    [](const Tensor& x) { return add(x, 3); },
    [](const Tensor& x) { return rsub(x, 2.5); },
    [](const Tensor& x) { return div(x, 3.0); },
    [](const Tensor& x) { return pow(x, 2.5); },
    [](const Tensor& x) { return ge(x, 1); },
    [](const Tensor& x) { return to(x, kInt8); },
    [](const Tensor& x) { return to(x, kBFloat16); },
    [](const Tensor& x) { return to(x, kFloat16); },
};

std::vector<Map> one_operand_maps() {
    std::vector<Map> all = kOtherMaps;
    for (const test::UnaryFunction& each : test::kUnaryFunctions) {
        all.emplace_back([call = each.call](const Tensor& x) { return call(x); });
    }
    return all;
}

const std::vector<PairMap> kPairMaps = {
    [](const Tensor& a, const Tensor& b) { return add(a, b, 2); },
    [](const Tensor& a, const Tensor& b) { return sub(a, b); },
    [](const Tensor& a, const Tensor& b) { return mul(a, b); },
    [](const Tensor& a, const Tensor& b) { return div(a, b); },
    [](const Tensor& a, const Tensor& b) { return maximum(a, b); },
    [](const Tensor& a, const Tensor& b) { return minimum(a, b); },
    [](const Tensor& a, const Tensor& b) { return eq(a, b); },
    [](const Tensor& a, const Tensor& b) { return lt(a, b); },
    [](const Tensor& a, const Tensor& b) { return logical_xor(a, b); },
    [](const Tensor& a, const Tensor& b) { return where(gt(a, b), a, b); },
    [](const Tensor& a, const Tensor& b) { return pow(abs(a), b); },
};

// Three maps an expression, so that fewer pipelines have to be made.
template <class F>
void for_each_three(std::size_t count, const F& call) {
    for (std::size_t i = 0; i < count; i += 3) {
        call(i, (i + 1) % count, (i + 2) % count);
    }
}

}  // namespace

TEST_CASE("fusion: every map of one operand gives the bits that it gives alone" *
          doctest::test_suite("long")) {
    const InferenceMode guard;
    const std::vector<Map> maps = one_operand_maps();
    for (const DType dtype : {kFloat32, kBFloat16, kInt32}) {
        const Tensor x = to(random_tensor({67}, -3, 3, 5), dtype);
        for_each_three(maps.size(), [&](std::size_t i, std::size_t j, std::size_t k) {
            check_fused(
                [&](const Tensor& in) {
                    return where(isnan(maps[i](in)),
                                 mul(maps[j](in), 0.5),
                                 add(maps[j](in), maps[k](maps[i](in))));
                },
                {x},
                1);
        });
    }
}

TEST_CASE("fusion: every map of two operands gives the bits that it gives alone" *
          doctest::test_suite("long")) {
    const InferenceMode guard;
    const std::vector<std::pair<DType, DType>> kDTypes = {
        {kFloat32, kFloat32}, {kFloat16, kBFloat16}, {kInt32, kUInt8}, {kInt8, kFloat16}};
    for (const auto& [first, second] : kDTypes) {
        const Tensor a = to(random_tensor({5, 13}, 1, 9, 5), first);
        const Tensor b = to(random_tensor({13}, 1, 4, 6), second);
        for_each_three(kPairMaps.size(), [&](std::size_t i, std::size_t j, std::size_t k) {
            check_fused(
                [&](const Tensor& x, const Tensor& y) {
                    return add(kPairMaps[i](x, y), kPairMaps[j](kPairMaps[k](x, y), y));
                },
                {a, b},
                1);
        });
    }
}

TEST_CASE("fusion: strides, broadcasts, parts of tensors and many sizes" *
          doctest::test_suite("long")) {
    const InferenceMode guard;
    const auto fn = [](const Tensor& x, const Tensor& row, const Tensor& column) {
        return mul(sub(x, column), add(row, 1.0));
    };
    for (const DType dtype : {kFloat32, kFloat16, kInt8}) {
        const Tensor whole = to(random_tensor({9, 6, 11}, -9, 9, 5), dtype);
        const Tensor row = to(random_tensor({11}, -9, 9, 6), dtype);
        const Tensor column = to(random_tensor({9, 6, 1}, -9, 9, 7), dtype);
        check_fused(fn, {whole, row, column}, 2);  // row + 1 has fewer elements
        const auto parts = [&fn](const Tensor& x, const Tensor& r, const Tensor& c) {
            return fn(x.transpose(0, 1).slice(0, 1, 5).slice(2, 3, 10),
                      r.slice(0, 1, 8),
                      c.transpose(0, 1).slice(0, 1, 5));
        };
        check_fused(parts, {whole, row, column}, 2);
    }
    for (const std::int64_t count : {1, 2, 63, 64, 65, 1023, 70001}) {
        check_fused([](const Tensor& x) { return neg(exp(x)); },
                    {to(random_tensor({count}, -3, 3, 5), kFloat16)},
                    1);
    }
    check_fused([](const Tensor& x) { return neg(exp(x)); }, {zeros({0, 3})}, 0);
    check_fused([](const Tensor& x) { return neg(exp(x)); }, {zeros({})}, 1);
}

TEST_CASE("fusion: what others read, and what is written again, is not taken in") {
    const InferenceMode guard;
    const Tensor x = random_tensor({4, 6}, -1, 1, 1);
    // exp(x) is an output, and is summed up by something else.
    check_fused(
        [](const Tensor& in) {
            const Tensor e = exp(in);
            return std::vector<Tensor>{neg(mul(e, 2)), e, sum(e)};
        },
        {x},
        3);
    // neg(in) changes after mul has read it.
    check_fused(
        [](const Tensor& in) {
            Tensor n = neg(in);
            const Tensor before = mul(n, 2);
            add_(n, 1);
            return add(before, n);
        },
        {x},
        4);
    // Read through another geometry.
    check_fused([](const Tensor& in) { return add(exp(in).t(), 1); }, {x}, 2);
    // Read twice by the group alone.
    check_fused(
        [](const Tensor& in) {
            const Tensor e = exp(in);
            return mul(e, add(e, in));
        },
        {x},
        1);
}

TEST_CASE("fusion: writes in place end a group and stay where they were") {
    const InferenceMode guard;
    const Tensor start = random_tensor({4, 6}, -1, 1, 1);
    Tensor state = start.clone();
    const auto step = [&state](const Tensor& x) {
        mul_(state, 0.9);
        add_(state, mul(exp(x), 0.1));
        const Tensor now = neg(abs(state));
        sub_(state, x);
        return now;
    };
    const Tensor x = random_tensor({4, 6}, -1, 1, 2);
    const Plan plan = capture(step, {x});
    CHECK(kernel_count(plan) == 4);
    const Tensor result = plan(x)[0];
    const Tensor after = state.clone();
    copy_(state, start);
    check_same_bits(result, step(x));
    check_same_bits(after, state);
}

TEST_CASE("fusion: a group stops at eight buffers and four dimensions") {
    const InferenceMode guard;
    const auto add_up = [](const Tensor& rows) {
        Tensor total = select(rows, 0, 0);
        for (std::int64_t i = 1; i < rows.size(0); ++i) {
            total = add(total, select(rows, 0, i));
        }
        return total;
    };
    check_fused(add_up, {random_tensor({10, 33}, -1, 1, 4)}, 2);
    const Tensor x = random_tensor({2, 3, 2, 3, 2}, -1, 1, 1);
    const Tensor y = random_tensor({2, 1, 2, 1, 2}, -1, 1, 2);
    const Tensor z = random_tensor({1, 3, 1, 3, 1}, -1, 1, 3);
    const auto ragged = [](const Tensor& a, const Tensor& b, const Tensor& c) {
        return add(add(a, b.expand(a.sizes()).contiguous()), c.expand(a.sizes()).contiguous());
    };
    check_fused(ragged, {x, y, z}, 3);
}

TEST_CASE("fusion: plans say what became one") {
    const InferenceMode guard;
    const Plan plan = capture([](const Tensor& x) { return neg(exp(mul(x, 2))); }, {ones({3})});
    CHECK(plan.stats().operator_count == 3);
    CHECK(plan.stats().kernel_count == 1);
    CHECK(plan.dot().find("mul_scalar+exp+neg") != std::string::npos);
}

}  // namespace pumice
