// SPDX-License-Identifier: Apache-2.0
// y = x converted to y's dtype, or one value, element by element; the frame is in layout.glsl.
//
// Bindings: 0 x, any strides (y once more to fill); 1 y, any strides.
// Push constants: see layout.glsl; params[0] = the value: bits of a float or of an int.
// Specialization constants, after those of layout.glsl:
//   5 X_DTYPE  0 to 6 (pumice::DType), default 0
//   6 IS_FILL  default false
#version 450
#extension GL_GOOGLE_include_directive : require

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(std430, set = 0, binding = 1) buffer Output {
    uint output_words[];
};

#include "convert.glsl"
#include "layout.glsl"

layout(constant_id = 5) const uint X_DTYPE = 0u;
layout(constant_id = 6) const bool IS_FILL = false;

uint result_bits(uvec4 index) {
    if (IS_FILL) {
        return number_bits(map.params[0], OUT_DTYPE);
    }
    uint at = element_at(1u, index);
    return convert_bits(read_word(x_words, word_index(at, X_DTYPE)), at, X_DTYPE, OUT_DTYPE);
}
