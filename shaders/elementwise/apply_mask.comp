// SPDX-License-Identifier: Apache-2.0
// x times the weight of its code in a packed mask (pack_mask.comp); weight 0 gives 0 whatever x is.
// One invocation writes one word.
//
// Bindings: 0 x [count], contiguous; 1 mask, int32 words; 2 y [count], contiguous, of x's dtype
// Push: weights      by code
//       count        elements
//       x_offset     elements before the first of x
//       mask_offset  words before the first of the mask
// Spec: LOCAL_SIZE 1..1024 (64); DTYPE a floating DType (float32); BITS 1 or 2 (1): of a code.
//@iterations 5
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint BITS = 1u;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
READ_WORDS(1, Mask, mask_words);
layout(set = 0, binding = 2, std430) writeonly buffer Y {
    uint y_words[];
};

layout(push_constant, std430) uniform Push {
    vec4 weights;
    uint count;
    uint x_offset;
    uint mask_offset;
} push;

#include "dtype.glsl"
#include "grid.glsl"

void main() {
    uint run = elements_per_word(DTYPE);
    uint first = linear_invocation() * run;
    if (first >= push.count) {
        return;
    }
    uint bit = first * BITS;
    uint codes = read_word(mask_words, push.mask_offset + (bit >> 5u)) >> (bit & 31u);
    uint word = 0u;
    for (uint i = 0u; i < min(run, push.count - first); ++i) {
        float weight = push.weights[(codes >> (i * BITS)) & ((1u << BITS) - 1u)];
        uint x_at = push.x_offset + first + i;
        precise float y =
            decode_float(read_word(x_words, word_index(x_at, DTYPE)), x_at, DTYPE) * weight;
        word |= place_bits(encode_float(weight == 0.0 ? 0.0 : y, DTYPE), i, DTYPE);
    }
    y_words[linear_invocation()] = word;
}
