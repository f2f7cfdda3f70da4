// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/tensor.h"

#include <optional>
#include <string_view>
#include <utility>

namespace pumice {

// Arithmetic with broadcasting and type promotion. Tensor-scalar forms take the scalar's class.
Tensor add(Tensor a, Tensor b, const Scalar& alpha = 1);
Tensor add(Tensor a, const Scalar& b);
Tensor sub(Tensor a, Tensor b, const Scalar& alpha = 1);
Tensor sub(Tensor a, const Scalar& b);
Tensor rsub(Tensor a, const Scalar& b);
Tensor mul(Tensor a, Tensor b);
Tensor mul(Tensor a, const Scalar& b);
Tensor div(Tensor a, Tensor b);
Tensor div(Tensor a, const Scalar& b);
Tensor pow(Tensor a, Tensor b);
Tensor pow(Tensor a, const Scalar& b);
Tensor maximum(Tensor a, Tensor b);
Tensor minimum(Tensor a, Tensor b);

// One operand.
Tensor neg(Tensor x);
Tensor abs(Tensor x);
Tensor sign(Tensor x);
Tensor square(Tensor x);
Tensor sqrt(Tensor x);
Tensor rsqrt(Tensor x);
Tensor reciprocal(Tensor x);
Tensor exp(Tensor x);
Tensor log(Tensor x);
Tensor log1p(Tensor x);
Tensor sin(Tensor x);
Tensor cos(Tensor x);
Tensor tanh(Tensor x);
Tensor sinh(Tensor x);
Tensor cosh(Tensor x);
Tensor asinh(Tensor x);
Tensor erf(Tensor x);
Tensor sigmoid(Tensor x);
Tensor relu(Tensor x);
/// approximate: "none" (erf form) or "tanh".
Tensor gelu(Tensor x, std::string_view approximate = "none");
Tensor silu(Tensor x);
Tensor softplus(Tensor x, double beta = 1.0, double threshold = 20.0);
Tensor clamp(Tensor x, std::optional<Scalar> min, std::optional<Scalar> max);
Tensor nan_to_num(Tensor x,
                  double nan = 0.0,
                  std::optional<double> posinf = {},
                  std::optional<double> neginf = {});
Tensor isnan(Tensor x);
Tensor isfinite(Tensor x);
Tensor logical_not(Tensor x);

// Comparisons and logic; the result is bool.
Tensor eq(Tensor a, Tensor b);
Tensor ne(Tensor a, Tensor b);
Tensor lt(Tensor a, Tensor b);
Tensor le(Tensor a, Tensor b);
Tensor gt(Tensor a, Tensor b);
Tensor ge(Tensor a, Tensor b);
Tensor eq(Tensor a, const Scalar& b);
Tensor ne(Tensor a, const Scalar& b);
Tensor lt(Tensor a, const Scalar& b);
Tensor le(Tensor a, const Scalar& b);
Tensor gt(Tensor a, const Scalar& b);
Tensor ge(Tensor a, const Scalar& b);
Tensor logical_and(Tensor a, Tensor b);
Tensor logical_or(Tensor a, Tensor b);
Tensor logical_xor(Tensor a, Tensor b);

/// condition ? a : b, broadcast over all three.
Tensor where(Tensor condition, Tensor a, Tensor b);

/// Converts to the dtype; itself if it has it already.
Tensor to(Tensor x, DType dtype);
/// A contiguous copy of kind by G21.
Tensor clone(Tensor x);
/// Itself if contiguous.
Tensor contiguous(Tensor x);

// In-place forms: write into `self`, which must already have the result's shape.
Tensor& add_(Tensor& self, Tensor other, const Scalar& alpha = 1);
Tensor& add_(Tensor& self, const Scalar& other);
Tensor& sub_(Tensor& self, Tensor other, const Scalar& alpha = 1);
Tensor& sub_(Tensor& self, const Scalar& other);
Tensor& mul_(Tensor& self, Tensor other);
Tensor& mul_(Tensor& self, const Scalar& other);
Tensor& div_(Tensor& self, Tensor other);
Tensor& div_(Tensor& self, const Scalar& other);
Tensor& pow_(Tensor& self, const Scalar& exponent);
Tensor& neg_(Tensor& self);
Tensor& abs_(Tensor& self);
Tensor& square_(Tensor& self);
Tensor& sqrt_(Tensor& self);
Tensor& rsqrt_(Tensor& self);
Tensor& exp_(Tensor& self);
Tensor& log_(Tensor& self);
Tensor& tanh_(Tensor& self);
Tensor& sigmoid_(Tensor& self);
Tensor& relu_(Tensor& self);
Tensor& clamp_(Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max);
Tensor& copy_(Tensor& self, Tensor source);
Tensor& fill_(Tensor& self, const Scalar& value);
Tensor& zero_(Tensor& self);

// Forms with `out`: write into `out`, which must have the result's shape and dtype.
Tensor& add_out(Tensor& out, Tensor a, Tensor b, const Scalar& alpha = 1);
Tensor& sub_out(Tensor& out, Tensor a, Tensor b, const Scalar& alpha = 1);
Tensor& mul_out(Tensor& out, Tensor a, Tensor b);
Tensor& div_out(Tensor& out, Tensor a, Tensor b);
Tensor& exp_out(Tensor& out, Tensor x);
Tensor& log_out(Tensor& out, Tensor x);
Tensor& sqrt_out(Tensor& out, Tensor x);
Tensor& tanh_out(Tensor& out, Tensor x);
Tensor& sigmoid_out(Tensor& out, Tensor x);

inline Tensor operator+(Tensor a, Tensor b) {
    return add(std::move(a), std::move(b));
}

inline Tensor operator+(Tensor a, const Scalar& b) {
    return add(std::move(a), b);
}

inline Tensor operator+(const Scalar& a, Tensor b) {
    return add(std::move(b), a);
}

inline Tensor operator-(Tensor a, Tensor b) {
    return sub(std::move(a), std::move(b));
}

inline Tensor operator-(Tensor a, const Scalar& b) {
    return sub(std::move(a), b);
}

inline Tensor operator-(const Scalar& a, Tensor b) {
    return rsub(std::move(b), a);
}

inline Tensor operator-(Tensor x) {
    return neg(std::move(x));
}

inline Tensor operator*(Tensor a, Tensor b) {
    return mul(std::move(a), std::move(b));
}

inline Tensor operator*(Tensor a, const Scalar& b) {
    return mul(std::move(a), b);
}

inline Tensor operator*(const Scalar& a, Tensor b) {
    return mul(std::move(b), a);
}

inline Tensor operator/(Tensor a, Tensor b) {
    return div(std::move(a), std::move(b));
}

inline Tensor operator/(Tensor a, const Scalar& b) {
    return div(std::move(a), b);
}

}  // namespace pumice
