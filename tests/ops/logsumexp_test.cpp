// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/reduction_reference.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace pumice;
using namespace pumice::test;

namespace {

double log_sum_exp(const std::vector<double>& group) {
    double largest = -INFINITY;
    for (const double value : group) {
        largest = std::max(largest, value);
    }
    if (std::isinf(largest)) {
        return largest;
    }
    double total = 0.0;
    for (const double value : group) {
        total += std::exp(value - largest);
    }
    return largest + std::log(total);
}

}  // namespace

TEST_CASE("logsumexp: float64 reference over shapes") {
    for (const auto& [sizes, dims] : reduction_cases()) {
        CAPTURE(to_string(sizes));
        CAPTURE(to_string(dims));
        const Tensor x = random_tensor(sizes, -30.0, 30.0);
        check_close(logsumexp(x, dims), reduced(x, dims, log_sum_exp));
    }
}

TEST_CASE("logsumexp: large magnitudes, infinities, NaN") {
    CHECK(logsumexp(tensor<float>({-1000.0F, -1000.0F}), {0}).item() ==
          doctest::Approx(-1000.0 + std::log(2.0)));
    CHECK(logsumexp(tensor<float>({1e30F, 1.0F}), {0}).item() == doctest::Approx(1e30));
    CHECK(logsumexp(tensor<float>({-INFINITY, -INFINITY}), {0}).item() == -INFINITY);
    CHECK(logsumexp(tensor<float>({-INFINITY, 2.0F}), {0}).item() == 2.0);
    CHECK(logsumexp(tensor<float>({INFINITY, 2.0F}), {0}).item() == INFINITY);
    CHECK(std::isnan(logsumexp(tensor<float>({NAN, 2.0F}), {0}).item()));
    // Blocks of nothing but -inf before and after one with numbers.
    std::vector<float> values(5000, -INFINITY);
    values[2500] = -900.0F;
    CHECK(logsumexp(from_values<float>(values, {5000}, kFloat32), {0}).item() == -900.0);
}

TEST_CASE("logsumexp: keepdim, narrow floats, modes, errors") {
    const Tensor x = random_tensor({3, 4, 5});
    CHECK(logsumexp(x, {1}, true).sizes() == Dims{3, 1, 5});
    const Tensor half = random_tensor({5, 40}, -3.0, 3.0, 2, kBFloat16);
    check_close(logsumexp(half, {1}), reduced(half, {1}, log_sum_exp));
    check_modes([](const auto& in) { return logsumexp(in[0], {0, 2}); }, {x});
    check_throws<DTypeError>([] { logsumexp(zeros({2}, kInt32), {0}); },
                             "[logsumexp] x must have a floating dtype");
    check_throws<ArgumentError>([] { logsumexp(zeros({2}), {1}); },
                                "[logsumexp] dim must be in [-1, 1); got 1");
}

TEST_CASE("logsumexp: gradient; 0 where all is -inf") {
    const Tensor x = random_tensor({3, 5});
    check_gradients([](const auto& in) { return logsumexp(in[0], {1}); }, {x});
    check_gradients([](const auto& in) { return logsumexp(in[0], {0}, true); }, {x});
    Tensor empty_row = full({2}, -INFINITY).set_requires_grad(true);
    logsumexp(empty_row, {0}).backward();
    check_close(empty_row.grad(), {0.0, 0.0}, 0.0);
}
