// SPDX-License-Identifier: Apache-2.0
// Matrix product on tiles in shared memory: a workgroup brings TILE_DEPTH columns of A and rows of
// B at a time, each invocation computes ROWS_PER_INVOCATION x COLS_PER_INVOCATION results in
// registers. The base variant for every device, and the one for hardware.
//
// Bindings: 0 A, 1 B: DTYPE, any strides. 2 C: OUT_DTYPE; in a split run the accumulators, [splits,
//           batch, rows, cols]. 3 bias [cols], or any readable buffer.
//           4 (RUNS many) accumulators [batch, rows, cols], between runs over parts of the depth.
// Push: see matmul.glsl.
// Spec: LOCAL_SIZE (TILE_ROWS / ROWS_PER_INVOCATION) * (TILE_COLS / COLS_PER_INVOCATION) (256);
//       DTYPE, OUT_DTYPE DType (0); TILE_ROWS, TILE_COLS multiples of 4 (64); TILE_DEPTH multiple
//       of 4 (16); ROWS_PER_INVOCATION (4); COLS_PER_INVOCATION even (4); A_ALONG_DEPTH,
//       B_ALONG_DEPTH: neighbouring invocations load along the depth, otherwise along rows (A) or
//       columns (B) (true, false); STORE 0 element, 1 pair, 2 masked element (0);
//       A_IN_QUADS, B_IN_QUADS: four neighbours are contiguous and start at a multiple of four
//       elements, 32-bit dtypes (false); IS_FIRST_RUN, IS_LAST_RUN (RUNS many; false).
//@variant ACCUMULATOR = f32 i32
//@variant RUNS = one many
//@iterations 5 + ceil(min(depth, depth_per_split) / TILE_DEPTH) *
//@    (4 + TILE_DEPTH + ceil(TILE_DEPTH * TILE_ROWS / (LOCAL_SIZE * (A_IN_QUADS ? 4 : 1))) +
//@     ceil(TILE_DEPTH * TILE_COLS / (LOCAL_SIZE * (B_IN_QUADS ? 4 : 1))))
//@hook result 2
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 256u;
layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint OUT_DTYPE = 0u;
layout(constant_id = 3) const uint TILE_ROWS = 64u;
layout(constant_id = 4) const uint TILE_COLS = 64u;
layout(constant_id = 5) const uint TILE_DEPTH = 16u;
layout(constant_id = 6) const uint ROWS_PER_INVOCATION = 4u;
layout(constant_id = 7) const uint COLS_PER_INVOCATION = 4u;
layout(constant_id = 8) const bool A_ALONG_DEPTH = true;
layout(constant_id = 9) const bool B_ALONG_DEPTH = false;
layout(constant_id = 10) const uint STORE = 0u;
layout(constant_id = 11) const bool A_IN_QUADS = false;
layout(constant_id = 12) const bool B_IN_QUADS = false;
#ifdef RUNS_MANY
layout(constant_id = 13) const bool IS_FIRST_RUN = false;
layout(constant_id = 14) const bool IS_LAST_RUN = false;
#endif

#include "matmul.glsl"

#define pack_words(words) (words)

layout(set = 0, binding = 0, std430) readonly buffer A {
    uint a_words[];
};
layout(set = 0, binding = 0, std430) readonly buffer AQuads {
    uvec4 a_quads[];
};
layout(set = 0, binding = 1, std430) readonly buffer B {
    uint b_words[];
};
layout(set = 0, binding = 1, std430) readonly buffer BQuads {
    uvec4 b_quads[];
};
layout(set = 0, binding = 2, std430) buffer C {
    uint c_words[];
};
layout(set = 0, binding = 2, std430) buffer CPairs {
    uvec2 c_pairs[];
};
#include "reads.glsl"

READ_WORDS(3, Bias, bias_words);

const uint kRowPitch = TILE_ROWS + 4u;  // keeps the columns of a tile on different banks
const uint kColPitch = TILE_COLS + 4u;
shared Acc a_tile[TILE_DEPTH * kRowPitch];  // [depth, row]
shared Acc b_tile[TILE_DEPTH * kColPitch];  // [depth, col]

#include "matmul_store.glsl"

// Brings element `index` of the tile, or four from it on; zeros outside the matrix.
void bring_a(Tile tile, uint k, uint index) {
    uint d = A_ALONG_DEPTH ? index % TILE_DEPTH : index / TILE_ROWS;
    uint r = A_ALONG_DEPTH ? index / TILE_DEPTH : index % TILE_ROWS;
    bool is_inside = tile.row + r < push.rows && k + d < tile.depth_end;
    uint element = tile.a + (tile.row + r) * push.a_row_stride + (k + d) * push.a_depth_stride;
    uint at = d * kRowPitch + r;
    if (A_IN_QUADS) {
        uvec4 bits = is_inside ? a_quads[element >> 2u] : uvec4(0u);
        uint to_next = A_ALONG_DEPTH ? kRowPitch : 1u;
        [[unroll]] for (uint i = 0u; i < 4u; ++i) {
            a_tile[at + i * to_next] = acc_from_bits(bits[i]);
        }
    } else {
        a_tile[at] =
            is_inside ? decode_acc(a_words[word_index(element, DTYPE)], element, DTYPE) : Acc(0);
    }
}

void bring_b(Tile tile, uint k, uint index) {
    uint d = B_ALONG_DEPTH ? index % TILE_DEPTH : index / TILE_COLS;
    uint c = B_ALONG_DEPTH ? index / TILE_DEPTH : index % TILE_COLS;
    bool is_inside = tile.col + c < push.cols && k + d < tile.depth_end;
    uint element = tile.b + (k + d) * push.b_depth_stride + (tile.col + c) * push.b_col_stride;
    uint at = d * kColPitch + c;
    if (B_IN_QUADS) {
        uvec4 bits = is_inside ? b_quads[element >> 2u] : uvec4(0u);
        uint to_next = B_ALONG_DEPTH ? kColPitch : 1u;
        [[unroll]] for (uint i = 0u; i < 4u; ++i) {
            b_tile[at + i * to_next] = acc_from_bits(bits[i]);
        }
    } else {
        b_tile[at] =
            is_inside ? decode_acc(b_words[word_index(element, DTYPE)], element, DTYPE) : Acc(0);
    }
}

void bring_tiles(Tile tile, uint k) {
    const uint kAWidth = A_IN_QUADS ? 4u : 1u;
    const uint kBWidth = B_IN_QUADS ? 4u : 1u;
    for (uint i = gl_LocalInvocationID.x; i < TILE_DEPTH * TILE_ROWS / kAWidth; i += LOCAL_SIZE) {
        bring_a(tile, k, i * kAWidth);
    }
    for (uint i = gl_LocalInvocationID.x; i < TILE_DEPTH * TILE_COLS / kBWidth; i += LOCAL_SIZE) {
        bring_b(tile, k, i * kBWidth);
    }
}

Acc acc[ROWS_PER_INVOCATION * COLS_PER_INVOCATION];

void multiply_tiles(uint first_row, uint first_col) {
    for (uint d = 0u; d < TILE_DEPTH; ++d) {
        Acc a[ROWS_PER_INVOCATION];
        Acc b[COLS_PER_INVOCATION];
        [[unroll]] for (uint r = 0u; r < ROWS_PER_INVOCATION; ++r) {
            a[r] = a_tile[d * kRowPitch + first_row + r];
        }
        [[unroll]] for (uint c = 0u; c < COLS_PER_INVOCATION; ++c) {
            b[c] = b_tile[d * kColPitch + first_col + c];
        }
        [[unroll]] for (uint r = 0u; r < ROWS_PER_INVOCATION; ++r) {
            [[unroll]] for (uint c = 0u; c < COLS_PER_INVOCATION; ++c) {
                acc[r * COLS_PER_INVOCATION + c] += a[r] * b[c];
            }
        }
    }
}

void main() {
    Tile tile = find_tile(TILE_ROWS, TILE_COLS);
    if (tile.depth_begin > tile.depth_end) {
        return;  // the whole workgroup
    }
    const uint kAcross = TILE_COLS / COLS_PER_INVOCATION;
    uint first_row = gl_LocalInvocationID.x / kAcross * ROWS_PER_INVOCATION;
    uint first_col = gl_LocalInvocationID.x % kAcross * COLS_PER_INVOCATION;
    [[unroll]] for (uint r = 0u; r < ROWS_PER_INVOCATION; ++r) {
        [[unroll]] for (uint c = 0u; c < COLS_PER_INVOCATION; ++c) {
            acc[r * COLS_PER_INVOCATION + c] =
                carried(tile, tile.row + first_row + r, tile.col + first_col + c);
        }
    }
    for (uint k = tile.depth_begin; k < tile.depth_end; k += TILE_DEPTH) {
        bring_tiles(tile, k);
        barrier();
        multiply_tiles(first_row, first_col);
        barrier();
    }
    [[unroll]] for (uint c = 0u; c < COLS_PER_INVOCATION; c += 2u) {
        uint col = tile.col + first_col + c;
        AccPair bias = AccPair(bias_of(col), bias_of(col + 1u));
        [[unroll]] for (uint r = 0u; r < ROWS_PER_INVOCATION; ++r) {
            uint at = r * COLS_PER_INVOCATION + c;
            uint row = tile.row + first_row + r;
            store_pair(tile, row, col, acc[at] + bias.x, acc[at + 1u] + bias.y);
        }
    }
}
