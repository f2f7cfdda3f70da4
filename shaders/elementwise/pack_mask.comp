// SPDX-License-Identifier: Apache-2.0
// Packs small codes, a byte each, into words of 32 / BITS codes: what the tape keeps in place of
// operands. One invocation writes one word.
//
// Bindings: 0 codes [count], uint8 or bool, contiguous, from the start of a word on; 1 packed,
// int32
//       words
// Push: count         codes
//       codes_offset  words before the first code
// Spec: LOCAL_SIZE 1..1024 (64); BITS 1 or 2 (1): of a code, that are kept.
//@iterations 9 + 8 * 5
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint BITS = 1u;

#include "reads.glsl"

READ_WORDS(0, Codes, code_words);
layout(set = 0, binding = 1, std430) writeonly buffer Packed {
    uint packed_words[];
};

layout(push_constant, std430) uniform Push {
    uint count;
    uint codes_offset;
} push;

#include "grid.glsl"

void main() {
    uint words_per_packed = 8u / BITS;
    uint word_count = (push.count + 3u) >> 2u;
    uint first = linear_invocation() * words_per_packed;
    if (first >= word_count) {
        return;
    }
    uint mask = (1u << BITS) - 1u;
    uint packed = 0u;
    for (uint i = 0u; i < min(words_per_packed, word_count - first); ++i) {
        uint codes = read_word(code_words, push.codes_offset + first + i);
        for (uint j = 0u; j < 4u; ++j) {
            packed |= ((codes >> (j * 8u)) & mask) << ((i * 4u + j) * BITS);
        }
    }
    packed_words[linear_invocation()] = packed;
}
