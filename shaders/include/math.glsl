// SPDX-License-Identifier: Apache-2.0
// Exponentials and logarithms, and what the other math_*.glsl share.
//
// Functions in float32 that give the same bits on every device whose add, multiply and divide are
// correctly rounded; the drivers' own differ and lose digits (Vulkan lets sin be wrong by 2^-11).
// Everything is `precise`: no contraction to fma, no reordering. They are apart because drivers pay
// for what a module includes, called or not, at each pipeline.
//
// Errors against float64 over all floats (tests/ops/unary_test.cpp): at most 2 ulp; sigmoid 2.4,
// gelu 4. Results below the smallest normal may be flushed to zero.
// Sources: Cephes (Moshier) for exp, sin, cos and the small-argument polynomials; FreeBSD msun for
// log and log1p; Dekker 1971 for exact products; Payne and Hanek 1983 for large angles; Juffa's
// two-piece erf and his change of variable for the scaled erfc (coefficients fitted anew).
#ifndef PUMICE_MATH_GLSL
#define PUMICE_MATH_GLSL

const float kLog2E = 1.44269504;

// Comparisons with NaN are not reliable on every driver; bits are.
bool is_nan(float x) {
    return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u;
}

bool is_finite(float x) {
    return (floatBitsToUint(x) & 0x7fffffffu) < 0x7f800000u;
}

float infinity() {
    return uintBitsToFloat(0x7f800000u);
}

float not_a_number() {
    return uintBitsToFloat(0x7fc00000u);
}

float with_sign_of(float magnitude, float sign) {
    return uintBitsToFloat((floatBitsToUint(magnitude) & 0x7fffffffu) |
                           (floatBitsToUint(sign) & 0x80000000u));
}

// a * b as an unevaluated sum high + low, exact unless it under- or overflows.
float product_low(float a, float b, float high) {
    precise float a1 = uintBitsToFloat(floatBitsToUint(a) & 0xfffff000u);
    precise float b1 = uintBitsToFloat(floatBitsToUint(b) & 0xfffff000u);
    precise float a2 = a - a1;
    precise float b2 = b - b1;
    precise float low = ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2;
    return low;
}

// 2^n for n in [-252, 254], in two factors so that neither leaves the normal range.
float scale_by_power(float x, int n) {
    int half_n = n >> 1;
    precise float y = x * uintBitsToFloat(uint(half_n + 127) << 23u);
    y = y * uintBitsToFloat(uint(n - half_n + 127) << 23u);
    return y;
}

// e^r for |r| <= 0.35.
float exp_reduced(float r) {
    precise float p = 1.9875691500e-4;
    p = p * r + 1.3981999507e-3;
    p = p * r + 8.3334519073e-3;
    p = p * r + 4.1665795894e-2;
    p = p * r + 1.6666665459e-1;
    p = p * r + 5.0000001201e-1;
    p = p * (r * r) + r + 1.0;
    return p;
}

// e^(x + low) * 2^shift for |low| far below |x|.
float exp_shifted(float x, float low, int shift) {
    if (is_nan(x)) {
        return x;
    }
    float bounded = clamp(x, -104.5, 90.0);
    precise float n = (bounded * kLog2E + 12582912.0) - 12582912.0;  // to the nearest integer
    precise float r = bounded - n * 0.693359375;
    r = r - n * -2.12194440e-4;
    r = r + (bounded == x ? low : 0.0);
    return scale_by_power(exp_reduced(r), int(n) + shift);
}

float exp_float(float x) {
    return exp_shifted(x, 0.0, 0);
}

// log(2^k * (1 + f)) with a correction c to it, 1 + f in [sqrt(1/2), sqrt(2)).
float log_reduced(float f, float k, float c) {
    precise float s = f / (2.0 + f);
    precise float z = s * s;
    precise float w = z * z;
    precise float r =
        w * (0.40000972152 + w * 0.24279078841) + z * (0.66666662693 + w * 0.28498786688);
    precise float half_square = 0.5 * f * f;
    precise float y = s * (half_square + r) + (k * 9.0580006145e-06 + c);
    y = y - half_square + f + k * 6.9313812256e-01;
    return y;
}

// Splits a positive finite x into 2^k * m, m in [sqrt(1/2), sqrt(2)); subnormals by integer
// arithmetic, because devices may flush them.
float log_mantissa(float x, out int k) {
    uint bits = floatBitsToUint(x);
    k = -127;
    if (bits < 0x00800000u) {
        bits = floatBitsToUint(float(bits));
        k -= 149;
    }
    bits += 0x3f800000u - 0x3f3504f3u;
    k += int(bits >> 23u);
    return uintBitsToFloat((bits & 0x007fffffu) + 0x3f3504f3u);
}

float log_float(float x) {
    uint bits = floatBitsToUint(x);
    if ((bits & 0x7fffffffu) == 0u) {
        return -infinity();
    }
    if (bits >= 0x7f800000u) {  // infinity, NaN or negative
        return bits == 0x7f800000u ? x : not_a_number();
    }
    int k;
    precise float f = log_mantissa(x, k) - 1.0;
    return log_reduced(f, float(k), 0.0);
}

float log1p_float(float x) {
    uint bits = floatBitsToUint(x);
    if (bits >= 0xbf800000u || (bits >= 0x7f800000u && bits < 0x80000000u)) {
        if (bits == 0xbf800000u) {
            return -infinity();
        }
        return bits == 0x7f800000u ? x : not_a_number();
    }
    if ((bits & 0x7fffffffu) < 0x33800000u) {
        return x;
    }
    precise float u = 1.0 + x;
    int k;
    precise float f = log_mantissa(u, k) - 1.0;
    precise float c = 0.0;
    if (x > -0.29289323 && x < 0.41421354) {
        k = 0;
        f = x;
    } else if (k < 25) {
        c = (k >= 2 ? 1.0 - (u - x) : x - (u - 1.0)) / u;
    }
    return log_reduced(f, float(k), c);
}

float sigmoid_float(float x) {
    precise float t = exp_float(-abs(x));
    precise float y = (x < 0.0 ? t : 1.0) / (1.0 + t);
    return y;
}

#endif
