// SPDX-License-Identifier: Apache-2.0
#include "pumice/gradcheck.h"
#include "pumice/pumice.h"

#include "ops/spatial/pool_window.h"
#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace pumice;
using namespace pumice::test;

namespace {

using In = const std::vector<Tensor>&;
using ops::PoolWindow;

// max_pool2d in float64, loop by loop, given the count of windows.
std::vector<double> reference(const Tensor& x, const PoolWindow& w, const Dims& pooled) {
    const std::vector<double> xs = x.to_vector<double>();
    std::vector<double> ys;
    for (std::int64_t plane = 0; plane < x.size(0) * x.size(1); ++plane) {
        for (std::int64_t place = 0; place < pooled[2] * pooled[3]; ++place) {
            double largest = -std::numeric_limits<double>::infinity();
            for (std::int64_t tap = 0; tap < w.kernel.rows * w.kernel.cols; ++tap) {
                const std::int64_t row = place / pooled[3] * w.stride.rows +
                                         tap / w.kernel.cols * w.dilation.rows - w.padding.rows;
                const std::int64_t col = place % pooled[3] * w.stride.cols +
                                         tap % w.kernel.cols * w.dilation.cols - w.padding.cols;
                if (row >= 0 && row < x.size(2) && col >= 0 && col < x.size(3)) {
                    const double value =
                        xs[static_cast<std::size_t>((plane * x.size(2) + row) * x.size(3) + col)];
                    largest = std::isnan(value) || value > largest ? value : largest;
                }
            }
            ys.push_back(largest);
        }
    }
    return ys;
}

Tensor run(const Tensor& x, const PoolWindow& w) {
    return max_pool2d(x, w.kernel, w.stride, w.padding, w.dilation, w.ceil_mode);
}

// Values that differ by more than any step of a central difference.
Tensor distinct(const Dims& sizes) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < numel(sizes); ++i) {
        values.push_back(static_cast<float>(i * 37 % 101) * 0.25F);
    }
    return from_values<float>(values, sizes, kFloat32);
}

}  // namespace

TEST_CASE("max_pool2d: float64 reference over windows") {
    const Tensor x = random_tensor({2, 3, 7, 9});
    for (const PoolWindow& w :
         {PoolWindow{.kernel = 1, .stride = 1},
          PoolWindow{.kernel = 2, .stride = 2},
          PoolWindow{.kernel = 3, .stride = 2, .padding = 1},
          PoolWindow{.kernel = {2, 4}, .stride = {3, 1}, .padding = {1, 2}},
          PoolWindow{.kernel = {2, 3}, .stride = 1, .dilation = {3, 2}},
          PoolWindow{.kernel = {7, 9}, .stride = 1},
          PoolWindow{.kernel = {15, 1}, .stride = 1, .padding = {7, 0}},
          PoolWindow{.kernel = 2, .stride = 2, .ceil_mode = true},
          PoolWindow{.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true}}) {
        CAPTURE(w.kernel.rows);
        CAPTURE(w.ceil_mode);
        const Tensor y = run(x, w);
        check_close(y, reference(x, w, y.sizes()), 0.0);
    }
    CHECK(max_pool2d(x, 2).sizes() == Dims{2, 3, 3, 4});
    CHECK(max_pool2d(x, 2, 2, 0, 1, true).sizes() == Dims{2, 3, 4, 5});
    CHECK(max_pool2d(x, 3, 1).sizes() == Dims{2, 3, 5, 7});
    CHECK(max_pool2d(ones({0, 3, 4, 4}), 2).sizes() == Dims{0, 3, 2, 2});
    // A last window would start past the end: it is left out.
    CHECK(max_pool2d(ones({1, 1, 1, 4}), {1, 2}, {1, 4}, 0, 1, true).sizes() == Dims{1, 1, 1, 1});
}

TEST_CASE("max_pool2d: narrow floats, views, infinities and NaN, images without a batch") {
    const PoolWindow w{.kernel = 2, .stride = 1};
    for (const DType dtype : {kFloat16, kBFloat16}) {
        const Tensor x = random_tensor({1, 3, 4, 4}, -1.0, 1.0, 1, dtype);
        const Tensor y = run(x, w);
        CHECK(y.dtype() == dtype);
        check_close(y, reference(x, w, y.sizes()), 0.0);
    }
    const Tensor turned = random_tensor({5, 3, 4, 2}).transpose(0, 3);
    check_close(run(turned, w), reference(turned, w, {2, 3, 3, 4}), 0.0);
    check_same_bits(run(turned[1], w), run(turned, w)[1]);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float inf = std::numeric_limits<float>::infinity();
    const Tensor special = tensor<float>({nan, 1, -inf, -inf, 2, 3, -inf, -inf}).view({1, 1, 2, 4});
    check_close(max_pool2d(special, 2), {nan, -inf});
}

TEST_CASE("max_pool2d: the first of equals gets the gradient") {
    const Tensor x = zeros({1, 1, 3, 3}, {kFloat32, true});
    max_pool2d(x, 2, 1).sum().backward();
    check_close(x.grad(), {1, 1, 0, 1, 1, 0, 0, 0, 0});
}

TEST_CASE("max_pool2d: the modes agree, gradients and their gradients") {
    for (const PoolWindow& w :
         {PoolWindow{.kernel = 2, .stride = 2},
          PoolWindow{.kernel = 3, .stride = 2, .padding = 1},
          PoolWindow{.kernel = {2, 3}, .stride = 1, .dilation = {2, 1}},
          PoolWindow{.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true}}) {
        const auto function = [&w](In in) { return run(in[0], w); };
        check_modes(function, {distinct({1, 2, 5, 4})});
        check_gradients(function, {distinct({1, 2, 5, 4})});
    }
    const Tensor x = distinct({1, 2, 4, 4}).set_requires_grad(true);
    CHECK(autograd::gradgradcheck(
        [](In in) { return std::vector<Tensor>{square(max_pool2d(in[0], 2, 1)) * 0.01}; }, {x}));
    const Tensor half = distinct({1, 1, 3, 3}).to(kFloat16).set_requires_grad(true);
    max_pool2d(half, 2, 1).sum().backward();
    CHECK(half.grad().dtype() == kFloat16);
    CHECK(half.grad().sum().item() == 4.0);
}

TEST_CASE("max_pool2d: refusals") {
    const Tensor x = ones({1, 1, 4, 4});
    check_throws<ArgumentError>([&] { max_pool2d(x, 0); }, "must be in [1, 536870912]");
    check_throws<ArgumentError>([&] { max_pool2d(x, 2, 0); }, "must be in [1, 536870912]");
    check_throws<ArgumentError>([&] { max_pool2d(x, 2, 2, 2); }, "padding in [0, kernel_size / 2]");
    check_throws<ArgumentError>([&] { max_pool2d(x, 2, 2, 0, 0); }, "must be in [1, 536870912]");
    check_throws<ShapeError>([&] { max_pool2d(x, 5); }, "does not fit into the padded x");
    check_throws<ShapeError>([&] { max_pool2d(ones({4, 4}), 2); }, "x must be [N, C, H, W]");
    check_throws<DTypeError>([&] { max_pool2d(x.to(kInt32), 2); }, "floating");
}

TEST_CASE("max_pool2d makes places where it is recorded alone") {
    Tensor x = random_tensor({2, 3, 16, 16}, -1, 1, 9);
    constexpr std::uint64_t kResultBytes = std::uint64_t{2} * 3 * 8 * 8 * 4;
    const auto peak_bytes = [&] {
        reset_peak_memory_stats();
        const std::uint64_t before = memory_stats().live_bytes;
        const Tensor y = max_pool2d(x, 2);
        return memory_stats().peak_bytes - before;
    };
    CHECK(peak_bytes() == kResultBytes);
    CHECK(inference_mode([&] { return peak_bytes(); }) == kResultBytes);
    x.set_requires_grad(true);
    CHECK(no_grad([&] { return peak_bytes(); }) == kResultBytes);
    CHECK(peak_bytes() == 2 * kResultBytes);
    // Of equals the first wins, of NaN the last, with places and without.
    const Tensor odd = full({1, 1, 4, 4}, std::numeric_limits<double>::quiet_NaN());
    check_same_bits(inference_mode([&] { return max_pool2d(odd, 3, 1, 1); }),
                    max_pool2d(odd.clone().set_requires_grad(true), 3, 1, 1).detach());
}
