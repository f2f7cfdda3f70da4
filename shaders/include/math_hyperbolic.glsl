// SPDX-License-Identifier: Apache-2.0
// Hyperbolic functions. See math.glsl for the rules and the accuracy.
#ifndef PUMICE_MATH_HYPERBOLIC_GLSL
#define PUMICE_MATH_HYPERBOLIC_GLSL

#include "math.glsl"

float tanh_float(float x) {
    if (is_nan(x)) {
        return x;
    }
    precise float z = x * x;
    precise float y;
    if (abs(x) < 0.625) {
        y = -5.70498872745e-3;
        y = y * z + 2.06390887954e-2;
        y = y * z - 5.37397155531e-2;
        y = y * z + 1.33314422036e-1;
        y = y * z - 3.33332819422e-1;
        y = y * (z * x) + x;
        return y;
    }
    y = 1.0 - 2.0 / (exp_float(2.0 * min(abs(x), 20.0)) + 1.0);
    return with_sign_of(y, x);
}

float sinh_float(float x) {
    precise float z = x * x;
    precise float y;
    if (abs(x) < 1.0) {
        y = 2.03721912945e-4;
        y = y * z + 8.33028376239e-3;
        y = y * z + 1.66667160211e-1;
        y = y * (z * x) + x;
        return y;
    }
    y = exp_shifted(abs(x), 0.0, -1) - exp_shifted(-abs(x), 0.0, -1);
    return with_sign_of(y, x);
}

float cosh_float(float x) {
    precise float y = exp_shifted(abs(x), 0.0, -1) + exp_shifted(-abs(x), 0.0, -1);
    return y;
}

float asinh_float(float x) {
    if (!is_finite(x)) {
        return x;
    }
    float a = abs(x);
    precise float z = x * x;
    precise float y;
    if (a < 0.5) {
        y = 2.0122003309e-2;
        y = y * z - 4.2699340972e-2;
        y = y * z + 7.4847586088e-2;
        y = y * z - 1.6666288134e-1;
        y = y * (z * x) + x;
        return y;
    }
    if (a > 1.0e4) {
        y = log_float(a) + 0.693147181;
    } else {
        y = log1p_float(a + z / (1.0 + sqrt(1.0 + z)));
    }
    return with_sign_of(y, x);
}

#endif
