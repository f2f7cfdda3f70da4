// SPDX-License-Identifier: Apache-2.0
// Sine and cosine. See math.glsl for the rules and the accuracy.
#ifndef PUMICE_MATH_ANGLE_GLSL
#define PUMICE_MATH_ANGLE_GLSL

#include "math.glsl"

// 2/pi: 32 bits from bit 32 (i - 1) after the point. No array: drivers are slow to index constants.
uint two_over_pi(uint i) {
    uint low = i < 2u ? (i < 1u ? 0u : 0x28be60dbu) : (i < 3u ? 0x9391054au : 0x7f09d5f4u);
    uint high = i < 5u ? 0x7d4d3770u : (i < 6u ? 0x36d8a566u : 0x4f10e410u);
    return i < 4u ? low : high;
}

// |x| large: fraction of x / (pi/2) in 62-bit fixed point.
float reduce_large_angle(float x, out int quadrant) {
    uint bits = floatBitsToUint(x);
    uint mantissa = ((bits & 0x007fffffu) << 8u) | 0x80000000u;
    uint exponent = ((bits >> 23u) & 0xffu) - 126u;
    uint at = exponent >> 5u;
    uint shift = exponent & 31u;
    uint high = two_over_pi(at);
    uint middle = two_over_pi(at + 1u);
    uint low = two_over_pi(at + 2u);
    if (shift > 0u) {
        high = (high << shift) | (middle >> (32u - shift));
        middle = (middle << shift) | (low >> (32u - shift));
        low = (low << shift) | (two_over_pi(at + 3u) >> (32u - shift));
    }
    uint ignored, p_low, p_high, carry, low_high;
    umulExtended(mantissa, low, low_high, ignored);
    umulExtended(mantissa, middle, p_high, p_low);
    p_low = uaddCarry(p_low, low_high, carry);
    p_high += carry + mantissa * high;
    quadrant = int(p_high >> 30u);
    p_high &= 0x3fffffffu;
    bool is_upper = (p_high & 0x20000000u) != 0u;
    if (is_upper) {  // fraction - 1, as a magnitude
        p_low = ~p_low + 1u;
        p_high = (0x40000000u - p_high) - (p_low != 0u ? 1u : 0u);
        ++quadrant;
    }
    int top = p_high != 0u ? findMSB(p_high) + 32 : findMSB(p_low);
    uint up = uint(63 - max(top, 0));
    uint aligned = up >= 32u ? p_low << (up - 32u)
                             : (up == 0u ? p_high : (p_high << up) | (p_low >> (32u - up)));
    precise float a = float(aligned & 0xffffff00u);
    precise float b = float(aligned & 0xffu);
    precise float r = a * 1.57079637;
    r = r + (product_low(a, 1.57079637, r) + (a * -4.37113883e-8 + b * 1.57079637));
    r = scale_by_power(r, top < 0 ? -252 : top - 31 - 62);
    bool is_negative = is_upper != (x < 0.0);
    quadrant = x < 0.0 ? -quadrant : quadrant;
    return is_negative ? -r : r;
}

// x - quadrant * pi/2, in [-pi/4, pi/4].
float reduce_angle(float x, out int quadrant) {
    if (abs(x) > 3000.0) {
        return reduce_large_angle(x, quadrant);
    }
    precise float n = (x * 0.636619772 + 12582912.0) - 12582912.0;
    quadrant = int(n);
    // pi/2 in pieces of 13 bits: their products with n are exact.
    precise float r = x - n * 1.570556640625;
    r = r - n * 2.39670276641845703e-4;
    r = r - n * 1.58906914293766e-8;
    r = r - n * 2.56334407e-12;
    return r;
}

// sin(x + quarters * pi/2)
float sine_of(float x, int quarters) {
    if (!is_finite(x)) {
        return not_a_number();
    }
    int quadrant;
    precise float r = reduce_angle(x, quadrant);
    quadrant += quarters;
    precise float z = r * r;
    precise float y;
    if ((quadrant & 1) != 0) {
        y = 2.443315711809948e-5;
        y = y * z - 1.388731625493765e-3;
        y = y * z + 4.166664568298827e-2;
        y = y * (z * z) - 0.5 * z + 1.0;
    } else {
        y = -1.9515295891e-4;
        y = y * z + 8.3321608736e-3;
        y = y * z - 1.6666654611e-1;
        y = y * (z * r) + r;
    }
    return (quadrant & 2) != 0 ? -y : y;
}

#endif
