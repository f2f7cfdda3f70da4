// SPDX-License-Identifier: Apache-2.0
// The formulas of elementwise operators: a constant and a case each. Floating dtypes are computed in
// float32 and rounded once at the store; the others in 32-bit integers. p0, p1 and p2 are the
// operator's parameters (see the rows in engine/ops/unary.cpp and binary.cpp).
#ifndef PUMICE_ELEMENTWISE_GLSL
#define PUMICE_ELEMENTWISE_GLSL

#include "math.glsl"

//@enum UnaryOp
const uint kUnaryNeg = 0u;
const uint kUnaryAbs = 1u;
const uint kUnarySign = 2u;
const uint kUnarySquare = 3u;
const uint kUnarySqrt = 4u;
const uint kUnaryRsqrt = 5u;
const uint kUnaryReciprocal = 6u;
const uint kUnaryExp = 7u;
const uint kUnaryLog = 8u;
const uint kUnaryLog1p = 9u;
const uint kUnarySin = 10u;
const uint kUnaryCos = 11u;
const uint kUnaryTanh = 12u;
const uint kUnarySinh = 13u;
const uint kUnaryCosh = 14u;
const uint kUnaryAsinh = 15u;
const uint kUnaryErf = 16u;
const uint kUnarySigmoid = 17u;
const uint kUnaryRelu = 18u;
const uint kUnaryGelu = 19u;
const uint kUnaryGeluTanh = 20u;
const uint kUnarySilu = 21u;
const uint kUnarySoftplus = 22u;   // p0 beta, p1 threshold
const uint kUnaryClamp = 23u;      // p0 min, p1 max
const uint kUnaryNanToNum = 24u;   // p0 for NaN, p1 for infinity, p2 for -infinity
const uint kUnaryIsNan = 25u;
const uint kUnaryIsFinite = 26u;
const uint kUnaryLogicalNot = 27u;
const uint kUnaryIdentity = 28u;   // moves bits, or converts
const uint kUnaryFill = 29u;       // p0 for every x

//@enum BinaryOp
const uint kBinaryAdd = 0u;        // a + p1 b
const uint kBinarySub = 1u;        // a - p1 b
const uint kBinaryRsub = 2u;       // b - a
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
// Gradients: a is the gradient of the result.
const uint kBinaryKeepWhere = 17u;         // b condition
const uint kBinaryReluBackward = 18u;      // b result
const uint kBinaryTanhBackward = 19u;      // b result
const uint kBinarySigmoidBackward = 20u;   // b result
const uint kBinaryGeluBackward = 21u;      // b operand, as below
const uint kBinaryGeluTanhBackward = 22u;
const uint kBinarySiluBackward = 23u;

const float kSqrtTwoOverPi = 0.797884561;
const float kGeluCubic = 0.044715;

// PyTorch's maximum: NaN wins.
float max_or_nan(float a, float b) {
    return is_nan(a) || (!is_nan(b) && a > b) ? a : b;
}

float min_or_nan(float a, float b) {
    return is_nan(a) || (!is_nan(b) && a < b) ? a : b;
}

float gelu_float(float x) {
    precise float y;
    if (abs(x) < 0.5) {
        y = x * (0.5 + 0.5 * erf_float(x * 0.707106781));
    } else {
        y = (x * normal_tail_ratio(x)) * gaussian(x);
        y = x > 0.0 ? x - y : y;
    }
    return y;
}

// tanh form: 0.5 x (1 + tanh(u)) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
float gelu_tanh_argument(float x) {
    precise float twice_u = 2.0 * kSqrtTwoOverPi * (x + kGeluCubic * (x * x * x));
    return twice_u;
}

float gelu_tanh_slope(float x) {
    float s = sigmoid_float(gelu_tanh_argument(x));
    precise float inner = 2.0 * kSqrtTwoOverPi * (1.0 + 3.0 * kGeluCubic * (x * x));
    precise float slope = s + x * (s * (1.0 - s)) * inner;
    return abs(x) > 12.0 ? s : slope;
}

float softplus_float(float x, float beta, float threshold) {
    precise float scaled = x * beta;
    precise float y = log1p_float(exp_float(scaled)) / beta;
    return scaled > threshold ? x : y;
}

float nan_to_num_float(float x, float nan, float posinf, float neginf) {
    if (is_nan(x)) {
        return nan;
    }
    return is_finite(x) ? x : (x > 0.0 ? posinf : neginf);
}

float unary_float(uint op, float x, float p0, float p1, float p2) {
    precise float y = x;
    switch (op) {
        case kUnaryNeg: y = -x; break;
        case kUnaryAbs: y = abs(x); break;
        case kUnarySign: y = is_nan(x) ? 0.0 : sign(x); break;
        case kUnarySquare: y = x * x; break;
        case kUnarySqrt: y = sqrt(x); break;
        case kUnaryRsqrt: y = 1.0 / sqrt(x); break;
        case kUnaryReciprocal: y = 1.0 / x; break;
        case kUnaryExp: y = exp_float(x); break;
        case kUnaryLog: y = log_float(x); break;
        case kUnaryLog1p: y = log1p_float(x); break;
        case kUnarySin: y = sine_of(x, 0); break;
        case kUnaryCos: y = sine_of(x, 1); break;
        case kUnaryTanh: y = tanh_float(x); break;
        case kUnarySinh: y = sinh_float(x); break;
        case kUnaryCosh: y = cosh_float(x); break;
        case kUnaryAsinh: y = asinh_float(x); break;
        case kUnaryErf: y = erf_float(x); break;
        case kUnarySigmoid: y = sigmoid_float(x); break;
        case kUnaryRelu: y = is_nan(x) || x > 0.0 ? x : 0.0; break;
        case kUnaryGelu: y = gelu_float(x); break;
        case kUnaryGeluTanh: y = x * sigmoid_float(gelu_tanh_argument(x)); break;
        case kUnarySilu: y = x * sigmoid_float(x); break;
        case kUnarySoftplus: y = softplus_float(x, p0, p1); break;
        case kUnaryClamp: y = min_or_nan(max_or_nan(x, p0), p1); break;
        case kUnaryNanToNum: y = nan_to_num_float(x, p0, p1, p2); break;
        case kUnaryIsNan: y = is_nan(x) ? 1.0 : 0.0; break;
        case kUnaryIsFinite: y = is_finite(x) ? 1.0 : 0.0; break;
        case kUnaryLogicalNot: y = x == 0.0 ? 1.0 : 0.0; break;
    }
    return y;
}

// Operators that have an integer form; on integers the others are promoted to float32.
int unary_int(uint op, int x, int p0, int p1) {
    switch (op) {
        case kUnaryNeg: return -x;
        case kUnaryAbs: return abs(x);
        case kUnarySign: return sign(x);
        case kUnarySquare: return x * x;
        case kUnaryRelu: return max(x, 0);
        case kUnaryClamp: return min(max(x, p0), p1);
        case kUnaryIsNan: return 0;
        case kUnaryIsFinite: return 1;
        case kUnaryLogicalNot: return int(x == 0);
    }
    return x;
}

float binary_float(uint op, float a, float b, float p1) {
    precise float y = a;
    precise float s;
    switch (op) {
        case kBinaryAdd: y = a + p1 * b; break;
        case kBinarySub: y = a - p1 * b; break;
        case kBinaryRsub: y = b - a; break;
        case kBinaryMul: y = a * b; break;
        case kBinaryDiv: y = a / b; break;
        case kBinaryPow: y = pow_float(a, b); break;
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
        case kBinaryKeepWhere: y = b != 0.0 ? a : 0.0; break;
        case kBinaryReluBackward: y = b > 0.0 ? a : 0.0; break;
        case kBinaryTanhBackward: y = a * (1.0 - b * b); break;
        case kBinarySigmoidBackward: y = a * ((1.0 - b) * b); break;
        case kBinaryGeluBackward:
            s = gaussian(b);
            y = a * (normal_cdf(b, s) + (abs(b) < 20.0 ? b * (0.398942280 * s) : 0.0));
            break;
        case kBinaryGeluTanhBackward: y = a * gelu_tanh_slope(b); break;
        case kBinarySiluBackward:
            s = sigmoid_float(b);
            y = a * (is_finite(b) ? s * (1.0 + b * (1.0 - s)) : s);
            break;
    }
    return y;
}

int binary_int(uint op, int a, int b, int p1) {
    switch (op) {
        case kBinaryAdd: return a + p1 * b;
        case kBinarySub: return a - p1 * b;
        case kBinaryRsub: return b - a;
        case kBinaryMul: return a * b;
        case kBinaryPow: return pow_int(a, b);
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
    }
    return a;
}

#endif
