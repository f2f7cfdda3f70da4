// SPDX-License-Identifier: Apache-2.0
// NaN, infinities, -0 and numbers of 0 in fused kernels: what IEEE 754 says, as in eager calls
// (Note [Opaque bits] in engine/graph/chain.cpp).
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

namespace pumice {

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

using Map = std::function<Tensor(const Tensor&)>;

const std::vector<float> kValues = {kNaN,
                                    kInf,
                                    -kInf,
                                    0.0F,
                                    -0.0F,
                                    1.0F,
                                    -1.0F,
                                    0.5F,
                                    -2.5F,
                                    3e38F,
                                    -3e38F,
                                    1e-30F,
                                    -1e-30F,
                                    2e-38F,
                                    60000.0F,
                                    7.0F};
const std::vector<double> kScalars = {0.0, -0.0, 1.0, -1.0, kInf, -kInf, kNaN, 0.5, 2.0};

// A row of all values for each of `rows` maps.
Tensor values(std::size_t rows, DType dtype) {
    std::vector<float> all;
    for (std::size_t row = 0; row < rows; ++row) {
        all.insert(all.end(), kValues.begin(), kValues.end());
    }
    return from_values<float>(
        all, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(kValues.size())}, dtype);
}

// The floats' bits, of one NaN.
std::vector<std::uint32_t> bits_of(const Tensor& tensor) {
    std::vector<std::uint32_t> bits;
    for (const float value : to(tensor, kFloat32).to_vector<float>()) {
        bits.push_back(0x7fc00000U);
        if (!std::isnan(value)) {
            std::memcpy(&bits.back(), &value, sizeof(value));
        }
    }
    return bits;
}

std::vector<Map> maps_with(double number) {
    return {
        [number](const Tensor& x) { return add(x, number); },
        [number](const Tensor& x) { return sub(x, number); },
        [number](const Tensor& x) { return rsub(x, number); },
        [number](const Tensor& x) { return mul(x, number); },
        [number](const Tensor& x) { return div(x, number); },
        [number](const Tensor& x) { return pow(x, number); },
        [number](const Tensor& x) { return add(x, x, std::isfinite(number) ? number : 1.0); },
        [number](const Tensor& x) { return clamp(x, number, std::nullopt); },
        [number](const Tensor& x) { return clamp(x, std::nullopt, number); },
        [number](const Tensor& x) { return masked_fill(x, gt(x, 0), number); },
        [number](const Tensor& x) { return where(lt(x, number), x, neg(x)); },
        [number](const Tensor& x) { return logical_not(ge(x, number)); },
        [number](const Tensor& x) { return mul(full({}, number, x.dtype()), x); },
        [number](const Tensor& x) { return sub(x, full(x.sizes(), number, x.dtype())); },
    };
}

const std::vector<Map> kMaps = {
    [](const Tensor& x) { return sub(x, x); },
    [](const Tensor& x) { return div(x, x); },
    [](const Tensor& x) { return mul(sub(x, x), x); },
    [](const Tensor& x) { return add(x, neg(x)); },
    [](const Tensor& x) { return logical_not(lt(x, neg(x))); },
    [](const Tensor& x) { return ne(x, x); },
    [](const Tensor& x) { return sqrt(square(x)); },
    [](const Tensor& x) { return abs(neg(x)); },
    [](const Tensor& x) { return reciprocal(reciprocal(x)); },
    [](const Tensor& x) { return exp(log(x)); },
    [](const Tensor& x) { return maximum(neg(x), x); },
    [](const Tensor& x) { return sign(neg(x)); },
};

// Of each map its own row: few kernels of many calls. `row`: the rows' numbers, beside each
// element.
Tensor row_by_row(const Tensor& x, const Tensor& row, const std::vector<Map>& maps) {
    const Tensor inner = neg(x);
    Tensor all = to(x, kFloat32);
    for (std::size_t i = 0; i < maps.size(); ++i) {
        const Tensor result = neg(to(maps[i](inner), kFloat32));
        all = where(eq(row, static_cast<std::int64_t>(i)), result, all);
    }
    return all;
}

void check_captured(const std::vector<Map>& maps, DType dtype) {
    const InferenceMode guard;
    const Tensor x = values(maps.size(), dtype);
    const Tensor row =
        arange(static_cast<std::int64_t>(maps.size())).unsqueeze(-1).expand(x.sizes());
    const auto fn = [&](const Tensor& in) { return row_by_row(in, row, maps); };
    const std::vector<std::uint32_t> wanted = bits_of(fn(x));
    const Plan plan = capture(fn, {x});
    CHECK(plan.stats().kernel_count < maps.size());
    const std::vector<std::uint32_t> got = bits_of(plan(x)[0]);
    for (std::size_t i = 0; i < got.size(); ++i) {
        INFO("map " << i / kValues.size() << " of " << -kValues[i % kValues.size()]);
        CHECK(got[i] == wanted[i]);
    }
}

// IEEE 754, rounded once to float.
const std::vector<std::function<double(double, double)>> kReferences = {
    [](double x, double number) { return x + number; },
    [](double x, double number) { return x - number; },
    [](double x, double number) { return number - x; },
    [](double x, double number) { return x * number; },
    [](double x, double number) { return x / number; },
    [](double x, double number) { return std::pow(x, number); },
};
constexpr std::size_t kPow = 5;  // the one that is not rounded correctly

bool is_same(float got, float wanted, double most_ulp) {
    constexpr float kNormal = std::numeric_limits<float>::min();
    if (std::isnan(wanted)) {
        return std::isnan(got);
    }
    // Devices may flush what is subnormal.
    const bool is_close = std::abs(wanted) < kNormal && wanted != 0.0F
                              ? std::abs(got) < kNormal
                              : got == wanted || test::ulp_error(got, wanted) <= most_ulp;
    return is_close && std::signbit(got) == std::signbit(wanted);
}

}  // namespace

TEST_CASE("special values: fused kernels give what eager calls do, with every number" *
          doctest::test_suite("long")) {
    for (const double number : {0.0, -0.0, 1.0, double{kInf}, double{kNaN}}) {
        CAPTURE(number);
        check_captured(maps_with(number), kFloat32);
    }
    check_captured(kMaps, kFloat32);
}

TEST_CASE("special values: fused kernels of half types give what eager calls do" *
          doctest::test_suite("long")) {
    check_captured(maps_with(0.0), kFloat16);
    check_captured(kMaps, kBFloat16);
}

TEST_CASE("special values: numbers of eager calls follow IEEE 754") {
    const InferenceMode guard;
    const Tensor x = values(1, kFloat32);
    for (const double number : kScalars) {
        const std::vector<Map> maps = maps_with(number);
        for (std::size_t i = 0; i < kReferences.size(); ++i) {
            const std::vector<float> got = maps[i](x).to_vector<float>();
            for (std::size_t k = 0; k < kValues.size(); ++k) {
                const auto wanted = static_cast<float>(kReferences[i](kValues[k], number));
                INFO("formula " << i << " of " << kValues[k] << " and " << number << ": " << got[k]
                                << ", wanted " << wanted);
                CHECK(is_same(got[k], wanted, i == kPow ? 2.0 : 0.0));
            }
        }
    }
}

TEST_CASE("special values: chains in the kernels of others lose none" *
          doctest::test_suite("long")) {
    const InferenceMode guard;
    const Tensor x = from_values<float>(kValues, {4, 4}, {});
    const Tensor eye = from_values<float>(
        std::vector<float>{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, {4, 4}, {});
    const std::vector<Map> maps = {
        [](const Tensor& in) { return amax(div(neg(in), 0.0), {1}); },
        [](const Tensor& in) { return mul(amax(in, {1}), 0.0); },
        [](const Tensor& in) { return softmax(mul(in, 0.0), -1); },
        [](const Tensor& in) { return add(mul(sum(exp(mul(in, 100.0))), 0.0), 1.0); },
        [](const Tensor& in) { return div(rms_norm(in, {4}), 0.0); },
        [&](const Tensor& in) { return mul(matmul(in, eye), 0.0); },
        [](const Tensor& in) {
            return sub(conv2d(in.view({1, 1, 4, 4}), ones({1, 1, 1, 1})), kInf);
        },
    };
    for (std::size_t i = 0; i < maps.size(); ++i) {
        CAPTURE(i);
        CHECK(bits_of(capture(maps[i], {x})(x)[0]) == bits_of(maps[i](x)));
    }
    CHECK(std::isnan(capture(maps[3], {x})(x)[0].item<float>()));
}

}  // namespace pumice
