// SPDX-License-Identifier: Apache-2.0
// Powers. See math.glsl for the rules and the accuracy.
#ifndef PUMICE_MATH_POWER_GLSL
#define PUMICE_MATH_POWER_GLSL

#extension GL_EXT_control_flow_attributes : require

#include "math.glsl"

// log2 of a positive finite x as high + low, to about 2^-31 absolute.
float log2_extended(float x, out float low) {
    int k;
    precise float f = log_mantissa(x, k) - 1.0;
    precise float d = 2.0 + f;
    precise float d_low = f - (d - 2.0);
    precise float s = f / d;
    precise float sd = s * d;
    precise float s_low = (((f - sd) - product_low(s, d, sd)) - s * d_low) / d;
    precise float z = s * s;
    precise float z_low = product_low(s, s, z) + 2.0 * s * s_low;
    // log(m) = 2s (1 + z/3 + z^2/5 + ...); the term z/3 with its rounding error.
    precise float third = z * 0.333333343;
    precise float third_low =
        product_low(z, 0.333333343, third) + (z_low * 0.333333343 + z * -9.93410776e-9);
    precise float r = 0.0909090909;
    r = r * z + 0.111111111;
    r = r * z + 0.142857143;
    r = r * z + 0.2;
    third_low = third_low + r * (z * z);
    r = s * third;
    precise float r_low = product_low(s, third, r) + (s * third_low + s_low);
    precise float a = s + r;
    precise float a_low = (r - (a - s)) + r_low;
    // 2 / log(2) = 2.88539004 + 3.85193e-8
    precise float c = a * 2.88539004;
    precise float c_low = product_low(a, 2.88539004, c) + (a * 3.85192598e-8 + a_low * 2.88539004);
    precise float high = float(k) + c;
    precise float rest = (float(k) - high) + c + c_low;
    low = rest;
    return high;
}

bool is_odd_integer(float y) {
    float a = abs(y);
    return a < 16777216.0 && floor(a) == a && (uint(a) & 1u) != 0u;
}

// Where x is 0 or infinite: the limit, as C's pow gives it.
float pow_at_limit(float x, float y) {
    float magnitude = (abs(x) > 1.0) == (y > 0.0) ? infinity() : 0.0;
    return is_odd_integer(y) ? with_sign_of(magnitude, x) : magnitude;
}

float pow_float(float x, float y) {
    if (x == 1.0 || y == 0.0) {
        return 1.0;
    }
    if (is_nan(x) || is_nan(y)) {
        return not_a_number();
    }
    float a = abs(x);
    if (floatBitsToUint(a) == 0u || !is_finite(x)) {
        return pow_at_limit(x, y);
    }
    if (!is_finite(y)) {
        return a == 1.0 ? 1.0 : ((a > 1.0) == (y > 0.0) ? infinity() : 0.0);
    }
    if (x < 0.0 && floor(y) != y) {
        return not_a_number();
    }
    float low;
    precise float high = log2_extended(a, low);
    float bounded = clamp(y, -1.0e12, 1.0e12);
    precise float t = bounded * high;
    precise float t_low = product_low(bounded, high, t) + bounded * low;
    if (abs(t) > 200.0) {
        t = with_sign_of(200.0, t);
        t_low = 0.0;
    }
    precise float n = (t + 12582912.0) - 12582912.0;
    precise float r = ((t - n) + t_low) * 0.693147181;
    float result = scale_by_power(exp_reduced(r), int(n));
    return x < 0.0 && is_odd_integer(y) ? -result : result;
}

// Wraps around like multiplication. Negative exponents as in PyTorch: 0 but for bases 1 and -1.
int pow_int(int base, int exponent) {
    if (exponent < 0) {
        return base == 1 ? 1 : (base == -1 ? ((exponent & 1) != 0 ? -1 : 1) : 0);
    }
    int result = 1;
    int square = base;
    // Every bit of every exponent: a loop here would count in each loop around a formula.
    [[unroll]] for (int bit = 0; bit < 31; ++bit) {
        result *= ((exponent >> bit) & 1) != 0 ? square : 1;
        square *= square;
    }
    return result;
}

#endif
