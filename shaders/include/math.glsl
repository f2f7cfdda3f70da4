// SPDX-License-Identifier: Apache-2.0
// Elementary functions in float32 that give the same bits on every device whose add, multiply and
// divide are correctly rounded. The drivers' own differ and lose digits (Vulkan lets sin be wrong
// by 2^-11). Everything is `precise`: no contraction to fma, no reordering.
//
// Errors measured against float64 (tests/shaders/math_test.cpp): at most 2 ulp, pow 3, gelu 4.
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
    precise float r = w * (0.40000972152 + w * 0.24279078841) +
                      z * (0.66666662693 + w * 0.28498786688);
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

// 2/pi, 190 bits after the point.
const uint kTwoOverPi[7] = uint[7](
    0u, 0x28be60dbu, 0x9391054au, 0x7f09d5f4u, 0x7d4d3770u, 0x36d8a566u, 0x4f10e410u);

// |x| large: fraction of x / (pi/2) in 62-bit fixed point.
float reduce_large_angle(float x, out int quadrant) {
    uint bits = floatBitsToUint(x);
    uint mantissa = ((bits & 0x007fffffu) << 8u) | 0x80000000u;
    uint exponent = ((bits >> 23u) & 0xffu) - 126u;
    uint at = exponent >> 5u;
    uint shift = exponent & 31u;
    uint high = kTwoOverPi[at];
    uint middle = kTwoOverPi[at + 1u];
    uint low = kTwoOverPi[at + 2u];
    if (shift > 0u) {
        high = (high << shift) | (middle >> (32u - shift));
        middle = (middle << shift) | (low >> (32u - shift));
        low = (low << shift) | (kTwoOverPi[at + 3u] >> (32u - shift));
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

float sigmoid_float(float x) {
    precise float t = exp_float(-abs(x));
    precise float y = (x < 0.0 ? t : 1.0) / (1.0 + t);
    return y;
}

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
    for (int rest = exponent; rest > 0; rest >>= 1) {
        result *= (rest & 1) != 0 ? square : 1;
        square *= square;
    }
    return result;
}

#endif
