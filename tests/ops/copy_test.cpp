// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace pumice::test {

namespace {

constexpr DType kAll[] = {kFloat32, kFloat16, kBFloat16, kInt32, kInt8, kUInt8, kBool};

}  // namespace

TEST_CASE("clone and contiguous copy views of any dtype") {
    for (const DType dtype : kAll) {
        const Tensor x = arange(7 * 6 * 5).to(dtype).view({7, 6, 5});
        const Tensor view = x.transpose(0, 2).slice(1, 1, 6, 2);
        CHECK(!view.is_contiguous());
        const Tensor copy = view.contiguous();
        CHECK(copy.is_contiguous());
        const std::vector<float> all = x.to_vector<float>();
        std::vector<float> wanted;
        for (std::size_t k = 0; k < 5; ++k) {
            for (std::size_t j = 1; j < 6; j += 2) {
                for (std::size_t i = 0; i < 7; ++i) {
                    wanted.push_back(all[(i * 6 + j) * 5 + k]);
                }
            }
        }
        CHECK(copy.to_vector<float>() == wanted);
        check_same_bits(view.clone(), copy);
    }
    const Tensor x = zeros({3});
    CHECK(x.contiguous().is_same(x));
    CHECK(!x.clone().is_same(x));
    const Function function = [](const std::vector<Tensor>& in) { return clone(in[0].t()); };
    check_modes(function, {random_tensor({5, 6})});
    check_gradients(function, {random_tensor({2, 3})});
}

TEST_CASE("eight ragged dimensions are copied both ways") {
    for (const DType dtype : {kFloat32, kFloat16, kInt8}) {
        const Tensor x = arange(1296).to(dtype).view({2, 3, 2, 3, 2, 3, 2, 3});
        const Tensor view = x.permute({7, 2, 5, 0, 3, 6, 1, 4});
        const Tensor there = view.contiguous();
        Tensor back = zeros({2, 3, 2, 3, 2, 3, 2, 3}, dtype);
        Tensor target = back.permute({7, 2, 5, 0, 3, 6, 1, 4});
        target.copy_(there);
        check_same_bits(back, x);
    }
}

TEST_CASE("conversions round once, truncate toward zero and saturate") {
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor x = tensor<float>({1.9F, -1.9F, 0.0F, 65520.0F, 1e-8F, nan, -inf});
    CHECK(x.to(kInt32).to_vector<int>() ==
          std::vector<int>{1, -1, 0, 65520, 0, 0, std::numeric_limits<int>::min()});
    CHECK(x.to(kBool).to_vector<int>() == std::vector<int>{1, 1, 0, 1, 1, 1, 1});
    CHECK(std::isinf(x.to(kFloat16).to_vector<float>()[3]));
    CHECK(x.to(kFloat32).is_same(x));
    check_close(tensor<float>({2049.0F, 2051.0F}).to(kFloat16), {2048, 2052});
    check_close(tensor<float>({257.0F, 259.0F}).to(kBFloat16), {256, 260});
    CHECK(tensor<std::int32_t>({300, -1, 128}).to(kUInt8).to_vector<int>() ==
          std::vector<int>{44, 255, 128});
    CHECK(tensor<std::int32_t>({300, -1, 128}).to(kInt8).to_vector<int>() ==
          std::vector<int>{44, -1, -128});
    CHECK(tensor<std::int8_t>({-5}).to(kFloat16).to_vector<float>() == std::vector<float>{-5.0F});
    const Function function = [](const std::vector<Tensor>& in) {
        return to(to(in[0], kFloat16), kFloat32);
    };
    check_modes(function, {random_tensor({1021})});
    Tensor leaf = tensor<float>({1.0F, 2.0F});
    leaf.set_requires_grad(true);
    to(leaf, kFloat16).sum().backward();
    CHECK(leaf.grad().dtype() == kFloat32);
    check_close(leaf.grad(), {1, 1});
}

TEST_CASE("to(options) takes a dtype and refuses requires_grad") {
    const Tensor x = tensor<float>({1.5F, -2.5F});
    CHECK(x.to(TensorOptions(kInt32)).to_vector<int>() == std::vector<int>{1, -2});
    check_throws<ArgumentError>([&x] { x.to(TensorOptions(kFloat16, true)); },
                                "[to] the options must leave requires_grad unset");
}

TEST_CASE("copy_ converts, broadcasts and writes only the view") {
    for (const DType dtype : kAll) {
        Tensor x = ones({6, 7}, dtype);
        Tensor view = x.slice(0, 1, 6, 2).slice(1, 1, 7, 2);
        CHECK(view.copy_(tensor<float>({0.0F, 1.0F, 0.0F})).is_same(view));
        std::vector<int> wanted(42, 1);
        for (std::size_t row = 1; row < 6; row += 2) {
            wanted[row * 7 + 1] = 0;
            wanted[row * 7 + 5] = 0;
        }
        CHECK(x.to_vector<int>() == wanted);
    }
    Tensor x = zeros({2, 3});
    check_throws<ShapeError>([&] { x.copy_(zeros({4})); }, "[copy_]");
    check_throws<ShapeError>([&] { x.copy_(zeros({5, 2, 3})); }, "[copy_]");
    Tensor same = tensor<float>({1.0F, 2.0F, 3.0F, 4.0F}).view({2, 2});
    same.copy_(same.t());
    check_close(same, {1, 3, 2, 4});
}

TEST_CASE("copy_ gives its gradient to the source alone") {
    Tensor a = tensor<float>({1.0F, 2.0F, 3.0F});
    Tensor b = tensor<float>({5.0F});
    a.set_requires_grad(true);
    b.set_requires_grad(true);
    Tensor y = mul(a, 2.0);
    y.narrow(0, 1, 2).copy_(b);
    y.sum().backward();
    check_close(a.grad(), {2, 0, 0});
    check_close(b.grad(), {2});
    Tensor c = tensor<float>({1.0F, 2.0F});
    c.set_requires_grad(true);
    Tensor z = mul(c, 3.0);
    z.narrow(0, 0, 1).fill_(7.0);
    z.sum().backward();
    check_close(c.grad(), {0, 3});
}

TEST_CASE("fill_ and zero_ write every element once") {
    for (const DType dtype : kAll) {
        for (const std::int64_t count : {0, 1, 3, 4, 5, 1021}) {
            Tensor x = zeros({count}, dtype);
            x.fill_(1);
            CHECK(x.to_vector<int>() == std::vector<int>(static_cast<std::size_t>(count), 1));
            x.zero_();
            CHECK(x.to_vector<int>() == std::vector<int>(static_cast<std::size_t>(count), 0));
        }
    }
    Tensor x = zeros({3});
    check_close(x.fill_(0.1), {0.1F, 0.1F, 0.1F});
    Tensor half = zeros({3}, kFloat16);
    check_close(half.fill_(0.1), {0.1, 0.1, 0.1});
    Tensor ragged = zeros({2, 3, 2, 3, 2, 3, 2, 3});
    Tensor view = ragged.permute({7, 2, 5, 0, 3, 6, 1, 4}).slice(0, 0, 3, 2);
    view.fill_(2.0);
    CHECK(ragged.sum().item() == 2.0 * 864);
}

TEST_CASE("fill_ checks the range of any geometry, as full does") {
    for (const bool is_ragged : {false, true}) {
        CAPTURE(is_ragged);
        const auto filled = [is_ragged](const Scalar& value, DType dtype) {
            Tensor x = ones({2, 3, 2, 3, 2}, dtype);
            if (is_ragged) {
                x = x.permute({4, 1, 0, 3, 2}).slice(1, 0, 3, 2);
            }
            try {
                x.fill_(value);
            } catch (const DTypeError&) {
                CHECK(x.sum().item() == static_cast<double>(x.numel()));
                throw;
            }
            return select(x.contiguous().flatten(), 0, -1);
        };
        check_throws<DTypeError>([&] { filled(300, kUInt8); },
                                 "[fill_] uint8 cannot hold the value 300");
        check_throws<DTypeError>([&] { filled(-1, kUInt8); }, "[fill_] uint8 cannot hold");
        check_throws<DTypeError>([&] { filled(128, kInt8); }, "[fill_] int8 cannot hold");
        check_throws<DTypeError>([&] { filled(1LL << 40U, kInt32); },
                                 "[fill_] int32 cannot hold the value 1099511627776");
        const double nan = std::numeric_limits<double>::quiet_NaN();
        check_throws<DTypeError>([&] { filled(nan, kInt32); },
                                 "[fill_] int32 cannot hold the value nan");
        check_throws<DTypeError>([&] { filled(1e300, kInt8); }, "[fill_] int8 cannot hold");
        CHECK(filled(-2.7, kInt8).item() == -2.0);
        CHECK(filled(255, kUInt8).item() == 255.0);
        CHECK(filled(0.5, kBool).item() == 1.0);
        CHECK(filled(nan, kBool).item() == 1.0);
        CHECK(std::isnan(filled(nan, kFloat16).item()));
        // Between a tie of float16 and the next float32: rounded twice, it would fall to 1.
        const double near_tie = 1.0 + 0x1p-11 + 0x1p-40;
        check_same_bits(filled(near_tie, kFloat16), scalar_tensor(near_tie, kFloat16));
    }
    const Tensor one = zeros({1, 1, 1, 1, 1});
    Tensor wide = one.expand({2, 1, 3, 1, 2});
    CHECK(wide.fill_(3).to_vector<int>() == std::vector<int>(12, 3));
}

}  // namespace pumice::test
