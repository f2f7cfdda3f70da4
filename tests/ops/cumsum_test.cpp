// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace pumice;
using namespace pumice::test;

namespace {

std::vector<double> running_sums(const Tensor& x, std::int64_t dim) {
    std::vector<double> values = x.to_vector<double>();
    std::int64_t inner = 1;
    for (std::int64_t d = dim + 1; d < x.dim(); ++d) {
        inner *= x.size(d);
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        if (at / inner % x.size(dim) > 0) {
            values[i] += values[static_cast<std::size_t>(at - inner)];
        }
    }
    return values;
}

}  // namespace

TEST_CASE("cumsum: float64 reference over shapes") {
    for (const Dims& sizes : {Dims{1},
                              Dims{31},
                              Dims{33},
                              Dims{3, 5},
                              Dims{2, 3, 4},
                              Dims{2, 30011},
                              Dims{30011, 2},
                              Dims{70001, 2},
                              Dims{0, 2}}) {
        for (std::int64_t dim = 0; dim < sizes.count(); ++dim) {
            CAPTURE(to_string(sizes));
            CAPTURE(dim);
            // Positive: the bound is relative to the sum of magnitudes.
            const Tensor x = random_tensor(sizes, 0.0, 1.0);
            check_close(cumsum(x, dim), running_sums(x, dim));
            check_close(cumsum(x, dim - sizes.count()), running_sums(x, dim));
        }
    }
    CHECK(cumsum(scalar_tensor(2.5), 0).item() == 2.5);
}

TEST_CASE("cumsum: a million equal terms do not drift") {
    const Tensor sums = cumsum(full({1'000'000}, 0.1F), 0);
    const double wanted = 1e6 * static_cast<double>(0.1F);
    CHECK(std::abs(sums.to_vector<double>().back() - wanted) <= 1e-6 * wanted);
}

TEST_CASE("cumsum: dtypes; integers and bool give int32") {
    for (const DType dtype : {kInt32, kInt8, kUInt8, kBool}) {
        CAPTURE(to_string(dtype));
        const Tensor x = random_tensor({3, 9000}, 0.0, 100.0, 3, dtype);
        CHECK(cumsum(x, 1).dtype() == kInt32);
        check_close(cumsum(x, 1), running_sums(x, 1), 0.0);
        check_close(cumsum(x, 0), running_sums(x, 0), 0.0);
    }
    for (const DType dtype : {kFloat16, kBFloat16}) {
        const Tensor x = random_tensor({5, 7}, -1.0, 1.0, 3, dtype);
        CHECK(cumsum(x, 1).dtype() == dtype);
        check_close(cumsum(x, 1), running_sums(x, 1));
        check_close(cumsum(x, 0), running_sums(x, 0));
    }
}

TEST_CASE("cumsum: views and modes") {
    const Tensor turned = permute(random_tensor({4, 5, 6}), {2, 0, 1});
    for (std::int64_t dim = 0; dim < 3; ++dim) {
        check_close(cumsum(turned, dim), running_sums(turned, dim));
    }
    check_modes([](const auto& in) { return cumsum(in[0], 1); }, {random_tensor({3, 5})});
    check_modes([](const auto& in) { return cumsum(in[0], 0); }, {random_tensor({20000})});
}

TEST_CASE("cumsum: errors and gradients") {
    check_throws<ArgumentError>([] { cumsum(zeros({2}), 1); },
                                "[cumsum] dim must be in [-1, 1); got 1");
    const Tensor x = random_tensor({3, 4, 2});
    check_gradients([](const auto& in) { return cumsum(in[0], 1); }, {x});
    // The gradient runs from the back, also where rows are cut into chunks.
    Tensor row = zeros({10'000}).set_requires_grad(true);
    sum(cumsum(row, 0)).backward();
    const std::vector<double> gradient = row.grad().to_vector<double>();
    CHECK(gradient.front() == 10'000.0);
    CHECK(gradient[1234] == 10'000.0 - 1234.0);
    CHECK(gradient.back() == 1.0);
}
