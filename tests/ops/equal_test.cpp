// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace pumice;
using namespace pumice::test;

TEST_CASE("equal: shapes and elements, in every dtype and mode") {
    for (const DType dtype : {kFloat32, kFloat16, kBFloat16, kInt32, kInt8, kUInt8, kBool}) {
        CAPTURE(to_string(dtype));
        const Tensor x = to(tensor<float>({0.0F, 1.0F, 1.0F}), dtype);
        const Tensor other = to(tensor<float>({0.0F, 1.0F, 0.0F}), dtype);
        CHECK(equal(x, x.clone()));
        CHECK_FALSE(equal(x, other));
        CHECK_FALSE(equal(x, view(x, {3, 1})));
        CHECK_FALSE(equal(x, narrow(x, 0, 0, 2)));
        CHECK(inference_mode([&] { return equal(x.clone(), x.clone()); }));
    }
    CHECK(equal(zeros({0, 3}), zeros({0, 3})));
    CHECK_FALSE(equal(tensor<float>({NAN}), tensor<float>({NAN})));
    CHECK(equal(tensor<float>({-0.0F}), tensor<float>({0.0F})));
    const Tensor square = random_tensor({5, 5});
    CHECK(equal(transpose(square, 0, 1), transpose(square, 0, 1).clone()));
    CHECK_FALSE(equal(square, transpose(square, 0, 1)));
}

TEST_CASE("equal: of tensors that require grad records nothing") {
    Tensor x = ones({3});
    x.set_requires_grad(true);
    CHECK(equal(x, ones({3})));
    CHECK(allclose(x, ones({3})));
}

TEST_CASE("allclose: tolerances are relative to b and absolute") {
    const Tensor a = tensor<float>({1.0F, 100.0F});
    const Tensor b = tensor<float>({1.0F, 101.0F});
    CHECK_FALSE(allclose(a, b));
    CHECK_FALSE(allclose(a, b, 0.0, 0.5));
    CHECK(allclose(a, b, 0.0, 1.5));
    CHECK_FALSE(allclose(a, b, 0.005, 0.0));
    CHECK(allclose(a, b, 0.02, 0.0));
    // 50 <= 0.6 * 100, but not 0.6 * 50.
    CHECK(allclose(tensor<float>({50.0F}), tensor<float>({100.0F}), 0.6, 0.0));
    CHECK_FALSE(allclose(tensor<float>({100.0F}), tensor<float>({50.0F}), 0.6, 0.0));
}

TEST_CASE("allclose: infinities and NaN, broadcast operands") {
    const Tensor odd = tensor<float>({INFINITY, -INFINITY, 1.0F});
    CHECK(allclose(odd, odd));
    CHECK_FALSE(allclose(odd, -odd));
    CHECK_FALSE(allclose(ones({1}), tensor<float>({INFINITY})));
    CHECK_FALSE(allclose(tensor<float>({INFINITY}), ones({1}), 1e9, 1e9));
    const Tensor nan = tensor<float>({NAN, 1.0F});
    CHECK_FALSE(allclose(nan, nan));
    CHECK(allclose(nan, nan, 1e-5, 1e-8, true));
    CHECK_FALSE(allclose(nan, ones({2}), 1e-5, 1e-8, true));
    CHECK(allclose(ones({3, 2}), ones({2})));
    CHECK(allclose(zeros({0}), ones({1})));
}

TEST_CASE("equal, allclose: errors") {
    check_throws<DTypeError>(
        [] { equal(ones({2}), ones({2}, kInt32)); },
        "[equal] a and b must have one dtype; got a [2] float32 and b [2] int32");
    check_throws<DTypeError>([] { allclose(ones({2}), ones({2}, kFloat16)); },
                             "[allclose] a and b must have one dtype");
    check_throws<ShapeError>([] { allclose(ones({2}), ones({3})); }, "[allclose]");
}
