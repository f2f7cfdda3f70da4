// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/tensor.h"

#include <optional>
#include <string_view>
#include <utility>

namespace PUMICE_API pumice {

/// @file
/// Operators that work element by element. Names and semantics are PyTorch's where nothing else is
/// said. Operands may have any shape and strides, and empty ones give empty results.
///
/// - Shapes: two operands broadcast as in NumPy; ShapeError where they do not.
/// - Common dtype: promote_types of the operands. A zero-dimensional tensor, and a Scalar, changes
///   it only where its category (bool, integer, floating) is higher than the other operand's: an
///   integer Scalar makes int32 of bool, a floating one float32 of bool and integers.
/// - Arithmetic: floating dtypes in float32, rounded once to the result's dtype; the others in
///   int32, wrapped to the result's dtype. ArgumentError for an integer Scalar, alpha included,
///   that int32 cannot hold where the others are computed in int32.
/// - The result is a new contiguous tensor, inference or normal as the thread's mode says.
/// - All throw ArgumentError for an undefined operand; ShapeError for an operand (an expanded view)
///   or a result of more than 2^31 - 1 elements; GradModeError (E3) while recording, if the
///   gradient would have to keep an inference tensor; OutOfMemoryError. All other operators do so
///   too.
/// - "Backward saves" says what a recorded call keeps in memory until the backward pass, or until
///   its history is dropped. Only what a wanted gradient needs is kept
///   (tests/autograd/saved_bytes_test.cpp).

/// a + alpha * b in the common dtype; bools give their disjunction. Backward saves nothing.
/// @throws ShapeError unless the shapes broadcast; ArgumentError for a floating alpha where the
///         common dtype is not floating, or an undefined operand
/// @{
Tensor add(Tensor a, Tensor b, const Scalar& alpha = 1);
Tensor add(Tensor a, const Scalar& b);
/// @}

/// a - alpha * b in the common dtype. Backward saves nothing.
/// @throws ShapeError, ArgumentError as add; DTypeError where both operands are bool
/// @{
Tensor sub(Tensor a, Tensor b, const Scalar& alpha = 1);
Tensor sub(Tensor a, const Scalar& b);
/// @}

/// b - a, otherwise as sub. @throws DTypeError where both operands are bool; ArgumentError for an
/// undefined a
Tensor rsub(Tensor a, const Scalar& b);

/// a * b in the common dtype; bools give their conjunction. Backward saves each tensor whose
/// partner's gradient is wanted, and nothing where b is a Scalar.
/// @throws ShapeError unless the shapes broadcast; ArgumentError for an undefined operand
/// @{
Tensor mul(Tensor a, Tensor b);
Tensor mul(Tensor a, const Scalar& b);
/// @}

/// a / b: true division, as torch.div without a rounding mode. The common dtype if that is
/// floating, else float32; by zero gives an infinity or NaN. Backward saves b, and a too if b's
/// gradient is wanted; nothing where b is a Scalar.
/// @throws ShapeError unless the shapes broadcast; ArgumentError for an undefined operand
/// @{
Tensor div(Tensor a, Tensor b);
Tensor div(Tensor a, const Scalar& b);
/// @}

/// a to the power b in the common dtype; special values as C's pow. Integers wrap, and an integer
/// tensor's negative exponents give 0, except for the bases 1 and -1. Backward saves the tensors.
/// @throws ShapeError unless the shapes broadcast; ArgumentError for an integer `a` with a negative
///         integer Scalar, or an undefined operand
/// @{
Tensor pow(Tensor a, Tensor b);
Tensor pow(Tensor a, const Scalar& b);
/// @}

/// The larger of a and b in the common dtype, NaN if either is. Where both are equal each gets half
/// of the gradient. Backward saves two bits for each element of the result, and neither operand.
/// @throws ShapeError unless the shapes broadcast; ArgumentError for an undefined operand
Tensor maximum(Tensor a, Tensor b);

/// The smaller of a and b; otherwise as maximum. @throws ShapeError, ArgumentError as maximum
Tensor minimum(Tensor a, Tensor b);

/// name(x), a new tensor, for each row of pumice/ops/unary.inc, which says what it is. From exp on
/// the formulas are Pumice's (shaders/include/math.glsl), within 2.4 ulp, with the same bits on
/// every device that rounds +, * and / correctly. @throws ArgumentError for an undefined x
#define PUMICE_UNARY(name, record) Tensor name(Tensor x);
#include "pumice/ops/unary.inc"
#undef PUMICE_UNARY

/// x * cdf(x) of the standard normal ("none"), or "tanh": 0.5 x (1 + tanh(sqrt(2 / pi) (x +
/// 0.044715 x^3))). Dtypes as sqrt. Backward saves x.
/// @throws ArgumentError for another name, or an undefined x
/// Source: Hendrycks, Gimpel, "Gaussian error linear units", 2016.
Tensor gelu(Tensor x, std::string_view approximate = "none");

/// log(1 + exp(beta x)) / beta, and x itself where beta x is above threshold. Dtypes as sqrt.
/// Backward saves x. @throws ArgumentError for a beta of 0, or an undefined x
Tensor softplus(Tensor x, double beta = 1.0, double threshold = 20.0);

/// min(max(x, min), max), either bound optional; max wins over min, and NaN stays. x's dtype, but
/// float32 for an integer or bool x with a floating bound. An integer bound may lie outside of x's
/// dtype (for bool: of int32) where it changes nothing. The gradient is passed on for elements
/// within the bounds or equal to one, and is 0 for the others. Backward saves one bit for each
/// element, and not x.
/// @throws ArgumentError without a bound, for an integer min above or max below all values of x's
///         dtype, or an undefined x
Tensor clamp(Tensor x, std::optional<Scalar> min, std::optional<Scalar> max);

/// Replaces NaN by `nan` and the infinities by `posinf` and `neginf`, by default the dtype's
/// largest finite value and its negative. x's dtype; integers and bool stay as they are. The
/// gradient of replaced elements is 0. Backward saves one bit for each element, and not x.
/// @throws ArgumentError for an undefined x
Tensor nan_to_num(Tensor x,
                  double nan = 0.0,
                  std::optional<double> posinf = {},
                  std::optional<double> neginf = {});

/// Whether each element is NaN, or finite (neither NaN nor infinite), or zero: a bool tensor of
/// x's shape. Any dtype; integers are finite. No gradient. @throws ArgumentError for an undefined x
/// @{
Tensor isnan(Tensor x);
Tensor isfinite(Tensor x);
Tensor logical_not(Tensor x);
/// @}

/// a == b, a != b, a < b, a <= b, a > b and a >= b, compared in the common dtype: a bool tensor of
/// the broadcast shape. With NaN all are false except ne. No gradient.
/// @throws ShapeError unless the shapes broadcast; ArgumentError for an undefined operand
/// @{
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
/// @}

/// Logic on truth values (not 0; NaN is true) of any dtypes: a bool tensor of the broadcast shape.
/// No gradient. @throws ShapeError, ArgumentError as eq
/// @{
Tensor logical_and(Tensor a, Tensor b);
Tensor logical_or(Tensor a, Tensor b);
Tensor logical_xor(Tensor a, Tensor b);
/// @}

/// condition ? a : b, broadcast over all three, in the common dtype of a and b. The gradient goes
/// to the operand that was taken. Backward saves the condition.
/// @throws ShapeError unless the shapes broadcast; DTypeError unless the condition is bool or
///         uint8; ArgumentError for an undefined operand
Tensor where(Tensor condition, Tensor a, Tensor b);

/// x with `value` where the mask, a bool tensor that broadcasts with it, is true. In x's dtype.
/// Backward saves the mask.
/// @throws ShapeError unless the shapes broadcast; DTypeError for a mask that is not bool or a
///         value that x's dtype cannot hold; ArgumentError for an undefined operand
Tensor masked_fill(Tensor x, Tensor mask, const Scalar& value);

/// x in another dtype, or x itself if it has it. Floating to floating rounds to nearest, ties to
/// even; floating to integer truncates toward zero, NaN to 0 and values past int32 to its nearest
/// end; integers wrap; bool is "not 0". The gradient is converted back. Backward saves nothing.
/// @throws UnsupportedError for float64; ArgumentError for an undefined x
Tensor to(Tensor x, DType dtype);

/// A contiguous copy with storage of its own: an inference tensor in inference mode, else a normal
/// one. The gradient is passed on. Departure from PyTorch: strides are not kept.
/// @throws ArgumentError for an undefined x
Tensor clone(Tensor x);

/// x itself if it is contiguous, else clone(x). @throws ArgumentError for an undefined x
Tensor contiguous(Tensor x);

/// In-place form of the function without the underscore: writes the result into `self`, which must
/// have the result's shape, returns `self` and counts as a write for autograd. An operand that
/// shares memory with `self`, but not element by element, is copied first.
/// @throws ShapeError unless self's shape is the result's; DTypeError where the result's dtype is
///         of a higher category than self's (so for div_ and exp_ on integers);
///         ArgumentError for a `self` that has several elements in one place (expanded, unfolded)
///         or an undefined operand; GradModeError for an inference tensor outside of inference mode
///         (E2) and, while recording, for a leaf that requires grad (E10), a view of one, and a
///         view that was made in another mode (E6, E8) or by split, split_with_sizes or chunk; what
///         the function throws
/// @{
Tensor& add_(Tensor& self, Tensor other, const Scalar& alpha = 1);
Tensor& add_(Tensor& self, const Scalar& other);
Tensor& sub_(Tensor& self, Tensor other, const Scalar& alpha = 1);
Tensor& sub_(Tensor& self, const Scalar& other);
Tensor& mul_(Tensor& self, Tensor other);
Tensor& mul_(Tensor& self, const Scalar& other);
Tensor& div_(Tensor& self, Tensor other);
Tensor& div_(Tensor& self, const Scalar& other);
Tensor& pow_(Tensor& self, const Scalar& exponent);
#define PUMICE_UNARY(name, record) Tensor& name##_(Tensor& self);
#include "pumice/ops/unary.inc"
#undef PUMICE_UNARY
Tensor& clamp_(Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max);
/// @}

/// Writes source, broadcast and converted as `to` does, into `self`. Gradients: zeros for self's
/// former values; for source the gradient, summed over what was broadcast and converted back.
/// @throws ShapeError unless source broadcasts to self's shape; ArgumentError and GradModeError as
///         add_
Tensor& copy_(Tensor& self, Tensor source);

/// Writes one value, or 0, everywhere, converted as by `full`: a floating value is truncated for an
/// integer dtype. Gradient of the former values: zeros. Departure from PyTorch: a negative value
/// does not wrap in uint8. @throws DTypeError if self's dtype cannot hold the value (NaN in an
/// integer dtype is refused too); ArgumentError, GradModeError as add_
/// @{
Tensor& fill_(Tensor& self, const Scalar& value);
Tensor& zero_(Tensor& self);
/// @}

/// Forms with `out`: write the result of the function without `_out` into `out` and return it.
/// Departure from PyTorch: `out` is not resized and nothing is converted.
/// @throws ShapeError and DTypeError unless `out` has the result's shape and dtype; ArgumentError
///         for an `out` as for `self` above, or an undefined tensor; UnsupportedError for an `out`
///         that has more than four dimensions after merging those that lie in memory as one;
///         GradModeError while recording if any operand requires grad (E11), and for an inference
///         `out` outside of inference mode (E2); what the function throws
/// @{
Tensor& add_out(Tensor& out, Tensor a, Tensor b, const Scalar& alpha = 1);
Tensor& sub_out(Tensor& out, Tensor a, Tensor b, const Scalar& alpha = 1);
Tensor& mul_out(Tensor& out, Tensor a, Tensor b);
Tensor& div_out(Tensor& out, Tensor a, Tensor b);
#define PUMICE_UNARY(name, record) Tensor& name##_out(Tensor& out, Tensor x);
#include "pumice/ops/unary.inc"
#undef PUMICE_UNARY

/// @}

/// add, sub, rsub, neg, mul, div and the comparisons as operators.
/// @{
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

inline Tensor operator==(Tensor a, Tensor b) {
    return eq(std::move(a), std::move(b));
}

inline Tensor operator==(Tensor a, const Scalar& b) {
    return eq(std::move(a), b);
}

inline Tensor operator!=(Tensor a, Tensor b) {
    return ne(std::move(a), std::move(b));
}

inline Tensor operator!=(Tensor a, const Scalar& b) {
    return ne(std::move(a), b);
}

inline Tensor operator<(Tensor a, Tensor b) {
    return lt(std::move(a), std::move(b));
}

inline Tensor operator<(Tensor a, const Scalar& b) {
    return lt(std::move(a), b);
}

inline Tensor operator<=(Tensor a, Tensor b) {
    return le(std::move(a), std::move(b));
}

inline Tensor operator<=(Tensor a, const Scalar& b) {
    return le(std::move(a), b);
}

inline Tensor operator>(Tensor a, Tensor b) {
    return gt(std::move(a), std::move(b));
}

inline Tensor operator>(Tensor a, const Scalar& b) {
    return gt(std::move(a), b);
}

inline Tensor operator>=(Tensor a, Tensor b) {
    return ge(std::move(a), std::move(b));
}

inline Tensor operator>=(Tensor a, const Scalar& b) {
    return ge(std::move(a), b);
}

/// @}

}  // namespace pumice
