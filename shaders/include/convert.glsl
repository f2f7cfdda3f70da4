// SPDX-License-Identifier: Apache-2.0
// Elements from one dtype to another.
#ifndef PUMICE_CONVERT_GLSL
#define PUMICE_CONVERT_GLSL

#include "dtype.glsl"

// Toward zero; past the range of int32 its nearest end, NaN to 0: the same on every device.
int float_to_int(float value) {
    uint bits = floatBitsToUint(value);
    uint magnitude = bits & 0x7fffffffu;
    if (magnitude >= 0x4f000000u) {  // 2^31, infinity, NaN
        return magnitude > 0x7f800000u ? 0 : ((bits >> 31u) != 0u ? -2147483647 - 1 : 2147483647);
    }
    return int(value);
}

// The bits in dtype `to` of an element of dtype `from`; the same dtype moves the bits untouched.
uint convert_bits(uint word, uint element, uint from, uint to) {
    if (from == to) {
        return from == kDTypeBool ? uint(decode_int(word, element, from))
                                  : extract_bits(word, element, from);
    }
    if (is_float_dtype(to)) {
        return encode_float(decode_float(word, element, from), to);
    }
    if (!is_float_dtype(from)) {
        return encode_int(decode_int(word, element, from), to);
    }
    float value = decode_float(word, element, from);
    if (to == kDTypeBool) {
        return uint((floatBitsToUint(value) & 0x7fffffffu) != 0u);
    }
    return encode_int(float_to_int(value), to);
}

// A number's bits in dtype `to`; they come as bits of a float for floating dtypes, else of an int.
uint number_bits(uint bits, uint to) {
    return is_float_dtype(to) ? encode_float(uintBitsToFloat(bits), to) : encode_int(int(bits), to);
}

#endif
