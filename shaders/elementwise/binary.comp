// SPDX-License-Identifier: Apache-2.0
// y = op(a, b), element by element, b a tensor or one number; the formulas are in binary.glsl, the
// frame in layout.glsl. Operands are rounded to the common dtype first.
//
// Bindings: 0 a, any strides; 1 b, any strides (a once more if b is a number); 2 y.
// Push constants: see layout.glsl; params = b if it is a number, then p1 of
// the formula.
// Specialization constants, after those of layout.glsl:
//   5 A_DTYPE       0 to 6 (pumice::DType), default 0
//   6 B_DTYPE       0 to 6, default 0
//   7 COMMON_DTYPE  0 to 6, default 0
//   8 OP            kBinary* of the variant's group, default add
//   9 B_IS_NUMBER   default false
//@variant FORMULA = simple exponential normal power
#version 450
#extension GL_GOOGLE_include_directive : require

#include "reads.glsl"

READ_WORDS(0, A, a_words);
READ_WORDS(1, B, b_words);
layout(std430, set = 0, binding = 2) buffer Output {
    uint output_words[];
};

#include "binary.glsl"
#include "layout.glsl"

layout(constant_id = 5) const uint A_DTYPE = 0u;
layout(constant_id = 6) const uint B_DTYPE = 0u;
layout(constant_id = 7) const uint COMMON_DTYPE = 0u;
layout(constant_id = 8) const uint OP = 0u;
layout(constant_id = 9) const bool B_IS_NUMBER = false;

uint result_bits(uvec4 index) {
    uint a_at = element_at(1u, index);
    uint a_word = read_word(a_words, word_index(a_at, A_DTYPE));
    uint b_at = 0u;
    uint b_word = map.params[0];
    if (!B_IS_NUMBER) {
        b_at = element_at(2u, index);
        b_word = read_word(b_words, word_index(b_at, B_DTYPE));
    }
    if (is_float_dtype(COMMON_DTYPE)) {
        float a = real_operand(a_word, a_at, A_DTYPE, COMMON_DTYPE);
        float b = B_IS_NUMBER ? uintBitsToFloat(b_word)
                              : real_operand(b_word, b_at, B_DTYPE, COMMON_DTYPE);
        float y = binary_float(OP, a, b, uintBitsToFloat(map.params[1]));
        return encode_float(y, OUT_DTYPE);
    }
    int a = decode_int(a_word, a_at, A_DTYPE);
    int b = B_IS_NUMBER ? int(b_word) : decode_int(b_word, b_at, B_DTYPE);
    return encode_int(binary_int(OP, a, b, int(map.params[1])), OUT_DTYPE);
}
