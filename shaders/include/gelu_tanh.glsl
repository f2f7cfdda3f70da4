// SPDX-License-Identifier: Apache-2.0
// GELU's tanh form: 0.5 x (1 + tanh(u)) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
#ifndef PUMICE_GELU_TANH_GLSL
#define PUMICE_GELU_TANH_GLSL

#include "math.glsl"

const float kSqrtTwoOverPi = 0.797884561;
const float kGeluCubic = 0.044715;

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

#endif
