// SPDX-License-Identifier: Apache-2.0
// The error function and the normal distribution. See math.glsl for the rules and the accuracy.
#ifndef PUMICE_MATH_NORMAL_GLSL
#define PUMICE_MATH_NORMAL_GLSL

#include "math.glsl"

float erf_float(float x) {
    if (is_nan(x)) {
        return x;
    }
    float t = abs(x);
    precise float s = x * x;
    precise float y;
    if (t <= 0.927734375) {
        y = -5.96761703e-4;
        y = y * s + 4.99119423e-3;
        y = y * s - 2.67681349e-2;
        y = y * s + 1.12819925e-1;
        y = y * s - 3.76125336e-1;
        y = y * s + 1.28379166e-1;
        y = y * x + x;
        return y;
    }
    t = min(t, 4.0);
    s = t * t;
    y = (-1.72853470e-5 * t + 3.83197126e-4) * s + (-3.88396438e-3 * t + 2.42546219e-2);
    y = y * t - 1.06777877e-1;
    y = y * t - 6.34846687e-1;
    y = y * t - 1.28717512e-1;
    y = y * t - t;
    y = 1.0 - exp_float(y);
    return with_sign_of(y, x);
}

// e^(-x^2/2), with the square's rounding error carried.
float gaussian(float x) {
    if (is_nan(x) || abs(x) > 20.0) {
        return is_nan(x) ? x : 0.0;
    }
    precise float square = x * x;
    precise float low = product_low(x, x, square);
    return exp_shifted(-0.5 * square, -0.5 * low, 0);
}

// P(Z > |x|) / gaussian(x) for a standard normal Z: half the scaled erfc of |x| / sqrt(2).
float normal_tail_ratio(float x) {
    precise float a = min(abs(x), 20.0);
    precise float q = (a - 3.0) / (a + 3.0);
    precise float p = 4.43871525e-05;
    p = p * q + 7.76146184e-06;
    p = p * q - 0.000470298519;
    p = p * q - 0.000337020878;
    p = p * q + 0.00299241555;
    p = p * q + 0.00115428648;
    p = p * q - 0.0227270098;
    p = p * q + 0.0451647117;
    p = p * q - 0.016432333;
    p = p * q - 0.0965267848;
    p = p * q + 0.486055795;
    p = p / (1.0 + 1.0 * a);
    return p;
}

// P(Z <= x), given gaussian(x).
float normal_cdf(float x, float density) {
    precise float p;
    if (abs(x) < 0.5) {
        p = 0.5 + 0.5 * erf_float(x * 0.707106781);
    } else {
        p = normal_tail_ratio(x) * density;
        p = x > 0.0 ? 1.0 - p : p;
    }
    return p;
}

#endif
