// SPDX-License-Identifier: Apache-2.0
#include "pumice/ops/conv.h"

#include "pumice/gradcheck.h"
#include "pumice/pumice.h"

#include "dispatch/corridor.h"
#include "geometry/convolution.h"
#include "ops/all_ops.h"
#include "support/harness.h"

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <vector>

using namespace pumice;
using namespace pumice::test;

namespace {

using In = const std::vector<Tensor>&;

// As the docstring states it.
constexpr double kTolerance = 1e-5;

struct Shape {
    const char* what;
    Dims x;
    Dims weight;
    IntPair stride = 1;
    IntPair padding = 0;
    IntPair dilation = 1;
    std::int64_t groups = 1;
};

const std::vector<Shape>& shapes() {
    static const std::vector<Shape> all = {
        {.what = "one tap", .x = {1, 1, 1, 1}, .weight = {1, 1, 1, 1}},
        {.what = "plain", .x = {2, 3, 5, 7}, .weight = {4, 3, 3, 3}},
        {.what = "padded", .x = {1, 2, 4, 4}, .weight = {3, 2, 3, 3}, .padding = 1},
        {.what = "uneven",
         .x = {2, 2, 9, 6},
         .weight = {3, 2, 2, 3},
         .stride = {2, 3},
         .padding = {1, 2},
         .dilation = {3, 1}},
        {.what = "stride leaves a rest", .x = {1, 2, 8, 8}, .weight = {2, 2, 3, 3}, .stride = 3},
        {.what = "phases without taps",
         .x = {1, 2, 5, 7},
         .weight = {2, 2, 1, 2},
         .stride = {2, 3}},
        {.what = "strides and dilations share factors",
         .x = {1, 2, 11, 6},
         .weight = {2, 2, 2, 3},
         .stride = {6, 2},
         .padding = {3, 1},
         .dilation = {4, 2}},
        {.what = "stride larger than x",
         .x = {2, 2, 3, 4},
         .weight = {2, 2, 3, 3},
         .stride = {5, 7},
         .padding = 1},
        {.what = "phases of several tiles",
         .x = {2, 9, 29, 31},
         .weight = {13, 9, 3, 3},
         .stride = 2,
         .padding = 1},
        {.what = "pointwise", .x = {2, 33, 4, 3}, .weight = {17, 33, 1, 1}},
        {.what = "groups", .x = {2, 6, 5, 5}, .weight = {4, 3, 3, 3}, .padding = 1, .groups = 2},
        {.what = "depthwise",
         .x = {2, 5, 6, 7},
         .weight = {5, 1, 3, 3},
         .stride = 2,
         .padding = 1,
         .groups = 5},
        {.what = "depthwise, two results a channel",
         .x = {1, 3, 4, 4},
         .weight = {6, 1, 3, 3},
         .groups = 3},
        {.what = "several tiles", .x = {1, 5, 13, 11}, .weight = {67, 5, 3, 3}, .padding = 1},
        {.what = "large", .x = {2, 37, 15, 14}, .weight = {41, 37, 3, 3}, .padding = 1},
        {.what = "many places", .x = {1, 1, 300, 301}, .weight = {1, 1, 2, 2}},
        {.what = "kernel as large as x", .x = {3, 2, 4, 5}, .weight = {2, 2, 4, 5}},
        {.what = "kernel larger than x",
         .x = {2, 1, 2, 3},
         .weight = {3, 1, 5, 7},
         .stride = {1, 2},
         .padding = {2, 3}},
        {.what = "prime channels", .x = {1, 13, 3, 5}, .weight = {11, 13, 3, 1}, .padding = {1, 0}},
        {.what = "no images", .x = {0, 2, 4, 5}, .weight = {2, 2, 3, 3}},
    };
    return all;
}

std::size_t index(std::initializer_list<std::int64_t> at, const Dims& sizes) {
    std::int64_t flat = 0;
    std::int64_t d = 0;
    for (const std::int64_t i : at) {
        flat = flat * sizes[d++] + i;
    }
    return static_cast<std::size_t>(flat);
}

// conv2d in float64, loop by loop.
std::vector<double> reference(const Shape& s,
                              const Tensor& x,
                              const Tensor& weight,
                              const Tensor& bias) {
    const std::vector<double> xs = x.to_vector<double>();
    const std::vector<double> ws = weight.to_vector<double>();
    const std::vector<double> bs =
        bias.defined() ? bias.to_vector<double>()
                       : std::vector<double>(static_cast<std::size_t>(s.weight[0]), 0.0);
    const std::int64_t rows =
        (s.x[2] + 2 * s.padding.rows - s.dilation.rows * (s.weight[2] - 1) - 1) / s.stride.rows + 1;
    const std::int64_t cols =
        (s.x[3] + 2 * s.padding.cols - s.dilation.cols * (s.weight[3] - 1) - 1) / s.stride.cols + 1;
    std::vector<double> ys;
    const auto at_place = [&](std::int64_t n, std::int64_t o, std::int64_t row, std::int64_t col) {
        double total = bs[static_cast<std::size_t>(o)];
        const std::int64_t first = o / (s.weight[0] / s.groups) * s.weight[1];
        for (std::int64_t c = 0; c < s.weight[1]; ++c) {
            for (std::int64_t i = 0; i < s.weight[2]; ++i) {
                for (std::int64_t j = 0; j < s.weight[3]; ++j) {
                    const std::int64_t h =
                        row * s.stride.rows + i * s.dilation.rows - s.padding.rows;
                    const std::int64_t w =
                        col * s.stride.cols + j * s.dilation.cols - s.padding.cols;
                    if (h >= 0 && h < s.x[2] && w >= 0 && w < s.x[3]) {
                        total += ws[index({o, c, i, j}, s.weight)] *
                                 xs[index({n, first + c, h, w}, s.x)];
                    }
                }
            }
        }
        ys.push_back(total);
    };
    for (std::int64_t n = 0; n < s.x[0]; ++n) {
        for (std::int64_t o = 0; o < s.weight[0]; ++o) {
            for (std::int64_t row = 0; row < rows; ++row) {
                for (std::int64_t col = 0; col < cols; ++col) {
                    at_place(n, o, row, col);
                }
            }
        }
    }
    return ys;
}

Tensor run(const Shape& s, In in) {
    return conv2d(
        in[0], in[1], in.size() > 2 ? in[2] : Tensor(), s.stride, s.padding, s.dilation, s.groups);
}

std::vector<Tensor> gradients_of(const Shape& s, In in, DType dtype) {
    std::vector<Tensor> leaves;
    for (const Tensor& each : in) {
        leaves.push_back(each.to(dtype).detach().clone().set_requires_grad(true));
    }
    run(s, leaves).sum().backward();
    std::vector<Tensor> gradients;
    for (const Tensor& leaf : leaves) {
        gradients.push_back(leaf.grad());
    }
    return gradients;
}

std::vector<Tensor> narrow_inputs(const Shape& s, DType dtype) {
    return {random_tensor(s.x, 0.0, 1.0, 1, dtype),
            random_tensor(s.weight, 0.0, 0.1, 2, dtype),
            random_tensor({s.weight[0]}, 0.0, 1.0, 3, dtype)};
}

void check_narrow(const Shape& s, DType dtype) {
    CAPTURE(to_string(dtype));
    const std::vector<Tensor> in = narrow_inputs(s, dtype);
    const Tensor y = run(s, in);
    CHECK(y.dtype() == dtype);
    check_close(y, reference(s, in[0], in[1], in[2]), tolerance_of(dtype));
}

// A narrow dtype's gradients are those in float32, rounded once.
void check_gradients_as_float32(const Shape& s, DType dtype) {
    CAPTURE(to_string(dtype));
    const std::vector<Tensor> in = narrow_inputs(s, dtype);
    const std::vector<Tensor> got = gradients_of(s, in, dtype);
    const std::vector<Tensor> wanted = gradients_of(s, in, kFloat32);
    for (std::size_t i = 0; i < got.size(); ++i) {
        CHECK(got[i].dtype() == dtype);
        check_close(got[i], wanted[i].to_vector<double>(), tolerance_of(dtype));
    }
}

using ops::ConvRole;

// The operator as it would run on hardware: with the kernel whose tiles lie in shared memory.
template <ConvRole kRole>
dispatch::OpDef on_hardware(dispatch::OpDef def) {
    def.select = [](const dispatch::OpCall& call,
                    std::span<const Tensor> outputs,
                    const vk::Capabilities& caps,
                    dispatch::Program& program) {
        vk::Capabilities hardware = caps;
        hardware.is_cpu = false;
        ops::append_convolution(kRole, call, outputs, hardware, program);
    };
    return def;
}

Tensor call_on(const dispatch::OpDef& def,
               std::vector<Tensor> inputs,
               const ops::ConvAttrs& attrs) {
    return dispatch::call(def, inputs, attrs);
}

}  // namespace

TEST_CASE("conv2d: float64 reference over shapes, strides, paddings, dilations and groups" *
          doctest::test_suite("long")) {
    for (const Shape& s : shapes()) {
        CAPTURE(std::string(s.what));
        const Tensor x = random_tensor(s.x, -1.0, 1.0, 1);
        const Tensor weight = random_tensor(s.weight, -1.0, 1.0, 2);
        const Tensor bias = random_tensor({s.weight[0]}, -1.0, 1.0, 3);
        check_close(run(s, {x, weight}), reference(s, x, weight, {}), kTolerance);
        check_close(run(s, {x, weight, bias}), reference(s, x, weight, bias), kTolerance);
    }
    const Tensor no_channels =
        conv2d(ones({1, 0, 3, 3}), ones({2, 0, 2, 2}), tensor<float>({3, 4}));
    check_close(no_channels, {3, 3, 3, 3, 4, 4, 4, 4});
}

TEST_CASE("conv2d: narrow floats, views, and images without a batch" *
          doctest::test_suite("long")) {
    const Shape full = {.what = "", .x = {2, 4, 5, 7}, .weight = {5, 4, 3, 3}, .padding = 1};
    const Shape depthwise = {
        .what = "", .x = {2, 3, 4, 5}, .weight = {3, 1, 3, 3}, .padding = 1, .groups = 3};
    Shape strided = depthwise;  // neighbours of a word in different phases
    strided.stride = {1, 2};
    check_narrow(full, kBFloat16);  // float16 compiles longer
    for (const DType dtype : {kFloat16, kBFloat16}) {
        check_narrow(depthwise, dtype);
        check_gradients_as_float32(depthwise, dtype);
        check_gradients_as_float32(strided, dtype);
    }
    const Shape s = {.what = "", .x = {2, 3, 5, 7}, .weight = {4, 3, 3, 3}, .padding = 1};
    const Tensor turned = random_tensor({7, 3, 5, 2}).transpose(0, 3);
    const Tensor weight = random_tensor({4, 3, 6, 3}, -1.0, 1.0, 2).slice(2, 0, 6, 2);
    const Tensor bias = random_tensor({9}).narrow(0, 5, 4);
    check_close(run(s, {turned, weight, bias}), reference(s, turned, weight, bias), kTolerance);
    check_same_bits(run(s, {turned[1], weight}), run(s, {turned, weight})[1]);
}

TEST_CASE("conv2d: the kernel for hardware agrees, result and gradients") {
    constexpr double kApart = 2 * kTolerance;  // both are rounded
    static const dispatch::OpDef kResult = on_hardware<ConvRole::kResult>(ops::kConv2d);
    static const dispatch::OpDef kImage =
        on_hardware<ConvRole::kImageGradient>(ops::kConv2dImageGradient);
    static const dispatch::OpDef kWeight =
        on_hardware<ConvRole::kWeightGradient>(ops::kConv2dWeightGradient);
    for (const Shape& s : shapes()) {
        const std::string what = s.what;
        if (what != "uneven" && what != "phases of several tiles" && what != "groups" &&
            what != "several tiles") {
            continue;  // each kind of tile compiles for long on software drivers
        }
        CAPTURE(what);
        ops::ConvAttrs attrs{
            .stride = s.stride, .padding = s.padding, .dilation = s.dilation, .groups = s.groups};
        Tensor x = random_tensor(s.x, -1.0, 1.0, 1).set_requires_grad(true);
        Tensor weight = random_tensor(s.weight, -1.0, 1.0, 2).set_requires_grad(true);
        const Tensor bias = random_tensor({s.weight[0]}, -1.0, 1.0, 3);
        const Tensor y = run(s, {x, weight, bias});
        const Tensor gradient = random_tensor(y.sizes(), -1.0, 1.0, 4);
        y.backward(gradient);
        const NoGradGuard guard;
        check_close(call_on(kResult, {x, weight, bias}, attrs), y.to_vector<double>(), kApart);
        attrs.extent = {s.x[2], s.x[3]};
        check_close(
            call_on(kImage, {gradient, weight}, attrs), x.grad().to_vector<double>(), kApart);
        attrs.extent = {s.weight[2], s.weight[3]};
        check_close(
            call_on(kWeight, {gradient, x}, attrs), weight.grad().to_vector<double>(), kApart);
    }
}

TEST_CASE("conv2d: the modes agree, gradients of x, weight and bias") {
    for (const Shape& s : shapes()) {
        if (numel(s.x) > 150 || s.x[0] == 0) {
            continue;
        }
        CAPTURE(std::string(s.what));
        const std::vector<Tensor> inputs = {random_tensor(s.x, -1.0, 1.0, 1),
                                            random_tensor(s.weight, -1.0, 1.0, 2),
                                            random_tensor({s.weight[0]}, -1.0, 1.0, 3)};
        const auto function = [&s](In in) { return run(s, in); };
        check_modes(function, inputs);
        check_gradients(function, inputs);
    }
}

TEST_CASE("conv2d: gradients of nothing are zeros") {
    const Tensor x = zeros({0, 2, 4, 4}, {kFloat32, true});
    const Tensor weight = ones({3, 2, 3, 3}, {kFloat32, true});
    conv2d(x, weight).sum().backward();
    CHECK(x.grad().sizes() == x.sizes());
    check_close(weight.grad(), std::vector<double>(54, 0.0));
}

TEST_CASE("conv2d: gradients of gradients") {
    const Shape s = {.what = "",
                     .x = {1, 2, 4, 3},
                     .weight = {2, 1, 2, 2},
                     .stride = 2,
                     .padding = 1,
                     .groups = 2};
    const Tensor x = random_tensor(s.x).set_requires_grad(true);
    const Tensor weight = random_tensor(s.weight, -1.0, 1.0, 2).set_requires_grad(true);
    CHECK(autograd::gradgradcheck([&s](In in) { return std::vector<Tensor>{run(s, in)}; },
                                  {x, weight}));
}

TEST_CASE("conv2d: refusals") {
    const Tensor x = ones({1, 4, 5, 5});
    const Tensor weight = ones({2, 4, 3, 3});
    check_throws<ShapeError>([&] { conv2d(x, ones({2, 3, 3, 3})); }, "weight [2, 3, 3, 3] float32");
    check_throws<ShapeError>([&] { conv2d(x, ones({3, 2, 3, 3}), {}, 1, 0, 1, 2); }, "2 groups");
    check_throws<ShapeError>([&] { conv2d(ones({4, 5}), weight); }, "x [4, 5] float32");
    check_throws<ShapeError>([&] { conv2d(x, weight, ones({3})); }, "bias must be [O], here [2]");
    check_throws<ShapeError>([&] { conv2d(x, weight, {}, 1, 0, 3); }, "larger than the padded x");
    check_throws<ShapeError>([&] { conv2d(x, ones({2, 4, 0, 3})); }, "must not be empty");
    check_throws<ShapeError>([&] { conv2d(ones({1, 4, 0, 5}), weight, {}, 1, 2); }, "not be empty");
    check_throws<DTypeError>([&] { conv2d(x, weight.to(kFloat16)); }, "weight must have x's dtype");
    check_throws<DTypeError>([&] { conv2d(x.to(kInt32), weight.to(kInt32)); }, "floating");
    for (const auto& numbers : {std::vector<std::int64_t>{0, 0, 1, 1},
                                std::vector<std::int64_t>{1, -1, 1, 1},
                                std::vector<std::int64_t>{1, 0, 0, 1},
                                std::vector<std::int64_t>{1, 0, 1, 0},
                                std::vector<std::int64_t>{1, 1LL << 40, 1, 1}}) {
        check_throws<ArgumentError>(
            [&] { conv2d(x, weight, {}, numbers[0], numbers[1], numbers[2], numbers[3]); },
            "[conv2d] stride, dilation and groups must be in [1, 536870912], padding in [0");
    }
    check_throws<DTypeError>([&] { conv2d(x, weight, ones({2}, kFloat16)); }, "bias must have");
    const Tensor i = inference_mode([] { return ones({2, 4, 3, 3}); });
    check_throws<GradModeError>(
        [&] {
            conv2d(ones({1, 4, 5, 5}, {kFloat32, true}), i);
        },
        "Inference tensors cannot be saved for backward.");
}
