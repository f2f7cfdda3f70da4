// SPDX-License-Identifier: Apache-2.0
// y = condition ? a : b, element by element; the frame is in layout.glsl.
//
// Bindings: 0 condition (bool or uint8), 1 a, 2 b, any strides; 3 y, of the common dtype of a and
// b. Push constants: see layout.glsl; params unused. Specialization constants, after those of
// layout.glsl:
//   5 CONDITION_DTYPE  5 or 6 (pumice::DType), default 6
//   6 A_DTYPE          0 to 6, default 0
//   7 B_DTYPE          0 to 6, default 0
#version 450
#extension GL_GOOGLE_include_directive : require

#include "reads.glsl"

READ_WORDS(0, Condition, condition_words);
READ_WORDS(1, A, a_words);
READ_WORDS(2, B, b_words);
layout(std430, set = 0, binding = 3) buffer Output {
    uint output_words[];
};

#include "convert.glsl"
#include "layout.glsl"

layout(constant_id = 5) const uint CONDITION_DTYPE = 6u;
layout(constant_id = 6) const uint A_DTYPE = 0u;
layout(constant_id = 7) const uint B_DTYPE = 0u;

uint result_bits(uvec4 index) {
    uint at = element_at(1u, index);
    if (decode_int(read_word(condition_words, word_index(at, CONDITION_DTYPE)),
                   at,
                   CONDITION_DTYPE) != 0) {
        at = element_at(2u, index);
        return convert_bits(read_word(a_words, word_index(at, A_DTYPE)), at, A_DTYPE, OUT_DTYPE);
    }
    at = element_at(3u, index);
    return convert_bits(read_word(b_words, word_index(at, B_DTYPE)), at, B_DTYPE, OUT_DTYPE);
}
