// SPDX-License-Identifier: Apache-2.0
// Gradient of row_norm's x, and the statistics of its rows for column_grad. With h = (x - mean) *
// rate and u = grad * weight over a row:
//   layer_norm: rate * (u - mean(u) - h * mean(u * h));  rms_norm: rate * (u - h * mean(u * h)).
// LANES invocations work on one row (1: each alone).
//
// Bindings: 0 x [rows, row_length], 1 grad like x, 2 weight [row_length] (HAS_WEIGHT), all
//           contiguous; 3 result like x (WRITES_GRAD); 4 stats [rows] of (pivot, shift, rate, 0),
//           float32; see row_stats.glsl
// Push: row_count, row_length                  rows; elements of a row
//       x_offset, grad_offset, weight_offset   elements before the first
//       eps
// Spec: LOCAL_SIZE 1..1024 (64); REDUCE_OP kReduceVar (layer_norm) or kReduceSquares (rms_norm);
//       REDUCE_DTYPE DType of x, grad and result, WEIGHT_DTYPE (float32); LANES a power of two up
//       to LOCAL_SIZE (1); HAS_WEIGHT, WRITES_GRAD (false); STORES_MASKED: rows share words
//       (false).
//@iterations merge_lanes(LANES) +
//@    reduce_range(REDUCE_OP, REDUCE_DTYPE, 0, ceil(row_length / LANES), row_length)
//@iterations WRITES_GRAD ? 1 + merge_lanes(LANES) + ceil(row_length / LANES) +
//@    2 * ceil(row_length / LANES / 32) : 0
//@iterations 1 + ceil(row_length / (LANES * (STORES_MASKED ? 1 : elements_per_word(REDUCE_DTYPE))))
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint REDUCE_OP = 6u;
layout(constant_id = 2) const uint REDUCE_DTYPE = 0u;
layout(constant_id = 3) const uint WEIGHT_DTYPE = 0u;
layout(constant_id = 4) const uint LANES = 1u;
layout(constant_id = 5) const bool HAS_WEIGHT = false;
layout(constant_id = 6) const bool WRITES_GRAD = false;
layout(constant_id = 7) const bool STORES_MASKED = false;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
READ_WORDS(1, Grad, grad_words);
READ_WORDS(2, Weight, weight_words);
layout(set = 0, binding = 3, std430) buffer Result {
    uint result_words[];
};
layout(set = 0, binding = 4, std430) writeonly buffer Stats {
    vec4 stats_of_row[];
};

layout(push_constant, std430) uniform Push {
    uint row_count;
    uint row_length;
    uint x_offset;
    uint grad_offset;
    uint weight_offset;
    float eps;
} push;

#define READS_PARTIALS false
#include "grid.glsl"
#include "lanes.glsl"
#include "row_stats.glsl"

uint load_word(uint index) {
    return read_word(x_words, index);
}

uint element_at(uint base, uint k) {
    return base + k;
}

// (grad * weight, normalized x) at element k of a row.
vec2 pair_at(uint row, uint k, RowStats stats) {
    uint at = row * push.row_length + k;
    float h = normalize(load_float(push.x_offset, at), stats);
    uint grad_at = push.grad_offset + at;
    precise float u = decode_float(
        read_word(grad_words, word_index(grad_at, REDUCE_DTYPE)), grad_at, REDUCE_DTYPE);
    if (HAS_WEIGHT) {
        uint weight_at = push.weight_offset + k;
        u *= decode_float(
            read_word(weight_words, word_index(weight_at, WEIGHT_DTYPE)), weight_at, WEIGHT_DTYPE);
    }
    return vec2(u, h);
}

// (mean(u), mean(u * h)) over the row, by blocks.
vec2 row_means(uint row, RowStats stats, bool is_wanted) {
    precise vec2 total = vec2(0.0);
    uint end = is_wanted ? push.row_length : 0u;
    for (uint first = lane_index(); first < end; first += kReduceBlock * LANES) {
        precise vec2 of_block = vec2(0.0);
        uint block_end = min(end, first + kReduceBlock * LANES);
        for (uint k = first; k < block_end; k += LANES) {
            vec2 pair = pair_at(row, k, stats);
            of_block += vec2(pair.x, pair.x * pair.y);
        }
        total += of_block;
    }
    return add_lanes(total) / float(push.row_length);
}

void store_gradients(uint row, RowStats stats, vec2 means) {
    uint run = STORES_MASKED ? 1u : elements_per_word(REDUCE_DTYPE);
    for (uint k = lane_index() * run; k < push.row_length; k += LANES * run) {
        uint at = row * push.row_length + k;
        uint word = 0u;
        [[unroll]] for (uint i = 0u; i < run; ++i) {
            vec2 pair = pair_at(row, k + i, stats);
            precise float centered = REDUCE_OP == kReduceVar ? pair.x - means.x : pair.x;
            precise float gradient = stats.rate * (centered - pair.y * means.y);
            uint bits = encode_float(gradient, REDUCE_DTYPE);
            if (STORES_MASKED) {
                store_masked(result_words, at, bits, REDUCE_DTYPE);
            } else {
                word |= place_bits(bits, at + i, REDUCE_DTYPE);
            }
        }
        if (!STORES_MASKED) {
            result_words[word_index(at, REDUCE_DTYPE)] = word;
        }
    }
}

void main() {
    uint row = item_index();
    bool is_wanted = row < push.row_count;
    RowStats stats =
        row_stats(push.x_offset + row * push.row_length, push.row_length, push.eps, is_wanted);
    if (is_wanted && lane_index() == 0u) {
        stats_of_row[row] = vec4(stats.pivot, stats.shift, stats.rate, 0.0);
    }
    if (WRITES_GRAD) {
        vec2 means = row_means(row, stats, is_wanted);
        if (is_wanted) {
            store_gradients(row, stats, means);
        }
    }
}
