// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

using namespace pumice;
using namespace pumice::test;

namespace {

std::vector<double> reference(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const std::vector<double> xv = x.to_vector<double>();
    const std::vector<double> wv = weight.to_vector<double>();
    const std::vector<double> bv =
        bias.defined() ? bias.to_vector<double>() : std::vector<double>();
    const auto in = static_cast<std::size_t>(weight.size(1));
    const auto out = static_cast<std::size_t>(weight.size(0));
    const std::size_t rows = in == 0 ? 0 : xv.size() / in;
    std::vector<double> values;
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t o = 0; o < out; ++o) {
            double sum = bias.defined() ? bv[o] : 0.0;
            for (std::size_t i = 0; i < in; ++i) {
                sum += xv[r * in + i] * wv[o * in + i];
            }
            values.push_back(sum);
        }
    }
    return values;
}

// 4e-6: products of up to 64 terms below 1 in float32.
double tolerance(DType dtype) {
    return dtype == kFloat32 ? 4e-6 : 2.0 * tolerance_of(dtype);
}

void check_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    INFO("x " << to_string(x.sizes()) << ", weight " << to_string(weight.sizes()));
    const Tensor y = linear(x, weight, bias);
    Dims sizes = x.sizes();
    sizes[sizes.count() - 1] = weight.size(0);
    CHECK(y.sizes() == sizes);
    check_close(y, reference(x, weight, bias), tolerance(x.dtype()));
}

const auto kLinear = [](const std::vector<Tensor>& x) {
    return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor());
};

}  // namespace

TEST_CASE("linear: shapes, with and without bias") {
    for (const Dims& sizes : {Dims{7}, Dims{1, 7}, Dims{17, 7}, Dims{3, 5, 7}, Dims{2, 3, 2, 7}}) {
        for (const std::int64_t features : {1, 16, 33}) {
            const Tensor x = random_tensor(sizes, -1.0, 1.0, 1);
            const Tensor weight = random_tensor({features, 7}, -1.0, 1.0, 2);
            check_linear(x, weight, random_tensor({features}, -1.0, 1.0, 3));
            check_linear(x, weight, {});
        }
    }
    check_linear(random_tensor({130, 64}), random_tensor({66, 64}), random_tensor({66}));
}

TEST_CASE("linear: narrow dtypes round once, after the bias") {
    for (const DType dtype : {kFloat16, kBFloat16}) {
        for (const std::int64_t features : {3, 8}) {
            check_linear(random_tensor({5, 6}, -1.0, 1.0, 1, dtype),
                         random_tensor({features, 6}, -1.0, 1.0, 2, dtype),
                         random_tensor({features}, -1.0, 1.0, 3, dtype));
        }
    }
}

TEST_CASE("linear: strided operands and an expanded bias") {
    const Tensor x = random_tensor({4, 3, 6}, -1.0, 1.0, 1).transpose(0, 1);
    const Tensor weight = random_tensor({6, 10}, -1.0, 1.0, 2).t();
    check_linear(x, weight, random_tensor({1}, -1.0, 1.0, 3).expand({10}));
    check_linear(x, weight, random_tensor({20}, -1.0, 1.0, 3).slice(0, 1, 20, 2));
}

TEST_CASE("linear: a long depth is split and gets its bias once") {
    const Tensor x = random_tensor({3, 4096}, 0.0, 1.0, 1);
    const Tensor weight = random_tensor({5, 4096}, 0.0, 1.0, 2);
    const Tensor bias = full({5}, 1000.0);
    check_close(linear(x, weight, bias), reference(x, weight, bias), 1e-5);
}

TEST_CASE("linear: empty sizes") {
    CHECK(linear(zeros({0, 3}), zeros({2, 3}), zeros({2})).sizes() == Dims{0, 2});
    const Tensor bias = tensor<float>({1.0F, 2.0F});
    CHECK(linear(zeros({2, 0}), zeros({2, 0}), bias).to_vector<float>() ==
          std::vector<float>{1.0F, 2.0F, 1.0F, 2.0F});
}

TEST_CASE("linear: modes agree") {
    check_modes(kLinear,
                {random_tensor({2, 19, 16}), random_tensor({33, 16}), random_tensor({33})});
}

TEST_CASE("linear: gradients") {
    check_gradients(kLinear, {random_tensor({3, 4}), random_tensor({2, 4}), random_tensor({2})});
    check_gradients(kLinear, {random_tensor({4}), random_tensor({2, 4}), random_tensor({2})});
    check_gradients(kLinear, {random_tensor({2, 3, 4}), random_tensor({2, 4})});
}

TEST_CASE("linear: only wanted gradients are made") {
    const Tensor x = random_tensor({3, 4});
    Tensor weight = random_tensor({2, 4});
    weight.set_requires_grad(true);
    sum(linear(x, weight)).backward();
    CHECK(weight.grad().defined());
    CHECK(!x.grad().defined());
}

TEST_CASE("linear: errors") {
    check_throws<ShapeError>(
        [] {
            linear(zeros({2, 3}), zeros({4, 5}));
        },
        "[linear] x must be [..., I] and weight [O, I]; got x [2, 3]");
    check_throws<ShapeError>([] { linear(zeros({2, 3}), zeros({3})); }, "[linear] x must be");
    check_throws<ShapeError>(
        [] {
            linear(zeros({2, 3}), zeros({4, 3}), zeros({3}));
        },
        "[linear] bias must be [O] for weight [O, I]; got bias [3]");
    check_throws<DTypeError>(
        [] {
            linear(zeros({2, 3}), zeros({4, 3}, kFloat16));
        },
        "[linear] x, weight and bias must have one dtype");
    check_throws<DTypeError>(
        [] {
            linear(zeros({2, 3}), zeros({4, 3}), zeros({4}, kBFloat16));
        },
        "[linear] x, weight and bias must have one dtype");
}
