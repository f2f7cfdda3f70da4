// SPDX-License-Identifier: Apache-2.0
// Inverses of sine, cosine and tangent. See math.glsl for the rules and the accuracy.
#ifndef PUMICE_MATH_ARC_GLSL
#define PUMICE_MATH_ARC_GLSL

#include "math.glsl"

const float kHalfPi = 1.57079637;
const float kHalfPiLow = -4.37113883e-8;  // pi/2 - kHalfPi

// (asin(x) - x) / x for z = x^2 up to 1/4.
float arc_sine_ratio(float z) {
    precise float y = 4.2163199048e-2;
    y = y * z + 2.4181311049e-2;
    y = y * z + 4.5470025998e-2;
    y = y * z + 7.4953002686e-2;
    y = y * z + 1.6666752422e-1;
    y = y * z;
    return y;
}

// asin(sqrt(z)) as a sum, z in [0, 1/4]: the root, and what it lacks.
float arc_sine_of_root(float z, out float low) {
    precise float root = sqrt(z);
    precise float square = root * root;
    precise float missing = z - square - product_low(root, root, square);
    low = root * arc_sine_ratio(z) + (root > 0.0 ? missing / (2.0 * root) : 0.0);
    return root;
}

// quarters * pi/2 - 2 * (high + low), for one or two quarters.
float from_half_turns(float quarters, float high, float low) {
    precise float whole = quarters * kHalfPi;
    precise float y = whole - 2.0 * high;
    precise float lost = (whole - y) - 2.0 * high;
    y = y + (lost + (quarters * kHalfPiLow - 2.0 * low));
    return y;
}

float asin_float(float x) {
    float a = abs(x);
    if (!(a <= 1.0)) {
        return not_a_number();
    }
    precise float y;
    if (a <= 0.5) {
        y = a * arc_sine_ratio(a * a) + a;
    } else {
        float low;
        float high = arc_sine_of_root(0.5 * (1.0 - a), low);
        y = from_half_turns(1.0, high, low);
    }
    return with_sign_of(y, x);
}

float acos_float(float x) {
    float a = abs(x);
    if (!(a <= 1.0)) {
        return not_a_number();
    }
    precise float y;
    if (a <= 0.5) {
        y = kHalfPi - x;
        precise float lost = (kHalfPi - y) - x;
        y = y + (lost + (kHalfPiLow - x * arc_sine_ratio(x * x)));
        return y;
    }
    float low;
    float high = arc_sine_of_root(0.5 * (1.0 - a), low);
    y = 2.0 * high + 2.0 * low;
    return x < 0.0 ? from_half_turns(2.0, high, low) : y;
}

// The argument is brought to [-tan(pi/8), tan(pi/8)] by atan(a) = pi/2 - atan(1/a) and
// atan(a) = pi/4 + atan((a - 1) / (a + 1)).
float atan_float(float x) {
    if (is_nan(x)) {
        return x;
    }
    float a = abs(x);
    precise float t = a > 1.0 ? 1.0 / a : a;
    bool is_beyond = t > 0.414213562;
    t = is_beyond ? (t - 1.0) / (t + 1.0) : t;
    precise float z = t * t;
    precise float y = 8.05374449538e-2;
    y = y * z - 1.38776856032e-1;
    y = y * z + 1.99777106478e-1;
    y = y * z - 3.33329491539e-1;
    y = y * (z * t) + t;
    y = is_beyond ? 0.5 * kHalfPi + (y + 0.5 * kHalfPiLow) : y;
    y = a > 1.0 ? kHalfPi - (y - kHalfPiLow) : y;
    return with_sign_of(y, x);
}

#endif
