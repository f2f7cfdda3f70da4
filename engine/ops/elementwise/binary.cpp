// SPDX-License-Identifier: Apache-2.0
// Elementwise operators of two operands, tensor with tensor and tensor with number: one row each in
// the tables below, formulas in shaders/include/binary.glsl.
#include "ops/elementwise/binary.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "ops/all_ops.h"
#include "ops/elementwise/gradients.h"
#include "ops/elementwise/packed_mask.h"
#include "tensor/promote.h"

#include <fmt/format.h>

#include <array>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::OpDef;
using vk::BinaryOp;
using vk::KernelId;

namespace {

void add_grad(BackwardCall& call) {
    if (call.needs(0)) {
        give(call, 0, call.grad());
    }
    if (call.needs(1)) {
        const double alpha = call.attrs_as<BinaryAttrs>().alpha;
        give(call, 1, alpha == 1.0 ? call.grad() : mul(call.grad(), alpha));
    }
}

void sub_grad(BackwardCall& call) {
    if (call.needs(0)) {
        give(call, 0, call.grad());
    }
    if (call.needs(1)) {
        give(call, 1, mul(call.grad(), -call.attrs_as<BinaryAttrs>().alpha));
    }
}

void mul_grad(BackwardCall& call) {
    if (call.needs(0)) {
        give(call, 0, mul(call.grad(), call.input(1)));
    }
    if (call.needs(1)) {
        give(call, 1, mul(call.grad(), call.input(0)));
    }
}

void div_grad(BackwardCall& call) {
    const Tensor over_b = div(call.grad(), call.input(1));
    if (call.needs(0)) {
        give(call, 0, over_b);
    }
    if (call.needs(1)) {
        give(call, 1, neg(mul(over_b, div(call.input(0), call.input(1)))));
    }
}

// d/da a^b = b a^(b-1), zero where b is; d/db a^b = a^b log a, zero where a is and b >= 0.
void pow_grad(BackwardCall& call) {
    const Tensor a = call.input(0);
    const Tensor b = call.input(1);
    if (call.needs(0)) {
        const Tensor slope = mul(b, pow(a, sub(b, 1.0)));
        give(call, 0, keep_where(mul(call.grad(), slope), ne(b, 0.0)));
    }
    if (call.needs(1)) {
        const Tensor slope = mul(pow(a, b), log(a));
        const Tensor is_steep = logical_or(ne(a, 0.0), lt(b, 0.0));
        give(call, 1, keep_where(mul(call.grad(), slope), is_steep));
    }
}

Tensor order_mask(const dispatch::OpCall& call) {
    BinaryAttrs attrs = call.attrs_as<BinaryAttrs>();
    attrs.result = kUInt8;
    Tensor inputs[] = {call.inputs[0], call.inputs[1]};
    return pack_mask(dispatch::call(kOrder, inputs, attrs), CodeBits::kTwo);
}

// Who is beaten gets nothing, equal ones share the gradient, beside NaN both get it: a's part by
// kOrder's codes when a or when b is greater; b's is the other way round.
void share(BackwardCall& call, float a_greater, float b_greater) {
    const auto part = [&](std::size_t input, float first, float second) {
        if (call.needs(input)) {
            const std::array weights = {1.0F, first, second, 0.5F};
            give(call, input, apply_mask(call.grad(), call.mask(), CodeBits::kTwo, weights));
        }
    };
    part(0, a_greater, b_greater);
    part(1, b_greater, a_greater);
}

void maximum_grad(BackwardCall& call) {
    share(call, 1.0F, 0.0F);
}

void minimum_grad(BackwardCall& call) {
    share(call, 0.0F, 1.0F);
}

void pass_grad(BackwardCall& call) {
    call.set(0, call.grad());
}

void rsub_scalar_grad(BackwardCall& call) {
    call.set(0, neg(call.grad()));
}

void mul_scalar_grad(BackwardCall& call) {
    call.set(0, mul(call.grad(), call.attrs_as<BinaryAttrs>().scalar));
}

void div_scalar_grad(BackwardCall& call) {
    call.set(0, div(call.grad(), call.attrs_as<BinaryAttrs>().scalar));
}

void pow_scalar_grad(BackwardCall& call) {
    const double exponent = call.attrs_as<BinaryAttrs>().scalar;
    call.set(0,
             exponent == 0.0 ? zeros_like(call.grad())
                             : mul(call.grad(), mul(pow(call.input(0), exponent - 1.0), exponent)));
}

constexpr OpDef with_order(OpDef def) {
    def.mask = order_mask;
    return def;
}

}  // namespace

constexpr OpDef kAdd = pair<BinaryOp::kAdd>("add", {}, add_grad);
constexpr OpDef kSub = pair<BinaryOp::kSub>("sub", {}, sub_grad);
constexpr OpDef kMul = pair<BinaryOp::kMul>("mul", kSavedCross, mul_grad);
constexpr OpDef kDiv = pair<BinaryOp::kDiv>("div", kSavedSecondForBoth, div_grad);
constexpr OpDef kPow =
    pair<BinaryOp::kPow, KernelId::kElementwiseBinaryPower>("pow", kSavedBoth, pow_grad);
constexpr OpDef kOrder = pair<BinaryOp::kOrder>("order", {}, nullptr);
constexpr OpDef kMaximum = with_order(pair<BinaryOp::kMaximum>("maximum", {}, maximum_grad));
constexpr OpDef kMinimum = with_order(pair<BinaryOp::kMinimum>("minimum", {}, minimum_grad));
constexpr OpDef kEq = pair<BinaryOp::kEq>("eq", {}, nullptr);
constexpr OpDef kNe = pair<BinaryOp::kNe>("ne", {}, nullptr);
constexpr OpDef kLt = pair<BinaryOp::kLt>("lt", {}, nullptr);
constexpr OpDef kLe = pair<BinaryOp::kLe>("le", {}, nullptr);
constexpr OpDef kGt = pair<BinaryOp::kGt>("gt", {}, nullptr);
constexpr OpDef kGe = pair<BinaryOp::kGe>("ge", {}, nullptr);
constexpr OpDef kLogicalAnd = pair<BinaryOp::kLogicalAnd>("logical_and", {}, nullptr);
constexpr OpDef kLogicalOr = pair<BinaryOp::kLogicalOr>("logical_or", {}, nullptr);
constexpr OpDef kLogicalXor = pair<BinaryOp::kLogicalXor>("logical_xor", {}, nullptr);
constexpr OpDef kAddScalar = with_scalar<BinaryOp::kAdd>("add_scalar", {}, pass_grad);
constexpr OpDef kSubScalar = with_scalar<BinaryOp::kSub>("sub_scalar", {}, pass_grad);
constexpr OpDef kRsubScalar = with_scalar<BinaryOp::kRsub>("rsub_scalar", {}, rsub_scalar_grad);
constexpr OpDef kMulScalar = with_scalar<BinaryOp::kMul>("mul_scalar", {}, mul_scalar_grad);
constexpr OpDef kDivScalar = with_scalar<BinaryOp::kDiv>("div_scalar", {}, div_scalar_grad);
constexpr OpDef kPowScalar = with_scalar<BinaryOp::kPow, KernelId::kElementwiseBinaryPower>(
    "pow_scalar", kSavedFirst, pow_scalar_grad);
constexpr OpDef kEqScalar = with_scalar<BinaryOp::kEq>("eq_scalar", {}, nullptr);
constexpr OpDef kNeScalar = with_scalar<BinaryOp::kNe>("ne_scalar", {}, nullptr);
constexpr OpDef kLtScalar = with_scalar<BinaryOp::kLt>("lt_scalar", {}, nullptr);
constexpr OpDef kLeScalar = with_scalar<BinaryOp::kLe>("le_scalar", {}, nullptr);
constexpr OpDef kGtScalar = with_scalar<BinaryOp::kGt>("gt_scalar", {}, nullptr);
constexpr OpDef kGeScalar = with_scalar<BinaryOp::kGe>("ge_scalar", {}, nullptr);

namespace {

constexpr bool all_well_formed() {
    for (const OpDef& def :
         std::array{kAdd,       kSub,        kMul,        kDiv,       kPow,        kOrder,
                    kMaximum,   kMinimum,    kEq,         kNe,        kLt,         kLe,
                    kGt,        kGe,         kLogicalAnd, kLogicalOr, kLogicalXor, kAddScalar,
                    kSubScalar, kRsubScalar, kMulScalar,  kDivScalar, kPowScalar,  kEqScalar,
                    kNeScalar,  kLtScalar,   kLeScalar,   kGtScalar,  kGeScalar}) {
        if (!well_formed(def)) {
            return false;
        }
    }
    return true;
}

static_assert(all_well_formed());

/// What decides the dtypes of a row.
enum class Kind : std::uint8_t { kArithmetic, kDivision, kComparison };

void set_dtypes(BinaryAttrs& attrs, DType common, Kind kind) {
    attrs.common = kind == Kind::kDivision ? floating(common) : common;
    attrs.result = kind == Kind::kComparison ? kBool : attrs.common;
}

void check_alpha(std::string_view op, DType common, const Scalar& alpha) {
    if (alpha.is_floating_point() && !is_floating_point(common)) {
        throw ArgumentError(op,
                            fmt::format("alpha must not be a floating point number for integral "
                                        "inputs; got {}",
                                        alpha.toDouble()));
    }
}

BinaryAttrs pair_attrs(
    const OpDef& def, const Tensor& a, const Tensor& b, Kind kind, const Scalar& alpha) {
    checked_impl(a, def.where());
    checked_impl(b, def.where());
    BinaryAttrs attrs;
    set_dtypes(attrs, result_type(a, b), kind);
    check_alpha(def.where(), attrs.common, alpha);
    attrs.bits[1] = scalar_word(def.where(), alpha, attrs.common);
    attrs.alpha = alpha.toDouble();
    return attrs;
}

BinaryAttrs scalar_attrs(const OpDef& def, const Tensor& a, const Scalar& b, Kind kind) {
    checked_impl(a, def.where());
    BinaryAttrs attrs;
    set_dtypes(attrs, result_type(a, b), kind);
    attrs.bits = {scalar_word(def.where(), b, attrs.common),
                  scalar_word(def.where(), 1, attrs.common)};
    attrs.scalar = b.toDouble();
    return attrs;
}

Tensor run(const OpDef& def, Tensor a, Tensor b, Kind kind, const Scalar& alpha = 1) try {
    const BinaryAttrs attrs = pair_attrs(def, a, b, kind, alpha);
    Tensor inputs[] = {std::move(a), std::move(b)};
    make_mappable(inputs, nullptr);
    return dispatch::call(def, inputs, attrs);

} catch (const Error&) {
    rethrow_under(def.where());
}

Tensor run(const OpDef& def, Tensor a, const Scalar& b, Kind kind) try {
    const BinaryAttrs attrs = scalar_attrs(def, a, b, kind);
    Tensor inputs[] = {std::move(a)};
    make_mappable(inputs, nullptr);
    return dispatch::call(def, inputs, attrs);

} catch (const Error&) {
    rethrow_under(def.where());
}

Tensor& run_in_place(
    const OpDef& def, Tensor& self, Tensor b, Kind kind, const Scalar& alpha = 1) try {
    const BinaryAttrs attrs = pair_attrs(def, self, b, kind, alpha);
    Tensor inputs[] = {self, std::move(b)};
    write_mapped(def, self, inputs, attrs);
    return self;

} catch (const Error&) {
    rethrow_under(def.where(), "_");
}

Tensor& run_in_place(const OpDef& def, Tensor& self, const Scalar& b, Kind kind) try {
    const BinaryAttrs attrs = scalar_attrs(def, self, b, kind);
    Tensor inputs[] = {self};
    write_mapped(def, self, inputs, attrs);
    return self;

} catch (const Error&) {
    rethrow_under(def.where(), "_");
}

Tensor& run_out(
    const OpDef& def, Tensor& out, Tensor a, Tensor b, Kind kind, const Scalar& alpha) try {
    checked_impl(out, def.where());
    const BinaryAttrs attrs = pair_attrs(def, a, b, kind, alpha);
    Tensor inputs[] = {std::move(a), std::move(b)};
    write_mapped_out(def, out, inputs, attrs);
    return out;

} catch (const Error&) {
    rethrow_under(def.where(), "_out");
}

void refuse_bools(const char* op, const Tensor& a, const Tensor* b) {
    const bool is_bool = checked_impl(a, op).dtype == kBool;
    if ((b == nullptr || checked_impl(*b, op).dtype == kBool) && is_bool) {
        throw DTypeError(op, "is not defined for bool operands; use logical_xor");
    }
}

void check_integer_power(std::string_view op, const Tensor& a, const Scalar& b) {
    if (!is_floating_point(checked_impl(a, op).dtype) && !b.is_floating_point() && b.toLong() < 0) {
        throw ArgumentError(op,
                            fmt::format("integers to negative integer powers are not allowed; got "
                                        "exponent {}",
                                        b.toLong()));
    }
}

}  // namespace

}  // namespace pumice::ops

namespace pumice {

using namespace ops;  // the records of this file

Tensor add(Tensor a, Tensor b, const Scalar& alpha) {
    return run(kAdd, std::move(a), std::move(b), Kind::kArithmetic, alpha);
}

Tensor add(Tensor a, const Scalar& b) {
    return run(kAddScalar, std::move(a), b, Kind::kArithmetic);
}

Tensor sub(Tensor a, Tensor b, const Scalar& alpha) {
    refuse_bools("sub", a, &b);
    return run(kSub, std::move(a), std::move(b), Kind::kArithmetic, alpha);
}

Tensor sub(Tensor a, const Scalar& b) {
    if (b.is_bool()) {
        refuse_bools("sub", a, nullptr);
    }
    return run(kSubScalar, std::move(a), b, Kind::kArithmetic);
}

Tensor rsub(Tensor a, const Scalar& b) {
    if (b.is_bool()) {
        refuse_bools("rsub", a, nullptr);
    }
    return run(kRsubScalar, std::move(a), b, Kind::kArithmetic);
}

Tensor mul(Tensor a, Tensor b) {
    return run(kMul, std::move(a), std::move(b), Kind::kArithmetic);
}

Tensor mul(Tensor a, const Scalar& b) {
    return run(kMulScalar, std::move(a), b, Kind::kArithmetic);
}

Tensor div(Tensor a, Tensor b) {
    return run(kDiv, std::move(a), std::move(b), Kind::kDivision);
}

Tensor div(Tensor a, const Scalar& b) {
    return run(kDivScalar, std::move(a), b, Kind::kDivision);
}

Tensor pow(Tensor a, Tensor b) {
    return run(kPow, std::move(a), std::move(b), Kind::kArithmetic);
}

Tensor pow(Tensor a, const Scalar& b) {
    check_integer_power("pow", a, b);
    return run(kPowScalar, std::move(a), b, Kind::kArithmetic);
}

Tensor maximum(Tensor a, Tensor b) {
    return run(kMaximum, std::move(a), std::move(b), Kind::kArithmetic);
}

Tensor minimum(Tensor a, Tensor b) {
    return run(kMinimum, std::move(a), std::move(b), Kind::kArithmetic);
}

Tensor eq(Tensor a, Tensor b) {
    return run(kEq, std::move(a), std::move(b), Kind::kComparison);
}

Tensor ne(Tensor a, Tensor b) {
    return run(kNe, std::move(a), std::move(b), Kind::kComparison);
}

Tensor lt(Tensor a, Tensor b) {
    return run(kLt, std::move(a), std::move(b), Kind::kComparison);
}

Tensor le(Tensor a, Tensor b) {
    return run(kLe, std::move(a), std::move(b), Kind::kComparison);
}

Tensor gt(Tensor a, Tensor b) {
    return run(kGt, std::move(a), std::move(b), Kind::kComparison);
}

Tensor ge(Tensor a, Tensor b) {
    return run(kGe, std::move(a), std::move(b), Kind::kComparison);
}

Tensor eq(Tensor a, const Scalar& b) {
    return run(kEqScalar, std::move(a), b, Kind::kComparison);
}

Tensor ne(Tensor a, const Scalar& b) {
    return run(kNeScalar, std::move(a), b, Kind::kComparison);
}

Tensor lt(Tensor a, const Scalar& b) {
    return run(kLtScalar, std::move(a), b, Kind::kComparison);
}

Tensor le(Tensor a, const Scalar& b) {
    return run(kLeScalar, std::move(a), b, Kind::kComparison);
}

Tensor gt(Tensor a, const Scalar& b) {
    return run(kGtScalar, std::move(a), b, Kind::kComparison);
}

Tensor ge(Tensor a, const Scalar& b) {
    return run(kGeScalar, std::move(a), b, Kind::kComparison);
}

Tensor logical_and(Tensor a, Tensor b) {
    return run(kLogicalAnd, std::move(a), std::move(b), Kind::kComparison);
}

Tensor logical_or(Tensor a, Tensor b) {
    return run(kLogicalOr, std::move(a), std::move(b), Kind::kComparison);
}

Tensor logical_xor(Tensor a, Tensor b) {
    return run(kLogicalXor, std::move(a), std::move(b), Kind::kComparison);
}

Tensor& add_(Tensor& self, Tensor other, const Scalar& alpha) {
    return run_in_place(kAdd, self, std::move(other), Kind::kArithmetic, alpha);
}

Tensor& add_(Tensor& self, const Scalar& other) {
    return run_in_place(kAddScalar, self, other, Kind::kArithmetic);
}

Tensor& sub_(Tensor& self, Tensor other, const Scalar& alpha) {
    refuse_bools("sub_", self, &other);
    return run_in_place(kSub, self, std::move(other), Kind::kArithmetic, alpha);
}

Tensor& sub_(Tensor& self, const Scalar& other) {
    if (other.is_bool()) {
        refuse_bools("sub_", self, nullptr);
    }
    return run_in_place(kSubScalar, self, other, Kind::kArithmetic);
}

Tensor& mul_(Tensor& self, Tensor other) {
    return run_in_place(kMul, self, std::move(other), Kind::kArithmetic);
}

Tensor& mul_(Tensor& self, const Scalar& other) {
    return run_in_place(kMulScalar, self, other, Kind::kArithmetic);
}

Tensor& div_(Tensor& self, Tensor other) {
    return run_in_place(kDiv, self, std::move(other), Kind::kDivision);
}

Tensor& div_(Tensor& self, const Scalar& other) {
    return run_in_place(kDivScalar, self, other, Kind::kDivision);
}

Tensor& pow_(Tensor& self, const Scalar& exponent) {
    check_integer_power("pow_", self, exponent);
    return run_in_place(kPowScalar, self, exponent, Kind::kArithmetic);
}

Tensor& add_out(Tensor& out, Tensor a, Tensor b, const Scalar& alpha) {
    return run_out(kAdd, out, std::move(a), std::move(b), Kind::kArithmetic, alpha);
}

Tensor& sub_out(Tensor& out, Tensor a, Tensor b, const Scalar& alpha) {
    refuse_bools("sub_out", a, &b);
    return run_out(kSub, out, std::move(a), std::move(b), Kind::kArithmetic, alpha);
}

Tensor& mul_out(Tensor& out, Tensor a, Tensor b) {
    return run_out(kMul, out, std::move(a), std::move(b), Kind::kArithmetic, 1);
}

Tensor& div_out(Tensor& out, Tensor a, Tensor b) {
    return run_out(kDiv, out, std::move(a), std::move(b), Kind::kDivision, 1);
}

}  // namespace pumice
