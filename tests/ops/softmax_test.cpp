// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace pumice;
using namespace pumice::test;

namespace {

// float64 softmax of x along dim, in row-major order.
std::vector<double> reference(const Tensor& x, std::int64_t dim, bool is_log) {
    std::vector<double> values = x.to_vector<double>();
    std::int64_t inner = 1;
    for (std::int64_t d = dim + 1; d < x.dim(); ++d) {
        inner *= x.size(d);
    }
    const std::int64_t length = x.dim() == 0 ? 1 : x.size(dim);
    const auto count = static_cast<std::int64_t>(values.size());
    for (std::int64_t row = 0; length > 0 && row < count / length; ++row) {
        const std::int64_t first = row / inner * inner * length + row % inner;
        const auto at = [&](std::int64_t k) -> double& {
            return values[static_cast<std::size_t>(first + k * inner)];
        };
        double largest = -INFINITY;
        for (std::int64_t k = 0; k < length; ++k) {
            largest = std::max(largest, at(k));
        }
        double total = 0.0;
        for (std::int64_t k = 0; k < length; ++k) {
            total += std::exp(at(k) - largest);
        }
        for (std::int64_t k = 0; k < length; ++k) {
            at(k) = is_log ? at(k) - largest - std::log(total) : std::exp(at(k) - largest) / total;
        }
    }
    return values;
}

}  // namespace

TEST_CASE("softmax, log_softmax: float64 reference over shapes and dims") {
    for (const Dims& sizes : {Dims{1},
                              Dims{7},
                              Dims{3, 5},
                              Dims{13, 257},
                              Dims{257, 13},
                              Dims{2, 3, 4},
                              Dims{5, 1, 7},
                              Dims{70001, 2},
                              Dims{2, 30011},
                              Dims{30011, 3},
                              Dims{0, 3},
                              Dims{3, 0},
                              Dims{2, 2, 3, 2, 2}}) {
        for (std::int64_t dim = 0; dim < sizes.count(); ++dim) {
            CAPTURE(to_string(sizes));
            CAPTURE(dim);
            const Tensor x = random_tensor(sizes, -10.0, 10.0);
            check_close(softmax(x, dim), reference(x, dim, false));
            check_close(log_softmax(x, dim - sizes.count()), reference(x, dim, true));
        }
    }
    CHECK(softmax(scalar_tensor(5.0), 0).item() == 1.0);
}

TEST_CASE("softmax: narrow floats, in words shared between rows or not" *
          doctest::test_suite("long")) {
    for (const DType dtype : {kFloat16, kBFloat16}) {
        for (const Dims& sizes : {Dims{6, 8}, Dims{6, 7}, Dims{3, 6000}, Dims{3, 6001}}) {
            CAPTURE(to_string(dtype));
            CAPTURE(to_string(sizes));
            const Tensor x = random_tensor(sizes, -3.0, 3.0, 2, dtype);
            for (std::int64_t dim = 0; dim < 2; ++dim) {
                CHECK(softmax(x, dim).dtype() == dtype);
                check_close(softmax(x, dim), reference(x, dim, false));
                check_close(log_softmax(x, dim), reference(x, dim, true));
            }
        }
    }
}

TEST_CASE("softmax: views of any strides") {
    const Tensor turned = permute(random_tensor({4, 5, 6}), {2, 0, 1});
    const Tensor part = slice(random_tensor({5, 20}), 1, 3, 17, 2);
    const Tensor expanded = expand(random_tensor({1, 6}), {7, 6});
    for (const Tensor& x : {turned, part, expanded}) {
        for (std::int64_t dim = 0; dim < x.dim(); ++dim) {
            check_close(softmax(x, dim), reference(x, dim, false));
        }
    }
}

TEST_CASE("softmax: masks and overflow") {
    check_close(softmax(tensor<float>({1e30F, -1e30F}), 0), {1.0, 0.0});
    check_close(softmax(tensor<float>({-1e9F, -1e9F}), 0), {0.5, 0.5});
    check_close(softmax(tensor<float>({-INFINITY, 3.0F}), 0), {0.0, 1.0});
    check_close(softmax(tensor<float>({-3.4e38F, 0.0F}), 0), {0.0, 1.0});
    check_close(softmax(tensor<float>({-INFINITY, -INFINITY}), 0), {NAN, NAN});
    check_close(softmax(tensor<float>({INFINITY, 0.0F}), 0), {NAN, NAN});
    check_close(softmax(tensor<float>({NAN, 0.0F}), 0), {NAN, NAN});
    check_close(log_softmax(tensor<float>({-INFINITY, 3.0F}), 0), {-INFINITY, 0.0});
    check_close(log_softmax(tensor<float>({-INFINITY, -INFINITY}), 0), {NAN, NAN});
}

TEST_CASE("softmax, log_softmax: all modes agree") {
    const Tensor x = random_tensor({3, 5, 7});
    check_modes([](const auto& in) { return softmax(in[0], -1); }, {x});
    check_modes([](const auto& in) { return softmax(in[0], 1); }, {x});
    check_modes([](const auto& in) { return log_softmax(in[0], 0); }, {x});
    check_modes([](const auto& in) { return softmax(in[0], 1); }, {random_tensor({2, 9001})});
}

TEST_CASE("softmax: errors") {
    check_throws<ArgumentError>(
        [] {
            softmax(zeros({4, 8}), 5);
        },
        "[softmax] dim must be in [-2, 2); got 5");
    check_throws<DTypeError>([] { log_softmax(zeros({4}, kInt32), 0); },
                             "[log_softmax] x must have a floating dtype; got x [4] int32");
}

TEST_CASE("softmax, log_softmax: gradients") {
    const Tensor x = random_tensor({3, 4, 2});
    check_gradients([](const auto& in) { return softmax(in[0], 1); }, {x});
    check_gradients([](const auto& in) { return softmax(in[0], -1); }, {x});
    check_gradients([](const auto& in) { return log_softmax(in[0], 0); }, {x});
}
