// SPDX-License-Identifier: Apache-2.0
// Gradients of elementwise operators that are one kernel instead of a chain. Their own gradients
// are chains of public operators: for second derivatives only.
#include "ops/elementwise/gradients.h"

#include "pumice/ops.h"

#include "ops/all_ops.h"
#include "ops/elementwise/binary.h"

#include <numbers>

namespace pumice::ops {

using dispatch::BackwardCall;
using dispatch::Grad;
using dispatch::OpDef;
using vk::BinaryOp;
using vk::KernelId;

namespace {

// The condition has no gradient.
constexpr OpDef masked(OpDef def) {
    def.inputs[1].grad = Grad::kNever;
    def.saved = {.inputs = 0b10};
    return def;
}

void keep_where_grad(BackwardCall& call) {
    call.set(0, keep_where(call.grad(), call.input(1)));
}

void relu_backward_grad(BackwardCall& call) {
    call.set(0, relu_backward(call.grad(), call.input(1)));
}

// g (1 - y^2)
void tanh_backward_grad(BackwardCall& call) {
    const Tensor y = call.input(1);
    if (call.needs(0)) {
        call.set(0, tanh_backward(call.grad(), y));
    }
    if (call.needs(1)) {
        call.set(1, mul(mul(mul(call.grad(), call.input(0)), y), -2.0));
    }
}

// g (1 - y) y
void sigmoid_backward_grad(BackwardCall& call) {
    const Tensor y = call.input(1);
    if (call.needs(0)) {
        call.set(0, sigmoid_backward(call.grad(), y));
    }
    if (call.needs(1)) {
        call.set(1, mul(mul(call.grad(), call.input(0)), rsub(mul(y, 2.0), 1.0)));
    }
}

// g s (1 + x (1 - s)), s = sigmoid(x); s' = s (1 - s)
void silu_backward_grad(BackwardCall& call) {
    const Tensor x = call.input(1);
    if (call.needs(0)) {
        call.set(0, silu_backward(call.grad(), x));
    }
    if (call.needs(1)) {
        const Tensor s = sigmoid(x);
        const Tensor curve = add(mul(x, rsub(mul(s, 2.0), 1.0)), 2.0);
        call.set(1, mul(mul(call.grad(), call.input(0)), mul(mul(s, rsub(s, 1.0)), curve)));
    }
}

// g (cdf(x) + x pdf(x)); its slope is pdf(x) (2 - x^2).
void gelu_backward_grad(BackwardCall& call) {
    const Tensor x = call.input(1);
    if (call.needs(0)) {
        call.set(0, gelu_backward(call.grad(), x));
    }
    if (call.needs(1)) {
        const Tensor x2 = square(x);
        const double scale = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
        const Tensor curve = mul(mul(exp(mul(x2, -0.5)), rsub(x2, 2.0)), scale);
        call.set(1, mul(mul(call.grad(), call.input(0)), curve));
    }
}

// g (s + x s' v), s = sigmoid(v(x)): with s' = s (1 - s) and s'' = s' (1 - 2 s), the slope is
// 2 s' v' + x (s'' v'^2 + s' v'').
void gelu_tanh_backward_grad(BackwardCall& call) {
    const Tensor x = call.input(1);
    if (call.needs(0)) {
        call.set(0, gelu_tanh_backward(call.grad(), x));
    }
    if (call.needs(1)) {
        const double scale = 2.0 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
        const Tensor x2 = square(x);
        const Tensor s = sigmoid(mul(mul(x, add(mul(x2, 0.044715), 1.0)), scale));
        const Tensor s1 = mul(s, rsub(s, 1.0));
        const Tensor s2 = mul(s1, rsub(mul(s, 2.0), 1.0));
        const Tensor v1 = mul(add(mul(x2, 3.0 * 0.044715), 1.0), scale);
        const Tensor v2 = mul(x, scale * 6.0 * 0.044715);
        const Tensor bend = mul(x, add(mul(s2, square(v1)), mul(s1, v2)));
        const Tensor curve = add(mul(mul(s1, v1), 2.0), bend);
        call.set(1, mul(mul(call.grad(), call.input(0)), curve));
    }
}

Tensor run(const OpDef& def, Tensor g, Tensor other) {
    const DType dtype = checked_impl(g, def.where()).dtype;
    Tensor inputs[] = {std::move(g), std::move(other)};
    make_mappable(inputs, nullptr);
    return dispatch::call(def, inputs, BinaryAttrs{.common = dtype, .result = dtype});
}

}  // namespace

constexpr OpDef kKeepWhere = masked(pair<BinaryOp::kKeepWhere>("keep_where", {}, keep_where_grad));
constexpr OpDef kReluBackward =
    masked(pair<BinaryOp::kReluBackward>("relu_backward", {}, relu_backward_grad));
constexpr OpDef kTanhBackward =
    pair<BinaryOp::kTanhBackward>("tanh_backward", kSavedSecondForBoth, tanh_backward_grad);
constexpr OpDef kSigmoidBackward = pair<BinaryOp::kSigmoidBackward>(
    "sigmoid_backward", kSavedSecondForBoth, sigmoid_backward_grad);
constexpr OpDef kSiluBackward =
    pair<BinaryOp::kSiluBackward, KernelId::kElementwiseBinaryExponential>(
        "silu_backward", kSavedSecondForBoth, silu_backward_grad);
constexpr OpDef kGeluBackward = pair<BinaryOp::kGeluBackward, KernelId::kElementwiseBinaryNormal>(
    "gelu_backward", kSavedSecondForBoth, gelu_backward_grad);
constexpr OpDef kGeluTanhBackward =
    pair<BinaryOp::kGeluTanhBackward, KernelId::kElementwiseBinaryExponential>(
        "gelu_tanh_backward", kSavedSecondForBoth, gelu_tanh_backward_grad);
static_assert(well_formed(kKeepWhere) && well_formed(kReluBackward) && well_formed(kTanhBackward) &&
              well_formed(kSigmoidBackward) && well_formed(kSiluBackward) &&
              well_formed(kGeluBackward) && well_formed(kGeluTanhBackward));

Tensor keep_where(Tensor x, Tensor condition) {
    return run(kKeepWhere, std::move(x), std::move(condition));
}

Tensor relu_backward(Tensor g, Tensor y) {
    return run(kReluBackward, std::move(g), std::move(y));
}

Tensor tanh_backward(Tensor g, Tensor y) {
    return run(kTanhBackward, std::move(g), std::move(y));
}

Tensor sigmoid_backward(Tensor g, Tensor y) {
    return run(kSigmoidBackward, std::move(g), std::move(y));
}

Tensor silu_backward(Tensor g, Tensor x) {
    return run(kSiluBackward, std::move(g), std::move(x));
}

Tensor gelu_backward(Tensor g, Tensor x) {
    return run(kGeluBackward, std::move(g), std::move(x));
}

Tensor gelu_tanh_backward(Tensor g, Tensor x) {
    return run(kGeluTanhBackward, std::move(g), std::move(x));
}

}  // namespace pumice::ops
