// SPDX-License-Identifier: Apache-2.0
// x * scale where the element's uniform number is at least p, 0 elsewhere. The numbers come from
// (seed, offset) alone, so that the backward pass computes the same mask again. One invocation
// takes the four elements of a Philox block.
//
// Bindings: 0 x [count], 1 y [count], both contiguous; 2 (GENERATOR device) the generator at the
//       replay: seed, offset, low words first
// Push: seed, offset  of the generator, low word first; offset in Philox blocks (GENERATOR device:
//                     from the replay's, no seed)
//       count         elements
//       x_offset      elements before the first of x
//       p, scale      probability of a zero; 1 / (1 - p)
// Spec: LOCAL_SIZE 1..1024 (64); X_DTYPE a floating DType (float32).
//@variant GENERATOR = host device
//@iterations 11 + 5 + 8
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint X_DTYPE = 0u;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(set = 0, binding = 1, std430) writeonly buffer Y {
    uint y_words[];
};

layout(push_constant, std430) uniform Push {
    uvec2 seed;
    uvec2 offset;
    uint count;
    uint x_offset;
    float p;
    float scale;
} push;

#include "dtype.glsl"
#include "grid.glsl"
#define GENERATOR_BINDING 2
#include "philox.glsl"

void main() {
    uint block = linear_invocation();
    uint first = block * 4u;
    if (first >= push.count) {
        return;
    }
    uvec4 bits = drawn_block(push.seed, push.offset, block);
    uint run = elements_per_word(X_DTYPE);
    uint end = min(first + 4u, push.count);
    for (uint at = first; at < end; at += run) {
        uint word = 0u;
        for (uint i = at; i < min(at + run, end); ++i) {
            uint x_at = push.x_offset + i;
            precise float y =
                decode_float(read_word(x_words, word_index(x_at, X_DTYPE)), x_at, X_DTYPE) *
                push.scale;
            bool is_kept = uniform_float(bits[i & 3u]) >= push.p;
            word |= place_bits(encode_float(is_kept ? y : 0.0, X_DTYPE), i, X_DTYPE);
        }
        y_words[word_index(at, X_DTYPE)] = word;
    }
}
