// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/reduction_reference.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace pumice;
using namespace pumice::test;

namespace {

double variance(const std::vector<double>& group, double correction) {
    const auto n = static_cast<double>(group.size());
    const double mean = std::accumulate(group.begin(), group.end(), 0.0) / n;
    double squares = 0.0;
    for (const double value : group) {
        squares += (value - mean) * (value - mean);
    }
    return squares / std::max(0.0, n - correction);
}

}  // namespace

TEST_CASE("var, std: methods are the functions") {
    const Tensor x = arange(24).to(kFloat32).view({2, 3, 4});
    check_same_bits(x.var(), pumice::var(x));
    check_same_bits(x.std({0, 2}, 0, true), pumice::std(x, {0, 2}, 0, true));
}

TEST_CASE("var, std: float64 reference over shapes and corrections") {
    for (const auto& [sizes, dims] : reduction_cases()) {
        CAPTURE(to_string(sizes));
        CAPTURE(to_string(dims));
        const Tensor x = random_tensor(sizes, 1.0, 3.0);
        for (const std::int64_t correction : {0, 1, 3}) {
            const auto reference = [&](const auto& group) {
                return variance(group, static_cast<double>(correction));
            };
            if (numel(sizes) == 1 && correction == 0) {
                check_close(var(x, dims, 0), {0.0});
                continue;
            }
            check_close(var(x, dims, correction), reduced(x, dims, reference));
            check_close(pumice::std(x, dims, correction), reduced(x, dims, [&](const auto& group) {
                            return std::sqrt(reference(group));
                        }));
        }
    }
}

TEST_CASE("var: a large mean does not cancel") {
    for (const std::int64_t count : {100, 100'000, 3'000'000}) {
        const Tensor x = random_tensor({count}, 9999.0, 10001.0);
        const double wanted = variance(x.to_vector<double>(), 1.0);
        CHECK(std::abs(var(x).item() - wanted) <= 1e-5 * wanted);
    }
}

TEST_CASE("var, std: narrow floats, keepdim, views, modes") {
    const Tensor half = random_tensor({5, 301}, -1.0, 1.0, 7, kFloat16);
    check_close(var(half, {1}),
                reduced(half, {1}, [](const auto& group) { return variance(group, 1.0); }));
    const Tensor x = random_tensor({3, 4, 5});
    CHECK(pumice::std(x, {1}, 1, true).sizes() == Dims{3, 1, 5});
    const Tensor turned = permute(x, {2, 1, 0});
    check_close(var(turned, {0, 2}),
                reduced(turned, {0, 2}, [](const auto& group) { return variance(group, 1.0); }));
    check_modes([](const auto& in) { return pumice::std(in[0], {0, 1}); }, {x});
}

TEST_CASE("var, std: errors") {
    check_throws<DTypeError>([] { var(zeros({2}, kInt32)); }, "[var] x must have a floating dtype");
    check_throws<DTypeError>([] { pumice::std(zeros({2}, kBool)); },
                             "[std] x must have a floating dtype");
    check_throws<ArgumentError>([] { pumice::std(zeros({2}), {3}); },
                                "[std] dim must be in [-1, 1); got 3");
}

TEST_CASE("var, std: gradients; 0 where the deviation is 0") {
    const Tensor x = random_tensor({3, 5});
    check_gradients([](const auto& in) { return var(in[0], {1}); }, {x});
    check_gradients([](const auto& in) { return var(in[0], {}, 0); }, {x});
    check_gradients(
        [](const auto& in) { return pumice::std(in[0], {0}, 1, true); }, {x}, 1e-3, 1e-2);
    Tensor flat = ones({4}).set_requires_grad(true);
    pumice::std(flat).backward();
    check_close(flat.grad(), {0.0, 0.0, 0.0, 0.0}, 0.0);
}
