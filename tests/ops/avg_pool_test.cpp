// SPDX-License-Identifier: Apache-2.0
#include "pumice/gradcheck.h"
#include "pumice/ops/conv.h"
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using namespace pumice;
using namespace pumice::test;

namespace {

using In = const std::vector<Tensor>&;

// float64 means over [begin, end) of rows and of columns for each window.
struct Span {
    std::int64_t begin;
    std::int64_t end;
};

std::vector<double> reference(const Tensor& x,
                              const std::vector<Span>& rows,
                              const std::vector<Span>& cols) {
    const std::vector<double> xs = x.to_vector<double>();
    std::vector<double> ys;
    for (std::int64_t plane = 0; plane < x.size(0) * x.size(1); ++plane) {
        for (const Span& row : rows) {
            for (const Span& col : cols) {
                double total = 0.0;
                for (std::int64_t r = row.begin; r < row.end; ++r) {
                    for (std::int64_t c = col.begin; c < col.end; ++c) {
                        total +=
                            xs[static_cast<std::size_t>((plane * x.size(2) + r) * x.size(3) + c)];
                    }
                }
                ys.push_back(total /
                             static_cast<double>((row.end - row.begin) * (col.end - col.begin)));
            }
        }
    }
    return ys;
}

}  // namespace

TEST_CASE("avg_pool2d: float64 reference, and each option where it matters") {
    const Tensor x = random_tensor({2, 3, 5, 4});
    check_close(avg_pool2d(x, 2), reference(x, {{0, 2}, {2, 4}}, {{0, 2}, {2, 4}}));
    check_close(avg_pool2d(x, {3, 2}, {2, 1}),
                reference(x, {{0, 3}, {2, 5}}, {{0, 2}, {1, 3}, {2, 4}}));
    check_close(avg_pool2d(x, 2, {}, 0, true),
                reference(x, {{0, 2}, {2, 4}, {4, 5}}, {{0, 2}, {2, 4}}));
    const std::vector<Span> rows = {{0, 2}, {1, 4}, {3, 5}};
    const std::vector<Span> cols = {{0, 2}, {1, 4}};
    check_close(avg_pool2d(x, 3, 2, 1, false, false), reference(x, rows, cols));
    std::vector<double> wanted = reference(x, rows, cols);
    const std::vector<double> counts = {4, 6, 6, 9, 4, 6};
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        wanted[i] *= counts[i % 6] / 9.0;
    }
    check_close(avg_pool2d(x, 3, 2, 1), wanted);
    for (double& value : wanted) {
        value *= 9.0 / 5.0;
    }
    check_close(avg_pool2d(x, 3, 2, 1, false, false, 5), wanted);
    check_same_bits(avg_pool2d(x[1], 2), avg_pool2d(x, 2)[1]);
    CHECK(avg_pool2d(x.to(kFloat16), 3, 2, 1).dtype() == kFloat16);
}

TEST_CASE("adaptive_avg_pool2d: float64 reference for even and uneven windows") {
    const Tensor x = random_tensor({2, 3, 7, 6});
    check_close(adaptive_avg_pool2d(x, 1), reference(x, {{0, 7}}, {{0, 6}}));
    check_close(
        adaptive_avg_pool2d(x, {7, 3}),
        reference(
            x, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 7}}, {{0, 2}, {2, 4}, {4, 6}}));
    check_close(adaptive_avg_pool2d(x, {3, 4}),
                reference(x, {{0, 3}, {2, 5}, {4, 7}}, {{0, 2}, {1, 3}, {3, 5}, {4, 6}}));
    check_close(adaptive_avg_pool2d(x.narrow(2, 0, 2), {3, 2}),
                reference(x.narrow(2, 0, 2).clone(), {{0, 1}, {0, 2}, {1, 2}}, {{0, 3}, {3, 6}}));
    CHECK(adaptive_avg_pool2d(x, {0, 3}).sizes() == Dims{2, 3, 0, 3});
    check_same_bits(adaptive_avg_pool2d(x[1], 1), adaptive_avg_pool2d(x, 1)[1]);
    check_same_bits(adaptive_avg_pool2d(x[1], 3), adaptive_avg_pool2d(x, 3)[1]);
    // What is not finite stays in its windows.
    const float inf = std::numeric_limits<float>::infinity();
    check_close(adaptive_avg_pool2d(tensor<float>({inf, 1, 2}).view({1, 1, 1, 3}), {1, 2}),
                {inf, 1.5});
}

TEST_CASE("avg_pool2d, adaptive_avg_pool2d: the modes agree, gradients and their gradients") {
    const std::vector<Tensor> inputs = {random_tensor({1, 2, 5, 4})};
    const auto overlapping = [](In in) { return avg_pool2d(in[0], 3, 2, 1, true, false); };
    const auto even = [](In in) { return adaptive_avg_pool2d(in[0], {5, 2}); };
    const auto uneven = [](In in) { return adaptive_avg_pool2d(in[0], {2, 3}); };
    check_modes(overlapping, inputs);
    check_modes(even, inputs);
    check_modes(uneven, inputs);
    check_gradients(overlapping, inputs);
    check_gradients(even, inputs);
    check_gradients(uneven, inputs);
    const Tensor x = inputs[0].clone().set_requires_grad(true);
    CHECK(autograd::gradgradcheck(
        [&](In in) { return std::vector<Tensor>{square(overlapping(in))}; }, {x}));
}

TEST_CASE("avg_pool2d, adaptive_avg_pool2d: refusals") {
    const Tensor x = ones({1, 1, 4, 4});
    check_throws<ArgumentError>([&] { avg_pool2d(x, 0); }, "must be in [1, ");
    check_throws<ArgumentError>([&] { avg_pool2d(x, 2, 2, 2); }, "padding");
    check_throws<ArgumentError>([&] { avg_pool2d(x, 2, 2, 0, false, true, 0); }, "divisor");
    check_throws<ShapeError>([&] { avg_pool2d(x, 5); }, "does not fit");
    check_throws<DTypeError>([&] { avg_pool2d(x.to(kInt32), 2); }, "floating");
    check_throws<ArgumentError>([&] { adaptive_avg_pool2d(x, -1); }, "output_size must be in [0");
    check_throws<ShapeError>([&] { adaptive_avg_pool2d(ones({4, 4}), 1); }, "[N, C, H, W]");
    check_throws<ShapeError>([&] { adaptive_avg_pool2d(ones({1, 1, 0, 4}), 1); }, "above 0");
    check_throws<DTypeError>([&] { adaptive_avg_pool2d(x.to(kInt32), 1); }, "floating");
    check_throws<UnsupportedError>(
        [&] {
            adaptive_avg_pool2d(ones({1, 1, 1, 70000}), {1, 70000});
        },
        "below 2^32");
}
