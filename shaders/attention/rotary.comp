//@iterations 5
#version 450
// SPDX-License-Identifier: Apache-2.0
// Rotary positions, half-split: for each row of d = 2 * half_count elements at position t,
//   out[i]        = read_word(x, i) * cos[t, i] - sign * read_word(x, i + half) * sin[t, i]
//   out[i + half] = read_word(x, i + half) * cos[t, i] + sign * read_word(x, i) * sin[t, i]
// x: [n0, n1, T, d], any strides; cos, sin: [T, half] float32 contiguous; out: [n0, n1, T, d]
// contiguous in x's dtype. One invocation computes the pairs that share an output word.
#extension GL_GOOGLE_include_directive : require
layout(local_size_x_id = 0) in;  // before grid.glsl, or glslang folds gl_WorkGroupSize to 1

#include "dtype.glsl"
#include "grid.glsl"

layout(constant_id = 0) const uint kLocalSize = 64u;   // 1 .. maxComputeWorkGroupInvocations
layout(constant_id = 1) const uint kDType = 0u;        // a floating pumice::DType
layout(constant_id = 2) const bool kIsMasked = false;  // half is no multiple of a word's elements

#include "reads.glsl"

READ_WORDS(0, X, x);
READ_WORDS(1, Cos, cos_table);
READ_WORDS(2, Sin, sin_table);
layout(std430, set = 0, binding = 3) buffer Out {
    uint result[];
};

layout(push_constant) uniform Push {
    uvec4 x_strides;      // elements, of n0, n1, T and d
    uint n1;              // extent
    uint position_count;  // T
    uint half_count;      // d / 2
    uint unit_count;      // invocations wanted: n0 * n1 * T * ceil(half / elements per word)
    uint x_offset;        // elements from the bound start
    uint cos_offset;      // elements
    uint sin_offset;      // elements
    float sign;           // 1, or -1 for the inverse
} push;

void main() {
    const uint unit = linear_invocation();
    if (unit >= push.unit_count) {
        return;
    }
    const uint per_word = elements_per_word(kDType);
    const uint units_a_row = (push.half_count + per_word - 1u) / per_word;
    const uint row = unit / units_a_row;
    const uint first = (unit % units_a_row) * per_word;
    const uint position = row % push.position_count;
    const uint outer = row / push.position_count;
    const uint x_row = push.x_offset + (outer / push.n1) * push.x_strides.x +
                       (outer % push.n1) * push.x_strides.y + position * push.x_strides.z;
    const uint out_low = row * 2u * push.half_count + first;
    const uint out_high = out_low + push.half_count;
    uint low_word = 0u;
    uint high_word = 0u;
    for (uint j = 0u; j < per_word && first + j < push.half_count; ++j) {
        const uint i = first + j;
        const uint low_at = x_row + i * push.x_strides.w;
        const uint high_at = x_row + (i + push.half_count) * push.x_strides.w;
        const float low = decode_float(read_word(x, word_index(low_at, kDType)), low_at, kDType);
        const float high = decode_float(read_word(x, word_index(high_at, kDType)), high_at, kDType);
        const uint angle = position * push.half_count + i;
        const float c = read_float(cos_table, push.cos_offset + angle);
        const float s = push.sign * read_float(sin_table, push.sin_offset + angle);
        precise float turned_low = low * c - high * s;
        precise float turned_high = high * c + low * s;
        const uint low_bits = encode_float(turned_low, kDType);
        const uint high_bits = encode_float(turned_high, kDType);
        if (kIsMasked) {
            store_masked(result, (out_low + j), low_bits, kDType)
                store_masked(result, (out_high + j), high_bits, kDType)
        } else {
            low_word |= place_bits(low_bits, out_low + j, kDType);
            high_word |= place_bits(high_bits, out_high + j, kDType);
        }
    }
    if (!kIsMasked) {
        result[word_index(out_low, kDType)] = low_word;
        result[word_index(out_high, kDType)] = high_word;
    }
}
