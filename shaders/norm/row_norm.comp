// SPDX-License-Identifier: Apache-2.0
// layer_norm (REDUCE_OP var): (x - mean) * rsqrt(var + eps) * weight + bias over each row;
// rms_norm (REDUCE_OP squares): x * rsqrt(mean(x^2) + eps) * weight. LANES invocations work on one
// row (1: each alone). Long rows are cut into chunks, after a fold has left their sums as Partials.
//
// Bindings: 0 x, rows of any strides; 1 weight [row_length], 2 bias [row_length], contiguous (bound
//           to anything unless HAS_WEIGHT, HAS_BIAS); 3 y [rows, row_length] contiguous; 4 Partials
//           [rows] of a fold by REDUCE_OP (READS_STATS; else unused)
// Push: kept_sizes, kept_strides    x without the row, innermost in w; elements
//       row_count, row_length       rows; elements of a row
//       x_offset, x_stride          before the first element of x; between elements of a row
//       weight_offset, bias_offset  elements before the first
//       eps
//       chunk_length, chunk_count   elements of a chunk; chunks a row (1 unless READS_STATS)
// Spec: LOCAL_SIZE 1..1024 (64); REDUCE_OP kReduceVar or kReduceSquares (var); REDUCE_DTYPE
//       DType of x and y, WEIGHT_DTYPE of weight and bias (float32); LANES a power of two up to
//       LOCAL_SIZE (1); HAS_WEIGHT, HAS_BIAS (false); STORES_MASKED: words of y are shared
//       between invocations; READS_STATS (false).
//@hook operand 0 1 2 4 (3 reads)
//@hook result 3
//@iterations merge_lanes(LANES) + (READS_STATS ? 0
//@    : reduce_range(REDUCE_OP, REDUCE_DTYPE, 0, ceil(row_length / LANES), row_length))
//@iterations 1 + ceil(min(chunk_length, row_length) /
//@    (LANES * (STORES_MASKED ? 1 : elements_per_word(REDUCE_DTYPE))))
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint REDUCE_OP = 6u;
layout(constant_id = 2) const uint REDUCE_DTYPE = 0u;
layout(constant_id = 3) const uint WEIGHT_DTYPE = 0u;
layout(constant_id = 4) const uint LANES = 1u;
layout(constant_id = 5) const bool HAS_WEIGHT = false;
layout(constant_id = 6) const bool HAS_BIAS = false;
layout(constant_id = 7) const bool STORES_MASKED = false;
layout(constant_id = 8) const bool READS_STATS = false;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
READ_WORDS(1, Weight, weight_words);
READ_WORDS(2, Bias, bias_words);
layout(set = 0, binding = 3, std430) buffer Y {
    uint y_words[];
};
READ_WORDS(4, Stats, stat_words);

layout(push_constant, std430) uniform Push {
    uvec4 kept_sizes;
    uvec4 kept_strides;
    uint row_count;
    uint row_length;
    uint x_offset;
    uint x_stride;
    uint weight_offset;
    uint bias_offset;
    float eps;
    uint chunk_length;
    uint chunk_count;
} push;

#define UNKNOWN_ZERO (push.row_count >> 31u)  // see hooks.glsl

#define READS_PARTIALS false
#include "grid.glsl"
#include "lanes.glsl"
#include "row_stats.glsl"

uint load_word(uint index) {
    return read_word(x_words, index);
}

uint element_at(uint base, uint k) {
    return base + k * push.x_stride;
}

RowStats stats_of(uint row, uint base, bool is_wanted) {
    if (READS_STATS) {
        uvec4 words = uvec4(0u);
        if (is_wanted) {
            words = uvec4(read_word(stat_words, 4u * row),
                          read_word(stat_words, 4u * row + 1u),
                          read_word(stat_words, 4u * row + 2u),
                          read_word(stat_words, 4u * row + 3u));
            reduce_pivot = REDUCE_OP == kReduceVar ? load_float(base, 0u) : 0.0;
        }
        return stats_from(unpack_partial(words), push.row_length, push.eps);
    }
    return row_stats(base, push.row_length, push.eps, is_wanted);
}

float normalized(uint base, uint k, RowStats stats) {
    precise float y = normalize(load_float(base, k), stats);
    if (HAS_WEIGHT) {
        uint at = push.weight_offset + k;
        y *= decode_float(read_word(weight_words, word_index(at, WEIGHT_DTYPE)), at, WEIGHT_DTYPE);
    }
    if (HAS_BIAS) {
        uint at = push.bias_offset + k;
        y += decode_float(read_word(bias_words, word_index(at, WEIGHT_DTYPE)), at, WEIGHT_DTYPE);
    }
    return y;
}

void main() {
    uint row = item_index() % push.row_count;
    uint chunk = item_index() / push.row_count;
    bool is_wanted = chunk < push.chunk_count;
    uint base = push.x_offset + strided_offset(row, push.kept_sizes, push.kept_strides);
    RowStats stats = stats_of(row, base, is_wanted);
    if (!is_wanted) {
        return;
    }
    uint run = STORES_MASKED ? 1u : elements_per_word(REDUCE_DTYPE);
    uint end = min((chunk + 1u) * push.chunk_length, push.row_length);
    for (uint k = chunk * push.chunk_length + lane_index() * run; k < end; k += LANES * run) {
        uint at = row * push.row_length + k;
        uint word = 0u;
        [[unroll]] for (uint i = 0u; i < run; ++i) {
            uint bits = encode_float(normalized(base, k + i, stats), REDUCE_DTYPE);
            bits = hooked_result(bits, at + i);
            if (STORES_MASKED) {
                store_masked(y_words, at, bits, REDUCE_DTYPE);
            } else {
                word |= place_bits(bits, at + i, REDUCE_DTYPE);
            }
        }
        if (!STORES_MASKED) {
            y_words[word_index(at, REDUCE_DTYPE)] = word;
        }
    }
}
