// SPDX-License-Identifier: Apache-2.0
// The formulas of elementwise operators of two operands: a constant and a case each. Floating
// dtypes are computed in float32 and rounded once at the store; the others in 32-bit integers. p1
// is the operator's parameter (the rows are in engine/ops/elementwise/binary.cpp). FORMULA_*: see
// unary.glsl.
#ifndef PUMICE_BINARY_GLSL
#define PUMICE_BINARY_GLSL

#ifdef FORMULA_NORMAL
#include "math_normal.glsl"
#endif
#ifdef FORMULA_POWER
#include "math_power.glsl"
#endif
#include "dtype.glsl"
#include "extrema.glsl"
#include "gelu_tanh.glsl"
#include "math.glsl"

//@enum BinaryOp
const uint kBinaryAdd = 0u;   // a + p1 b
const uint kBinarySub = 1u;   // a - p1 b
const uint kBinaryRsub = 2u;  // b - a
const uint kBinaryMul = 3u;
const uint kBinaryDiv = 4u;
const uint kBinaryPow = 5u;
const uint kBinaryMaximum = 6u;
const uint kBinaryMinimum = 7u;
const uint kBinaryEq = 8u;
const uint kBinaryNe = 9u;
const uint kBinaryLt = 10u;
const uint kBinaryLe = 11u;
const uint kBinaryGt = 12u;
const uint kBinaryGe = 13u;
const uint kBinaryLogicalAnd = 14u;
const uint kBinaryLogicalOr = 15u;
const uint kBinaryLogicalXor = 16u;
const uint kBinaryOrder = 17u;  // 1: a > b, 2: a < b, 3: equal, 0: NaN
// Gradients: a is the gradient of the result.
const uint kBinaryKeepWhere = 18u;        // b condition
const uint kBinaryReluBackward = 19u;     // b result
const uint kBinaryTanhBackward = 20u;     // b result
const uint kBinarySigmoidBackward = 21u;  // b result
const uint kBinaryGeluBackward = 22u;     // b operand, as below
const uint kBinaryGeluTanhBackward = 23u;
const uint kBinarySiluBackward = 24u;

#ifdef FORMULA_NORMAL
// cdf(x) + x pdf(x) of the standard normal.
float gelu_slope(float x) {
    float density = gaussian(x);
    precise float slope = normal_cdf(x, density) + x * (0.398942280 * density);
    return is_finite(x) || is_nan(x) ? slope : (x > 0.0 ? 1.0 : 0.0);
}
#endif

float silu_slope(float x) {
    precise float s = sigmoid_float(x);
    precise float slope = s * (1.0 + x * (1.0 - s));
    return is_finite(x) ? slope : s;
}

//@formulas BinaryOp
float binary_float(uint op, float a, float b, float p1) {
    precise float y = a;
    switch (op) {
#ifdef FORMULA_EXPONENTIAL
        case kBinaryGeluTanhBackward: y = a * gelu_tanh_slope(b); break;
        case kBinarySiluBackward: y = a * silu_slope(b); break;
#endif
#ifdef FORMULA_NORMAL
        case kBinaryGeluBackward: y = a * gelu_slope(b); break;
#endif
#ifdef FORMULA_POWER
        case kBinaryPow: y = pow_float(a, b); break;
#endif
#ifdef FORMULA_SIMPLE
        case kBinaryAdd: y = a + p1 * b; break;
        case kBinarySub: y = a - p1 * b; break;
        case kBinaryRsub: y = b - a; break;
        case kBinaryMul: y = a * b; break;
        case kBinaryDiv: y = a / b; break;
        case kBinaryMaximum: y = max_or_nan(a, b); break;
        case kBinaryMinimum: y = min_or_nan(a, b); break;
        case kBinaryEq: y = a == b ? 1.0 : 0.0; break;
        case kBinaryNe: y = a == b ? 0.0 : 1.0; break;
        case kBinaryLt: y = a < b ? 1.0 : 0.0; break;
        case kBinaryLe: y = a <= b ? 1.0 : 0.0; break;
        case kBinaryGt: y = a > b ? 1.0 : 0.0; break;
        case kBinaryGe: y = a >= b ? 1.0 : 0.0; break;
        case kBinaryLogicalAnd: y = a != 0.0 && b != 0.0 ? 1.0 : 0.0; break;
        case kBinaryLogicalOr: y = a != 0.0 || b != 0.0 ? 1.0 : 0.0; break;
        case kBinaryLogicalXor: y = (a != 0.0) != (b != 0.0) ? 1.0 : 0.0; break;
        case kBinaryOrder: y = a > b ? 1.0 : (a < b ? 2.0 : (a == b ? 3.0 : 0.0)); break;
        case kBinaryKeepWhere: y = b != 0.0 ? a : 0.0; break;
        case kBinaryReluBackward: y = is_nan(b) || b > 0.0 ? a : 0.0; break;
        case kBinaryTanhBackward: y = a * (1.0 - b * b); break;
        case kBinarySigmoidBackward: y = a * ((1.0 - b) * b); break;
#endif
    }
    return y;
}

//@formulas BinaryOp
int binary_int(uint op, int a, int b, int p1) {
    switch (op) {
        case kBinaryAdd: return a + p1 * b;
        case kBinarySub: return a - p1 * b;
        case kBinaryRsub: return b - a;
        case kBinaryMul: return a * b;
#ifdef FORMULA_POWER
        case kBinaryPow: return pow_int(a, b);
#endif
        case kBinaryMaximum: return max(a, b);
        case kBinaryMinimum: return min(a, b);
        case kBinaryEq: return int(a == b);
        case kBinaryNe: return int(a != b);
        case kBinaryLt: return int(a < b);
        case kBinaryLe: return int(a <= b);
        case kBinaryGt: return int(a > b);
        case kBinaryGe: return int(a >= b);
        case kBinaryLogicalAnd: return int(a != 0 && b != 0);
        case kBinaryLogicalOr: return int(a != 0 || b != 0);
        case kBinaryLogicalXor: return int((a != 0) != (b != 0));
        case kBinaryOrder: return a > b ? 1 : (a < b ? 2 : 3);
    }
    return a;
}

// An operand's element, number `at` of those whose bits `word` holds, rounded to the common dtype.
float real_operand(uint word, uint at, uint dtype, uint common_dtype) {
    float value = decode_float(word, at, dtype);
    return dtype == common_dtype ? value : round_to_dtype(value, common_dtype);
}

#endif
