// SPDX-License-Identifier: Apache-2.0
// softmax or log_softmax along one dimension: exp(x - m) / s or (x - m) - log(s), with the largest
// element m and s = sum(exp(x - m)) of a row. LANES invocations work on one row (1: each alone). A
// few long rows are cut into chunks, after a fold has left m and s as Partials.
//
// Bindings: 0 x, any strides; 1 y, contiguous [outer, row_length, inner_count]
//           2 Partials [rows] of a logsumexp fold (READS_STATS; else unused)
// Push: kept_sizes, kept_strides   x without the dimension, innermost in w; elements
//       row_count, row_length      rows; elements of a row
//       x_offset, x_stride         before the first element of x; between elements of a row
//       inner_count                elements of y between neighbours of a row
//       chunk_length, chunk_count  elements of a chunk; chunks a row (1 unless READS_STATS)
// Spec: LOCAL_SIZE 1..1024 (64); REDUCE_DTYPE DType of x and y (float32); LANES a power of two up
// to
//       LOCAL_SIZE (1); IS_LOG, READS_STATS (false); STORES_MASKED: words of y are shared between
//       invocations (false).
//@hook operand 0 2 (3 reads)
//@hook result 1
//@iterations 1 + merge_lanes(LANES) +
//@    (READS_STATS ? 0
//@     : reduce_range(kReduceLogSumExp, REDUCE_DTYPE, 0, ceil(row_length / LANES), row_length)) +
//@    ceil(min(chunk_length, row_length) /
//@         (LANES * (STORES_MASKED ? 1 : elements_per_word(REDUCE_DTYPE))))
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint REDUCE_DTYPE = 0u;
layout(constant_id = 2) const uint LANES = 1u;
layout(constant_id = 3) const bool IS_LOG = false;
layout(constant_id = 4) const bool READS_STATS = false;
layout(constant_id = 5) const bool STORES_MASKED = false;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(set = 0, binding = 1, std430) buffer Y {
    uint y_words[];
};
READ_WORDS(2, Stats, stat_words);

layout(push_constant, std430) uniform Push {
    uvec4 kept_sizes;
    uvec4 kept_strides;
    uint row_count;
    uint row_length;
    uint x_offset;
    uint x_stride;
    uint inner_count;
    uint chunk_length;
    uint chunk_count;
} push;

#define UNKNOWN_ZERO (push.row_count >> 31u)  // see hooks.glsl

#define REDUCE_OP kReduceLogSumExp
#define READS_PARTIALS false
#include "grid.glsl"
#include "lanes.glsl"

uint load_word(uint index) {
    return read_word(x_words, index);
}

uint element_at(uint base, uint k) {
    return base + k * push.x_stride;
}

Partial row_stats(uint row, uint base, bool is_wanted) {
    if (READS_STATS) {
        if (!is_wanted) {
            return empty_partial();
        }
        return unpack_partial(uvec4(read_word(stat_words, 4u * row),
                                    read_word(stat_words, 4u * row + 1u),
                                    read_word(stat_words, 4u * row + 2u),
                                    read_word(stat_words, 4u * row + 3u)));
    }
    Partial p = empty_partial();
    if (is_wanted) {
        p = reduce_range(base, lane_index(), push.row_length, LANES);
    }
    return merge_lanes(p);
}

float normalized(float x, Partial stats, float total) {
    precise float shifted = x - stats.a;
    if (IS_LOG) {
        precise float y = shifted - total;
        return y;
    }
    precise float y = exp_float(shifted) / total;
    return y;
}

void main() {
    uint row = item_index() % push.row_count;
    uint chunk = item_index() / push.row_count;
    bool is_wanted = chunk < push.chunk_count;
    uint base = push.x_offset + strided_offset(row, push.kept_sizes, push.kept_strides);
    Partial stats = row_stats(row, base, is_wanted);
    if (!is_wanted) {
        return;
    }
    // As in PyTorch, a row whose largest element is infinite is NaN throughout.
    float total = is_infinite(stats.a) ? not_a_number() : pair_value(stats.b, stats.c);
    total = IS_LOG ? log_float(total) : total;
    uint y_base =
        row / push.inner_count * push.inner_count * push.row_length + row % push.inner_count;
    uint end = min((chunk + 1u) * push.chunk_length, push.row_length);
    uint run = STORES_MASKED ? 1u : elements_per_word(REDUCE_DTYPE);
    for (uint k = chunk * push.chunk_length + lane_index() * run; k < end; k += LANES * run) {
        uint word = 0u;
        [[unroll]] for (uint i = 0u; i < run; ++i) {
            float y = normalized(load_float(base, k + i), stats, total);
            uint at = y_base + (k + i) * push.inner_count;
            uint bits = hooked_result(encode_float(y, REDUCE_DTYPE), at);
            if (STORES_MASKED) {
                store_masked(y_words, at, bits, REDUCE_DTYPE);
            } else {
                word |= place_bits(bits, at, REDUCE_DTYPE);
            }
        }
        if (!STORES_MASKED) {
            y_words[word_index(y_base + k * push.inner_count, REDUCE_DTYPE)] = word;
        }
    }
}
