// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

using namespace pumice;
using test::check_gradients;
using test::check_modes;
using test::check_throws;
using test::random_tensor;
using Inputs = std::vector<Tensor>;

namespace {

void check_triangle(const Tensor& x, std::int64_t diagonal) {
    CAPTURE(to_string(x.sizes()));
    CAPTURE(diagonal);
    const std::int64_t rows = x.size(-2);
    const std::int64_t columns = x.size(-1);
    const std::vector<double> values = x.to_vector<double>();
    std::vector<double> lower = values;
    std::vector<double> upper = values;
    for (std::size_t at = 0; at < values.size(); ++at) {
        const auto element = static_cast<std::int64_t>(at);
        const std::int64_t distance = element % columns - element / columns % rows;
        (distance > diagonal ? lower : upper)[at] = 0.0;
        upper[at] = distance == diagonal ? values[at] : upper[at];
    }
    test::check_close(tril(x, diagonal), lower, 0.0);
    test::check_close(triu(x, diagonal), upper, 0.0);
}

}  // namespace

TEST_CASE("tril, triu: every diagonal, any strides and dtype") {
    for (const std::int64_t diagonal : {-9, -2, -1, 0, 1, 3, 9}) {
        check_triangle(random_tensor({4, 3}), diagonal);
        check_triangle(random_tensor({3, 5}), diagonal);
    }
    check_triangle(random_tensor({2, 3, 5, 7}), 1);
    check_triangle(random_tensor({2, 5, 7}).transpose(1, 2), 0);
    check_triangle(expand(random_tensor({3, 1}), {3, 4}), 0);
    check_triangle(random_tensor({3, 5, 5}, -1, 1, 1, kBFloat16), -1);
    check_triangle(ones({3, 3}, kBool), 0);
    check_triangle(zeros({0, 3}), 0);
    check_triangle(random_tensor({66000, 2, 2}), 0);
    check_throws<ShapeError>([] { tril(zeros({3})); },
                             "[tril] x must have at least two dimensions");
    check_throws<ShapeError>([] { triu(zeros({3})); },
                             "[triu] x must have at least two dimensions");
}

TEST_CASE("tril, triu: gradients and modes") {
    const auto both = [](const Inputs& in) { return add(tril(in[0], 1), triu(in[0])); };
    check_modes(both, {random_tensor({3, 4})});
    check_gradients(both, {random_tensor({3, 4})});
}
