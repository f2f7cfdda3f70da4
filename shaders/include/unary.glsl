// SPDX-License-Identifier: Apache-2.0
// The formulas of elementwise operators of one operand: a constant and a case each. Floating dtypes
// are computed in float32 and rounded once at the store; the others in 32-bit integers. p0, p1 and
// p2 are the operator's parameters (the rows are in engine/ops/elementwise/unary.cpp). FORMULA_*
// choose the groups that are compiled: one in a kernel that is built ahead, the build variant of
// the row's kernel; those it needs in one that is written at run time.
#ifndef PUMICE_UNARY_GLSL
#define PUMICE_UNARY_GLSL

#ifdef FORMULA_ANGLE
#include "math_angle.glsl"
#include "math_arc.glsl"
#endif
#ifdef FORMULA_HYPERBOLIC
#include "math_hyperbolic.glsl"
#endif
#ifdef FORMULA_NORMAL
#include "math_normal.glsl"
#endif
#include "dtype.glsl"
#include "extrema.glsl"
#include "gelu_tanh.glsl"
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
const uint kUnarySoftplus = 22u;  // p0 beta, p1 threshold
const uint kUnaryClamp = 23u;     // p0 min, p1 max
const uint kUnaryNanToNum = 24u;  // p0 for NaN, p1 for infinity, p2 for -infinity
const uint kUnaryIsNan = 25u;
const uint kUnaryIsFinite = 26u;
const uint kUnaryLogicalNot = 27u;
const uint kUnaryIsWithin = 28u;  // p0 least, p1 most
const uint kUnaryFloor = 29u;
const uint kUnaryCeil = 30u;
const uint kUnaryRound = 31u;
const uint kUnaryTrunc = 32u;
const uint kUnaryFrac = 33u;
const uint kUnaryAsin = 34u;
const uint kUnaryAcos = 35u;
const uint kUnaryAtan = 36u;

#ifdef FORMULA_NORMAL
float gelu_float(float x) {
    precise float y;
    if (abs(x) < 0.5) {
        y = x * (0.5 + 0.5 * erf_float(x * 0.707106781));
    } else {
        y = (x * normal_tail_ratio(x)) * gaussian(x);
        // Far out the tail is nothing, and at infinity it would be infinity times 0.
        y = x > 10.0 ? x : (x > 0.0 ? x - y : y);
    }
    return y;
}
#endif

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

//@formulas UnaryOp
float unary_float(uint op, float x, float p0, float p1, float p2) {
    precise float y = x;
    switch (op) {
#ifdef FORMULA_EXPONENTIAL
        case kUnaryExp: y = exp_float(x); break;
        case kUnaryLog: y = log_float(x); break;
        case kUnaryLog1p: y = log1p_float(x); break;
        case kUnarySigmoid: y = sigmoid_float(x); break;
        case kUnarySilu: y = x * sigmoid_float(x); break;
        case kUnaryGeluTanh: y = x * sigmoid_float(gelu_tanh_argument(x)); break;
        case kUnarySoftplus: y = softplus_float(x, p0, p1); break;
#endif
#ifdef FORMULA_ANGLE
        case kUnarySin: y = sine_of(x, 0); break;
        case kUnaryCos: y = sine_of(x, 1); break;
        case kUnaryAsin: y = asin_float(x); break;
        case kUnaryAcos: y = acos_float(x); break;
        case kUnaryAtan: y = atan_float(x); break;
#endif
#ifdef FORMULA_HYPERBOLIC
        case kUnaryTanh: y = tanh_float(x); break;
        case kUnarySinh: y = sinh_float(x); break;
        case kUnaryCosh: y = cosh_float(x); break;
        case kUnaryAsinh: y = asinh_float(x); break;
#endif
#ifdef FORMULA_NORMAL
        case kUnaryErf: y = erf_float(x); break;
        case kUnaryGelu: y = gelu_float(x); break;
#endif
#ifdef FORMULA_SIMPLE
        case kUnaryNeg: y = -x; break;
        case kUnaryAbs: y = abs(x); break;
        case kUnarySign: y = is_nan(x) ? 0.0 : sign(x); break;
        case kUnarySquare: y = x * x; break;
        case kUnarySqrt: y = sqrt(x); break;
        case kUnaryRsqrt: y = 1.0 / sqrt(x); break;
        case kUnaryReciprocal: y = 1.0 / x; break;
        case kUnaryRelu: y = is_nan(x) || x > 0.0 ? x : 0.0; break;
        case kUnaryClamp: y = min_or_nan(max_or_nan(x, p0), p1); break;
        case kUnaryNanToNum: y = nan_to_num_float(x, p0, p1, p2); break;
        case kUnaryIsNan: y = is_nan(x) ? 1.0 : 0.0; break;
        case kUnaryIsFinite: y = is_finite(x) ? 1.0 : 0.0; break;
        case kUnaryLogicalNot: y = x == 0.0 ? 1.0 : 0.0; break;
        case kUnaryIsWithin: y = x >= p0 && x <= p1 ? 1.0 : 0.0; break;
        case kUnaryFloor: y = floor(x); break;
        case kUnaryCeil: y = ceil(x); break;
        case kUnaryRound: y = roundEven(x); break;
        case kUnaryTrunc: y = trunc(x); break;
        case kUnaryFrac: y = x - trunc(x); break;
#endif
    }
    return y;
}

// Operators that have an integer form; for the others integers are promoted to float32.
//@formulas UnaryOp
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
        case kUnaryIsWithin: return int(x >= p0 && x <= p1);
    }
    return x;
}

#endif
