// SPDX-License-Identifier: Apache-2.0
// Elementwise operators of one operand: one row each in the table below, formulas in
// shaders/include/unary.glsl.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "dispatch/element.h"
#include "dispatch/windows.h"
#include "ops/all_ops.h"
#include "ops/elementwise/gradients.h"
#include "ops/elementwise/mapped.h"
#include "ops/elementwise/packed_mask.h"
#include "tensor/promote.h"
#include "tensor/scalar_bits.h"
#include "vk/kernels/elementwise_unary.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::BackwardFn;
using dispatch::Grad;
using dispatch::OpCall;
using dispatch::OpDef;
using vk::KernelId;
using vk::UnaryOp;

namespace {

/// Parameters of the formula, as bits for the kernel; softplus's as numbers for its gradient too.
struct Attrs {
    MapParams bits{};
    double beta = 0.0;
    double threshold = 0.0;
};

constexpr KernelId kExponential = KernelId::kElementwiseUnaryExponential;
constexpr KernelId kAngle = KernelId::kElementwiseUnaryAngle;
constexpr KernelId kHyperbolic = KernelId::kElementwiseUnaryHyperbolic;
constexpr KernelId kNormal = KernelId::kElementwiseUnaryNormal;

/// Which dtype comes out; kNumber: the same, and bool is refused.
enum class Result : std::uint8_t { kSame, kNumber, kFloating, kBool };

template <Result kResult>
void infer(const OpCall& call, dispatch::Inferred& inferred) {
    const TensorImpl& x = impl_of(call.inputs[0]);
    if (kResult == Result::kNumber && x.dtype == kBool) {
        throw DTypeError(call.def.where(),
                         "is not defined for bool; convert it, or use logical_not");
    }
    const DType dtype = kResult == Result::kBool       ? kBool
                        : kResult == Result::kFloating ? floating(x.dtype)
                                                       : x.dtype;
    inferred.push_back(dispatch::contiguous_meta(x.sizes, dtype));
}

// The kernel is the build variant that holds the formula.
template <UnaryOp kOp, KernelId kKernel>
void select(const OpCall& call,
            std::span<const Tensor> outputs,
            const vk::Capabilities& caps,
            dispatch::Program& program) {
    const std::array<const TensorImpl*, 2> operands = {&impl_of(outputs[0]),
                                                       &impl_of(call.inputs[0])};
    const std::array<dispatch::Operand, 2> bindings = {dispatch::input(0), dispatch::output()};
    add_map_step(
        {.kernel = kKernel,
         .operands = operands,
         .bindings = bindings,
         .params = call.attrs_as<Attrs>().bits},
        vk::ElementwiseUnarySpec{
            .map_frame = {}, .x_dtype = operands[1]->dtype, .op = static_cast<std::uint32_t>(kOp)},
        caps,
        program);
}

template <UnaryOp kOp, KernelId kKernel>
std::string express(const OpCall& call, const Tensor& output, dispatch::Element& element) {
    const DType x = impl_of(call.inputs[0]).dtype;
    const DType y = impl_of(output).dtype;
    const bool is_real = is_floating_point(x) || is_floating_point(y);
    const std::string function = element.function_of(vk::kernel_info(kKernel).name,
                                                     static_cast<std::uint32_t>(kOp),
                                                     is_real ? "x p0 p1 p2" : "x p0 p1",
                                                     vk::formula_of(kOp),
                                                     is_real);
    std::string value = function + "(" + dispatch::decoded(element.operands[0], x, is_real);
    for (std::size_t i = 0; i < (is_real ? 3 : 2); ++i) {
        const std::string bits = element.parameter(call.attrs_as<Attrs>().bits[i]);
        value += ", " + dispatch::decoded(bits, is_real ? kFloat32 : kInt32, is_real);
    }
    return dispatch::encoded(value + ")", y, is_real);
}

constexpr std::uint32_t kReadsInput = 1;
constexpr std::uint32_t kReadsOutput = 2;

template <UnaryOp kOp, Result kResult, KernelId kKernel = KernelId::kElementwiseUnarySimple>
constexpr OpDef row(std::string_view name, std::uint32_t reads, BackwardFn backward) {
    return {.name = name,
            .inputs = {{{"x", backward == nullptr ? Grad::kNever : Grad::kFormula}}},
            .infer = infer<kResult>,
            .select = select<kOp, kKernel>,
            .window = dispatch::window_of_map,
            .writes_strided = true,
            .saved = {.inputs = reads & kReadsInput, .outputs = reads >> 1U},
            .lends = 1,
            .backward = backward,
            .express = express<kOp, kKernel>};
}

Tensor run(const OpDef& def, Tensor x, const Attrs& attrs = {}) try {
    checked_impl(x, def.where());
    Tensor inputs[] = {std::move(x)};
    make_mappable(inputs, nullptr);
    return dispatch::call(def, inputs, attrs);

} catch (const Error&) {
    rethrow_under(def.where());
}

Tensor& run_in_place(const OpDef& def, Tensor& self, const Attrs& attrs = {}) try {
    checked_impl(self, def.where());
    Tensor inputs[] = {self};
    write_mapped(def, self, inputs, attrs);
    return self;

} catch (const Error&) {
    rethrow_under(def.where(), "_");
}

Tensor& run_out(const OpDef& def, Tensor& out, Tensor x) try {
    checked_impl(out, def.where());
    checked_impl(x, def.where());
    Tensor inputs[] = {std::move(x)};
    write_mapped_out(def, out, inputs, Attrs{});
    return out;

} catch (const Error&) {
    rethrow_under(def.where(), "_out");
}

// Gradient formulas. g is the output's gradient, x the input, y the output.
void pass(BackwardCall& call, Tensor gradient) {
    call.set(0, std::move(gradient));
}

void neg_grad(BackwardCall& call) {
    pass(call, neg(call.grad()));
}

void abs_grad(BackwardCall& call) {
    pass(call, mul(call.grad(), sign(call.input(0))));
}

void zero_grad(BackwardCall& call) {
    pass(call, zeros_like(call.grad()));
}

void square_grad(BackwardCall& call) {
    pass(call, mul(call.grad(), mul(call.input(0), 2.0)));
}

void sqrt_grad(BackwardCall& call) {
    pass(call, div(call.grad(), mul(call.output(0), 2.0)));
}

void rsqrt_grad(BackwardCall& call) {
    const Tensor y = call.output(0);
    pass(call, mul(mul(call.grad(), mul(mul(y, y), y)), -0.5));
}

void reciprocal_grad(BackwardCall& call) {
    const Tensor y = call.output(0);
    pass(call, neg(mul(call.grad(), mul(y, y))));
}

void exp_grad(BackwardCall& call) {
    pass(call, mul(call.grad(), call.output(0)));
}

void log_grad(BackwardCall& call) {
    pass(call, div(call.grad(), call.input(0)));
}

void log1p_grad(BackwardCall& call) {
    pass(call, div(call.grad(), add(call.input(0), 1.0)));
}

void sin_grad(BackwardCall& call) {
    pass(call, mul(call.grad(), cos(call.input(0))));
}

void cos_grad(BackwardCall& call) {
    pass(call, neg(mul(call.grad(), sin(call.input(0)))));
}

void frac_grad(BackwardCall& call) {
    pass(call, call.grad());
}

void asin_grad(BackwardCall& call) {
    pass(call, mul(call.grad(), rsqrt(rsub(square(call.input(0)), 1.0))));
}

void acos_grad(BackwardCall& call) {
    pass(call, neg(mul(call.grad(), rsqrt(rsub(square(call.input(0)), 1.0)))));
}

void atan_grad(BackwardCall& call) {
    pass(call, div(call.grad(), add(square(call.input(0)), 1.0)));
}

void tanh_grad(BackwardCall& call) {
    pass(call, tanh_backward(call.grad(), call.output(0)));
}

void sinh_grad(BackwardCall& call) {
    pass(call, mul(call.grad(), cosh(call.input(0))));
}

void cosh_grad(BackwardCall& call) {
    pass(call, mul(call.grad(), sinh(call.input(0))));
}

void asinh_grad(BackwardCall& call) {
    pass(call, mul(call.grad(), rsqrt(add(square(call.input(0)), 1.0))));
}

// d/dx erf(x) = 2 / sqrt(pi) exp(-x^2)
void erf_grad(BackwardCall& call) {
    const Tensor bell = exp(neg(square(call.input(0))));
    pass(call, mul(call.grad(), mul(bell, 2.0 * std::numbers::inv_sqrtpi)));
}

void sigmoid_grad(BackwardCall& call) {
    pass(call, sigmoid_backward(call.grad(), call.output(0)));
}

void relu_grad(BackwardCall& call) {
    pass(call, relu_backward(call.grad(), call.output(0)));
}

void gelu_grad(BackwardCall& call) {
    pass(call, gelu_backward(call.grad(), call.input(0)));
}

void gelu_tanh_grad(BackwardCall& call) {
    pass(call, gelu_tanh_backward(call.grad(), call.input(0)));
}

void silu_grad(BackwardCall& call) {
    pass(call, silu_backward(call.grad(), call.input(0)));
}

void softplus_grad(BackwardCall& call) {
    const auto& attrs = call.attrs_as<Attrs>();
    const Tensor scaled = mul(call.input(0), attrs.beta);
    const Tensor slope = sigmoid(scaled);
    pass(call, where(gt(scaled, attrs.threshold), call.grad(), mul(call.grad(), slope)));
}

// Where clamp and nan_to_num let the gradient pass: where x lies within the bounds, is finite.
template <const OpDef& kPredicate>
Tensor passing_mask(const OpCall& call) {
    Tensor x[] = {call.inputs[0]};
    return pack_mask(dispatch::call(kPredicate, x, call.attrs_as<Attrs>()), CodeBits::kOne);
}

void masked_grad(BackwardCall& call) {
    pass(call, apply_mask(call.grad(), call.mask(), CodeBits::kOne, {0.0F, 1.0F}));
}

constexpr OpDef called(std::string_view public_name, OpDef def) {
    def.public_name = public_name;
    return def;
}

constexpr OpDef with_mask(OpDef def, dispatch::MaskFn mask) {
    def.mask = mask;
    return def;
}

}  // namespace

constexpr OpDef kNeg = row<UnaryOp::kNeg, Result::kNumber>("neg", 0, neg_grad);
constexpr OpDef kAbs = row<UnaryOp::kAbs, Result::kSame>("abs", kReadsInput, abs_grad);
constexpr OpDef kSign = row<UnaryOp::kSign, Result::kSame>("sign", 0, zero_grad);
constexpr OpDef kSquare = row<UnaryOp::kSquare, Result::kSame>("square", kReadsInput, square_grad);
constexpr OpDef kFloor = row<UnaryOp::kFloor, Result::kNumber>("floor", 0, zero_grad);
constexpr OpDef kCeil = row<UnaryOp::kCeil, Result::kNumber>("ceil", 0, zero_grad);
constexpr OpDef kRound = row<UnaryOp::kRound, Result::kNumber>("round", 0, zero_grad);
constexpr OpDef kTrunc = row<UnaryOp::kTrunc, Result::kNumber>("trunc", 0, zero_grad);
constexpr OpDef kFrac = row<UnaryOp::kFrac, Result::kFloating>("frac", 0, frac_grad);
constexpr OpDef kSqrt = row<UnaryOp::kSqrt, Result::kFloating>("sqrt", kReadsOutput, sqrt_grad);
constexpr OpDef kRsqrt = row<UnaryOp::kRsqrt, Result::kFloating>("rsqrt", kReadsOutput, rsqrt_grad);
constexpr OpDef kReciprocal =
    row<UnaryOp::kReciprocal, Result::kFloating>("reciprocal", kReadsOutput, reciprocal_grad);
constexpr OpDef kExp =
    row<UnaryOp::kExp, Result::kFloating, kExponential>("exp", kReadsOutput, exp_grad);
constexpr OpDef kLog =
    row<UnaryOp::kLog, Result::kFloating, kExponential>("log", kReadsInput, log_grad);
constexpr OpDef kLog1p =
    row<UnaryOp::kLog1p, Result::kFloating, kExponential>("log1p", kReadsInput, log1p_grad);
constexpr OpDef kSin = row<UnaryOp::kSin, Result::kFloating, kAngle>("sin", kReadsInput, sin_grad);
constexpr OpDef kCos = row<UnaryOp::kCos, Result::kFloating, kAngle>("cos", kReadsInput, cos_grad);
constexpr OpDef kAsin =
    row<UnaryOp::kAsin, Result::kFloating, kAngle>("asin", kReadsInput, asin_grad);
constexpr OpDef kAcos =
    row<UnaryOp::kAcos, Result::kFloating, kAngle>("acos", kReadsInput, acos_grad);
constexpr OpDef kAtan =
    row<UnaryOp::kAtan, Result::kFloating, kAngle>("atan", kReadsInput, atan_grad);
constexpr OpDef kTanh =
    row<UnaryOp::kTanh, Result::kFloating, kHyperbolic>("tanh", kReadsOutput, tanh_grad);
constexpr OpDef kSinh =
    row<UnaryOp::kSinh, Result::kFloating, kHyperbolic>("sinh", kReadsInput, sinh_grad);
constexpr OpDef kCosh =
    row<UnaryOp::kCosh, Result::kFloating, kHyperbolic>("cosh", kReadsInput, cosh_grad);
constexpr OpDef kAsinh =
    row<UnaryOp::kAsinh, Result::kFloating, kHyperbolic>("asinh", kReadsInput, asinh_grad);
constexpr OpDef kErf = row<UnaryOp::kErf, Result::kFloating, kNormal>("erf", kReadsInput, erf_grad);
constexpr OpDef kSigmoid =
    row<UnaryOp::kSigmoid, Result::kFloating, kExponential>("sigmoid", kReadsOutput, sigmoid_grad);
constexpr OpDef kRelu = row<UnaryOp::kRelu, Result::kSame>("relu", kReadsOutput, relu_grad);
constexpr OpDef kGelu =
    row<UnaryOp::kGelu, Result::kFloating, kNormal>("gelu", kReadsInput, gelu_grad);
constexpr OpDef kGeluTanh = called("gelu",
                                   row<UnaryOp::kGeluTanh, Result::kFloating, kExponential>(
                                       "gelu_tanh", kReadsInput, gelu_tanh_grad));
constexpr OpDef kSilu =
    row<UnaryOp::kSilu, Result::kFloating, kExponential>("silu", kReadsInput, silu_grad);
constexpr OpDef kSoftplus = row<UnaryOp::kSoftplus, Result::kFloating, kExponential>(
    "softplus", kReadsInput, softplus_grad);
constexpr OpDef kIsNan = row<UnaryOp::kIsNan, Result::kBool>("isnan", 0, nullptr);
constexpr OpDef kIsFinite = row<UnaryOp::kIsFinite, Result::kBool>("isfinite", 0, nullptr);
constexpr OpDef kIsWithin = row<UnaryOp::kIsWithin, Result::kBool>("is_within", 0, nullptr);
constexpr OpDef kClamp = with_mask(row<UnaryOp::kClamp, Result::kSame>("clamp", 0, masked_grad),
                                   passing_mask<kIsWithin>);
constexpr OpDef kNanToNum = with_mask(
    row<UnaryOp::kNanToNum, Result::kSame>("nan_to_num", 0, masked_grad), passing_mask<kIsFinite>);
constexpr OpDef kLogicalNot = row<UnaryOp::kLogicalNot, Result::kBool>("logical_not", 0, nullptr);

namespace {

constexpr std::array kRows = {
#define PUMICE_UNARY(name, record) record,
#include "pumice/ops/unary.inc"
#undef PUMICE_UNARY
    kGelu, kGeluTanh, kSoftplus, kClamp, kIsWithin, kIsNan, kIsFinite, kNanToNum, kLogicalNot};

constexpr bool all_well_formed() {
    for (const OpDef& def : kRows) {
        if (!well_formed(def)) {
            return false;
        }
    }
    return true;
}

static_assert(all_well_formed());

Attrs softplus_attrs(double beta, double threshold) {
    return {.bits = {std::bit_cast<std::uint32_t>(static_cast<float>(beta)),
                     std::bit_cast<std::uint32_t>(static_cast<float>(threshold))},
            .beta = beta,
            .threshold = threshold};
}

// The bound itself, or `absent` where it lies so far outside of the dtype that no element reaches
// it. One that every element is beyond would have to be the result.
Scalar integer_bound(std::string_view name,
                     std::optional<Scalar> bound,
                     const Scalar& absent,
                     DType dtype) {
    if (!bound) {
        return absent;
    }
    using Int32 = std::numeric_limits<std::int32_t>;
    const bool is_byte = dtype == kInt8 || dtype == kUInt8;
    const std::int64_t least = !is_byte ? Int32::min() : (dtype == kInt8 ? -128 : 0);
    const std::int64_t most = !is_byte ? Int32::max() : (dtype == kInt8 ? 127 : 255);
    const std::int64_t value = bound->toLong();
    if (value >= least && value <= most) {
        return *bound;
    }
    if ((value < least) != (name == "min")) {
        throw ArgumentError("clamp",
                            fmt::format("{} must be in {}'s range [{}, {}] or leave all of it; got "
                                        "{}",
                                        name,
                                        to_string(dtype),
                                        least,
                                        most,
                                        value));
    }
    return absent;
}

// Bounds in the dtype that x is clamped in; absent ones never bind.
Attrs clamp_attrs(DType dtype, std::optional<Scalar> min, std::optional<Scalar> max) {
    if (!min && !max) {
        throw ArgumentError("clamp", "wants min, max or both; got neither");
    }
    const bool is_real = is_floating_point(dtype);
    const Scalar lowest = is_real ? Scalar(-std::numeric_limits<double>::infinity())
                                  : Scalar(std::numeric_limits<std::int32_t>::min());
    const Scalar highest = is_real ? Scalar(std::numeric_limits<double>::infinity())
                                   : Scalar(std::numeric_limits<std::int32_t>::max());
    const Scalar low = is_real ? min.value_or(lowest) : integer_bound("min", min, lowest, dtype);
    const Scalar high = is_real ? max.value_or(highest) : integer_bound("max", max, highest, dtype);
    return {.bits = {scalar_word("clamp", low, dtype), scalar_word("clamp", high, dtype)}};
}

DType clamp_dtype(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
    DType dtype = checked_impl(x, "clamp").dtype;
    for (const std::optional<Scalar>& bound : {min, max}) {
        if (bound && bound->is_floating_point()) {
            dtype = floating(dtype);
        }
    }
    return dtype;
}

}  // namespace

}  // namespace pumice::ops

namespace pumice {

using namespace ops;  // the records of this file

#define PUMICE_UNARY(name, record)                 \
    Tensor name(Tensor x) {                        \
        return run(record, std::move(x));          \
    }                                              \
    Tensor& name##_(Tensor& self) {                \
        return run_in_place(record, self);         \
    }                                              \
    Tensor& name##_out(Tensor& out, Tensor x) {    \
        return run_out(record, out, std::move(x)); \
    }
#include "pumice/ops/unary.inc"
#undef PUMICE_UNARY

Tensor isnan(Tensor x) {
    return run(kIsNan, std::move(x));
}

Tensor isfinite(Tensor x) {
    return run(kIsFinite, std::move(x));
}

Tensor logical_not(Tensor x) {
    return run(kLogicalNot, std::move(x));
}

Tensor gelu(Tensor x, std::string_view approximate) {
    if (approximate != "none" && approximate != "tanh") {
        throw ArgumentError(
            "gelu",
            fmt::format("approximate must be \"none\" or \"tanh\"; got \"{}\"", approximate));
    }
    return run(approximate == "tanh" ? kGeluTanh : kGelu, std::move(x));
}

Tensor softplus(Tensor x, double beta, double threshold) {
    if (!(beta != 0.0)) {
        throw ArgumentError("softplus", fmt::format("beta must not be zero; got {}", beta));
    }
    return run(kSoftplus, std::move(x), softplus_attrs(beta, threshold));
}

Tensor clamp(Tensor x, std::optional<Scalar> min, std::optional<Scalar> max) try {
    const DType dtype = clamp_dtype(x, min, max);
    const Attrs attrs = clamp_attrs(dtype, min, max);
    return run(kClamp, to(std::move(x), dtype), attrs);

} catch (const Error&) {
    rethrow_under("clamp");
}

Tensor& clamp_(Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max) try {
    const DType dtype = clamp_dtype(self, min, max);
    if (dtype != self.dtype()) {
        throw DTypeError("clamp_",
                         fmt::format("the result has dtype {}, which can't be cast to {}",
                                     to_string(dtype),
                                     to_string(self.dtype())));
    }
    return run_in_place(kClamp, self, clamp_attrs(dtype, min, max));

} catch (const Error&) {
    rethrow_under("clamp_");
}

Tensor nan_to_num(Tensor x,
                  double nan,
                  std::optional<double> posinf,
                  std::optional<double> neginf) {
    const DType dtype = checked_impl(x, "nan_to_num").dtype;
    const double largest = largest_value(is_floating_point(dtype) ? dtype : kFloat32);
    const auto word = [](double value) { return scalar_word("nan_to_num", value, kFloat32); };
    const Attrs attrs{
        .bits = {word(nan), word(posinf.value_or(largest)), word(neginf.value_or(-largest))}};
    return run(kNanToNum, std::move(x), attrs);
}

}  // namespace pumice
