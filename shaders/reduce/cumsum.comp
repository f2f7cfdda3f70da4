// SPDX-License-Identifier: Apache-2.0
// Running sums along one dimension, from the front or (IS_REVERSED) from the back; rounding errors
// are carried, so that the last value is as good as a sum's. A few long rows are cut into chunks,
// in three runs by PHASE: 0 sums each chunk, 1 turns a row's chunk sums into what precedes each
// chunk, 2 writes y. With one chunk a row, PHASE 2 alone. Where x or y is too large to be bound,
// PHASES 0 and 2 take several runs, each with windows of them and some of the chunks; PHASE 1 takes
// several where a row has very many chunks.
//
// Bindings: 0 x, any strides; 1 y, contiguous [outer, row_length, inner_count] (PHASE 2)
//           2 chunk sums [rows, chunks] of (sum, error), integers in the sum's place, then for each
//             row what the chunks up to a run of PHASE 1 sum to (unused with one chunk)
// Push: kept_sizes, kept_strides   x without the dimension, innermost in w; elements
//       row_count, row_length      rows; elements of a row
//       x_offset, x_stride         before the first element of x; between elements of a row
//       y_offset                   before the first element of y (as x_offset, it may lie before
//       the
//                                  binding: unsigned numbers wrap)
//       inner_count                elements of y between neighbours of a row
//       chunk_length, chunk_count  elements of a chunk; chunks a row
//       first_chunk, end_chunk     of this run
// Spec: LOCAL_SIZE 1..1024 (64); X_DTYPE, Y_DTYPE DType (float32; Y_DTYPE is X_DTYPE, or int32 for
//       integers and bool); PHASE 0..2 (2); IS_REVERSED (false).
//@iterations 1 + (PHASE == 0
//@    ? reduce_range(kReduceSum, X_DTYPE, 0, min(chunk_length, row_length), row_length)
//@    : PHASE == 1 ? end_chunk - first_chunk : min(chunk_length, row_length))
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint X_DTYPE = 0u;
layout(constant_id = 2) const uint Y_DTYPE = 0u;
layout(constant_id = 3) const uint PHASE = 2u;
layout(constant_id = 4) const bool IS_REVERSED = false;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(set = 0, binding = 1, std430) buffer Y {
    uint y_words[];
};
layout(set = 0, binding = 2, std430) buffer ChunkSums {
    uvec2 chunk_sums[];
};

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
    uint y_offset;
    uint first_chunk;
    uint end_chunk;
} push;

// Of the reduction machinery only the exact sums are used.
#define REDUCE_OP kReduceSum
#define REDUCE_DTYPE X_DTYPE
#define READS_PARTIALS false
#include "grid.glsl"
#include "reduce.glsl"

uint load_word(uint index) {
    return read_word(x_words, index);
}

uint element_at(uint base, uint k) {
    return base + (IS_REVERSED ? push.row_length - 1u - k : k) * push.x_stride;
}

Partial unpack_sum(uvec2 words) {
    return unpack_partial(uvec4(words, 0u, 0u));
}

void scan_chunks(uint row) {
    uint carry_at = push.row_count * push.chunk_count + row;
    Partial before = empty_partial();
    if (push.first_chunk > 0u) {
        before = unpack_sum(chunk_sums[carry_at]);
    }
    for (uint chunk = push.first_chunk; chunk < push.end_chunk; ++chunk) {
        uint at = row * push.chunk_count + chunk;
        Partial of_chunk = unpack_sum(chunk_sums[at]);
        chunk_sums[at] = pack_partial(before).xy;
        before = merge(before, of_chunk);
    }
    chunk_sums[carry_at] = pack_partial(before).xy;
}

void write_sums(uint row, uint base, uint first, uint end, Partial total) {
    uint y_base =
        row / push.inner_count * push.inner_count * push.row_length + row % push.inner_count;
    for (uint k = first; k < end; ++k) {
        total = merge(total, load_partial(base, k));
        uint bits = has_int_value() ? encode_int(total.i, Y_DTYPE)
                                    : encode_float(pair_value(total.a, total.b), Y_DTYPE);
        uint y_k = IS_REVERSED ? push.row_length - 1u - k : k;
        uint at = push.y_offset + y_base + y_k * push.inner_count;
        store_masked(y_words, at, bits, Y_DTYPE);
    }
}

void main() {
    uint row = linear_invocation() % push.row_count;
    if (PHASE == 1u) {
        if (linear_invocation() < push.row_count) {
            scan_chunks(row);
        }
        return;
    }
    uint chunk = push.first_chunk + linear_invocation() / push.row_count;
    if (chunk >= push.end_chunk) {
        return;
    }
    uint base = push.x_offset + strided_offset(row, push.kept_sizes, push.kept_strides);
    uint first = chunk * push.chunk_length;
    uint end = min(first + push.chunk_length, push.row_length);
    uint sum_at = row * push.chunk_count + chunk;
    if (PHASE == 0u) {
        chunk_sums[sum_at] = pack_partial(reduce_range(base, first, end, 1u)).xy;
        return;
    }
    Partial before = empty_partial();
    if (push.chunk_count > 1u) {
        before = unpack_sum(chunk_sums[sum_at]);
    }
    write_sums(row, base, first, end, before);
}
