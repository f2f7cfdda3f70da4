// SPDX-License-Identifier: Apache-2.0
// Element storage. Every buffer is an array of 32-bit words, whatever its dtype, so that no kernel
// needs 16-bit or 8-bit storage from the device. A dtype is a specialization constant with the
// values of pumice::DType; the compiler folds the branches away.
//
//   float x = decode_float(words[word_index(i, dtype)], i, dtype);
//
// Stores write whole words: one invocation computes elements_per_word(dtype) neighbours and packs
// them with encode_float / encode_int. Where an output does not own the words it touches (a strided
// or unaligned view of a narrow dtype), use store_masked (atomic and-or on the element's bits).
#ifndef PUMICE_DTYPE_GLSL
#define PUMICE_DTYPE_GLSL

const uint kDTypeFloat32 = 0u;
const uint kDTypeFloat16 = 1u;
const uint kDTypeBFloat16 = 2u;
const uint kDTypeInt32 = 3u;
const uint kDTypeInt8 = 4u;
const uint kDTypeUInt8 = 5u;
const uint kDTypeBool = 6u;

//@iterations is_float_dtype(dtype) = dtype <= 2
bool is_float_dtype(uint dtype) {
    return dtype <= kDTypeBFloat16;
}

// log2 of the elements in a word: 0, 1 or 2.
uint word_shift(uint dtype) {
    if (dtype == kDTypeFloat32 || dtype == kDTypeInt32) {
        return 0u;
    }
    return dtype == kDTypeFloat16 || dtype == kDTypeBFloat16 ? 1u : 2u;
}

//@iterations elements_per_word(dtype) = dtype == 0 || dtype == 3 ? 1 : dtype <= 2 ? 2 : 4
uint elements_per_word(uint dtype) {
    return 1u << word_shift(dtype);
}

uint word_index(uint element, uint dtype) {
    return element >> word_shift(dtype);
}

// Bits of one element and where they start in its word.
uint element_bits(uint dtype) {
    return 32u >> word_shift(dtype);
}

// All bits of a right-aligned element.
uint element_mask(uint dtype) {
    return 0xffffffffu >> (32u - element_bits(dtype));
}

uint element_shift(uint element, uint dtype) {
    return (element & (elements_per_word(dtype) - 1u)) * element_bits(dtype);
}

// Integer arithmetic, so that every device rounds alike: to nearest, ties to even. NaN stays NaN.
uint float_to_half_bits(float value) {
    uint bits = floatBitsToUint(value);
    uint sign = (bits >> 16u) & 0x8000u;
    uint magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return sign | 0x7e00u;
    }
    if (magnitude >= 0x477ff000u) {  // rounds past 65504
        return sign | 0x7c00u;
    }
    if (magnitude < 0x38800000u) {  // subnormal half, or zero
        uint exponent = magnitude >> 23u;
        if (exponent < 102u) {
            return sign;
        }
        uint mantissa = (magnitude & 0x7fffffu) | 0x800000u;
        uint shift = 126u - exponent;
        uint kept = mantissa >> shift;
        uint rest = mantissa & ((1u << shift) - 1u);
        uint half_way = 1u << (shift - 1u);
        kept += (rest > half_way || (rest == half_way && (kept & 1u) != 0u)) ? 1u : 0u;
        return sign | kept;
    }
    uint rounded = magnitude + 0xfffu + ((magnitude >> 13u) & 1u);
    return sign | ((rounded - 0x38000000u) >> 13u);
}

float half_bits_to_float(uint bits) {
    uint sign = (bits & 0x8000u) << 16u;
    uint magnitude = bits & 0x7fffu;
    if (magnitude >= 0x7c00u) {
        return uintBitsToFloat(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13u));
    }
    if (magnitude >= 0x400u) {
        return uintBitsToFloat(sign | ((magnitude << 13u) + 0x38000000u));
    }
    float value = float(magnitude) * 5.9604644775390625e-8;  // 2^-24, exact
    return sign != 0u ? -value : value;
}

uint float_to_bfloat_bits(float value) {
    uint bits = floatBitsToUint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (bits >> 16u) | 0x40u;
    }
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

// The element's bits, right-aligned.
uint extract_bits(uint word, uint element, uint dtype) {
    return bitfieldExtract(word, int(element_shift(element, dtype)), int(element_bits(dtype)));
}

// Element as an integer (dtypes that are not floating).
int decode_int(uint word, uint element, uint dtype) {
    if (dtype == kDTypeInt32) {
        return int(word);
    }
    int shift = int(element_shift(element, dtype));
    if (dtype == kDTypeInt8) {
        return bitfieldExtract(int(word), shift, 8);
    }
    int value = int(bitfieldExtract(word, shift, 8));
    return dtype == kDTypeBool ? int(value != 0) : value;
}

// Element as a float, whatever the dtype.
float decode_float(uint word, uint element, uint dtype) {
    if (dtype == kDTypeFloat32) {
        return uintBitsToFloat(word);
    }
    if (dtype == kDTypeFloat16) {
        return half_bits_to_float(extract_bits(word, element, dtype));
    }
    if (dtype == kDTypeBFloat16) {
        return uintBitsToFloat(extract_bits(word, element, dtype) << 16u);
    }
    return float(decode_int(word, element, dtype));
}

// An integer's bits as the dtype keeps them (wrapped), right-aligned. For floats see encode_float.
uint encode_int(int value, uint dtype) {
    if (dtype == kDTypeInt32) {
        return uint(value);
    }
    return dtype == kDTypeBool ? uint(value != 0) : (uint(value) & 0xffu);
}

// A float's bits as the dtype keeps them, right-aligned. Integers truncate toward zero.
uint encode_float(float value, uint dtype) {
    if (dtype == kDTypeFloat32) {
        return floatBitsToUint(value);
    }
    if (dtype == kDTypeFloat16) {
        return float_to_half_bits(value);
    }
    if (dtype == kDTypeBFloat16) {
        return float_to_bfloat_bits(value);
    }
    return dtype == kDTypeBool ? uint(value != 0.0) : encode_int(int(value), dtype);
}

// The value after one round trip through the dtype's storage.
float round_to_dtype(float value, uint dtype) {
    if (dtype == kDTypeFloat16) {
        return half_bits_to_float(float_to_half_bits(value));
    }
    if (dtype == kDTypeBFloat16) {
        return uintBitsToFloat(float_to_bfloat_bits(value) << 16u);
    }
    return value;
}

// Places an element's bits within a word that is built up from zero.
uint place_bits(uint bits, uint element, uint dtype) {
    return bits << element_shift(element, dtype);
}

// Writes one element of an output whose words are shared with elements it must not touch.
// `words` is a writeonly-free buffer array of uint. Each element has its own bits, so the order of
// invocations does not matter.
#define store_masked(words, element, bits, dtype)                                             \
    {                                                                                         \
        if (word_shift(dtype) == 0u) {                                                        \
            words[element] = bits;                                                            \
        } else {                                                                              \
            uint mask_ = ((1u << element_bits(dtype)) - 1u) << element_shift(element, dtype); \
            atomicAnd(words[word_index(element, dtype)], ~mask_);                             \
            atomicOr(words[word_index(element, dtype)], place_bits(bits, element, dtype));    \
        }                                                                                     \
    }

#endif
