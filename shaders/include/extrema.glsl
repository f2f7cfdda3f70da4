// SPDX-License-Identifier: Apache-2.0
// PyTorch's maximum and minimum: NaN wins.
#ifndef PUMICE_EXTREMA_GLSL
#define PUMICE_EXTREMA_GLSL

#include "math.glsl"

float max_or_nan(float a, float b) {
    return is_nan(a) || (!is_nan(b) && a > b) ? a : b;
}

float min_or_nan(float a, float b) {
    return is_nan(a) || (!is_nan(b) && a < b) ? a : b;
}

#endif
