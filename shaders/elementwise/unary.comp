// SPDX-License-Identifier: Apache-2.0
// y = op(x), element by element; the formulas are in unary.glsl, the frame in layout.glsl.
//
// Bindings: 0 x, any strides; 1 y.
// Push constants: see layout.glsl; params = p0, p1, p2 of the formula.
// Specialization constants, after those of layout.glsl:
//   5 X_DTYPE  0 to 6 (pumice::DType), default 0
//   6 OP       kUnary* of the variant's group, default neg
//@variant FORMULA = simple exponential angle hyperbolic normal
#version 450
#extension GL_GOOGLE_include_directive : require

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(std430, set = 0, binding = 1) buffer Output {
    uint output_words[];
};

#include "layout.glsl"
#include "unary.glsl"

layout(constant_id = 5) const uint X_DTYPE = 0u;
layout(constant_id = 6) const uint OP = 0u;

uint result_bits(uvec4 index) {
    uint at = element_at(1u, index);
    uint word = read_word(x_words, word_index(at, X_DTYPE));
    if (is_float_dtype(X_DTYPE) || is_float_dtype(OUT_DTYPE)) {
        float y = unary_float(OP,
                              decode_float(word, at, X_DTYPE),
                              uintBitsToFloat(map.params[0]),
                              uintBitsToFloat(map.params[1]),
                              uintBitsToFloat(map.params[2]));
        return encode_float(y, OUT_DTYPE);
    }
    int y = unary_int(OP, decode_int(word, at, X_DTYPE), int(map.params[0]), int(map.params[1]));
    return encode_int(y, OUT_DTYPE);
}
