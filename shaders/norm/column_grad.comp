// SPDX-License-Identifier: Apache-2.0
// Gradients of row_norm's weight and bias over a chunk of rows: sum(grad * (x - mean) * rate) and
// sum(grad) for each column; a fold adds the chunks. One invocation takes one column of one chunk.
//
// Bindings: 0 x [rows, row_length], 1 grad like x, contiguous; 2 stats [rows] of (pivot, shift,
// rate, 0), the mean being pivot + shift;
//           3 weight sums, 4 bias sums [chunks, row_length] float32 (WANTS_WEIGHT, WANTS_BIAS)
// Push: row_count, row_length       rows; columns
//       x_offset, grad_offset       elements before the first
//       chunk_length, chunk_count   rows of a chunk; chunks
// Spec: LOCAL_SIZE 1..1024 (64); X_DTYPE DType of x and grad (float32); WANTS_WEIGHT, WANTS_BIAS
//       (false).
//@iterations 1 + chunk_length + 2 * ceil(chunk_length / 32)
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint X_DTYPE = 0u;
layout(constant_id = 2) const bool WANTS_WEIGHT = false;
layout(constant_id = 3) const bool WANTS_BIAS = false;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
READ_WORDS(1, Grad, grad_words);
layout(set = 0, binding = 2, std430) readonly buffer Stats {
    vec4 stats_of_row[];
};
layout(set = 0, binding = 3, std430) writeonly buffer WeightSums {
    float weight_sums[];
};
layout(set = 0, binding = 4, std430) writeonly buffer BiasSums {
    float bias_sums[];
};

layout(push_constant, std430) uniform Push {
    uint row_count;
    uint row_length;
    uint x_offset;
    uint grad_offset;
    uint chunk_length;
    uint chunk_count;
} push;

#include "dtype.glsl"
#include "grid.glsl"

const uint kBlockRows = 32u;

// (grad * normalized x, grad) at one element.
vec2 terms_at(uint row, uint column) {
    uint at = row * push.row_length + column;
    uint grad_at = push.grad_offset + at;
    float g = decode_float(read_word(grad_words, word_index(grad_at, X_DTYPE)), grad_at, X_DTYPE);
    if (!WANTS_WEIGHT) {
        return vec2(0.0, g);
    }
    uint x_at = push.x_offset + at;
    float x = decode_float(read_word(x_words, word_index(x_at, X_DTYPE)), x_at, X_DTYPE);
    vec4 stats = stats_of_row[row];
    precise float h = ((x - stats.x) - stats.y) * stats.z;
    return vec2(g * h, g);
}

void main() {
    uint item = linear_invocation();
    uint column = item % push.row_length;
    uint chunk = item / push.row_length;
    if (chunk >= push.chunk_count) {
        return;
    }
    uint end = min((chunk + 1u) * push.chunk_length, push.row_count);
    precise vec2 total = vec2(0.0);
    for (uint first = chunk * push.chunk_length; first < end; first += kBlockRows) {
        precise vec2 of_block = vec2(0.0);
        uint block_end = min(first + kBlockRows, end);
        for (uint row = first; row < block_end; ++row) {
            of_block += terms_at(row, column);
        }
        total += of_block;
    }
    if (WANTS_WEIGHT) {
        weight_sums[item] = total.x;
    }
    if (WANTS_BIAS) {
        bias_sums[item] = total.y;
    }
}
