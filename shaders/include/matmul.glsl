// SPDX-License-Identifier: Apache-2.0
// What the matmul kernels share: C [batch, rows, cols] = A [batch, rows, depth] B [batch, depth,
// cols], each of any strides, and the number type of the accumulators (f32: Acc is float; i32:
// int, which wraps). An including kernel has //@variant ACCUMULATOR = f32 i32.
#ifndef PUMICE_MATMUL_GLSL
#define PUMICE_MATMUL_GLSL

#include "dtype.glsl"
#include "grid.glsl"

#ifdef ACCUMULATOR_F32
#define Acc float
#define AccPair vec2
#define AccQuad vec4
#define decode_acc decode_float
#define encode_acc encode_float
#define acc_bits floatBitsToUint
#define acc_from_bits uintBitsToFloat
#else
#define Acc int
#define AccPair ivec2
#define AccQuad ivec4
#define decode_acc decode_int
#define encode_acc encode_int
#define acc_bits uint
#define acc_from_bits int
#endif

// Strides and offsets count elements. Batch dimensions run from the outermost to the innermost,
// leading ones are of extent 1; the outermost needs no size. Workgroups run over splits of the
// depth, batches, row tiles and column tiles, the last the fastest; a split writes a C of its own,
// batch_count planes further. has_bias is 0 or 1.
layout(push_constant, std430) uniform MatmulPush {
    uint rows;
    uint cols;
    uint depth;
    uint depth_per_split;
    uint batch_count;
    uint a_row_stride;
    uint a_depth_stride;
    uint b_depth_stride;
    uint b_col_stride;
    uint c_row_stride;
    uint c_col_stride;
    uint a_offset;
    uint b_offset;
    uint c_offset;
    uint has_bias;
    uint bias_offset;
    uint bias_stride;
    uint batch_sizes[3];
    uint a_batch_strides[4];
    uint b_batch_strides[4];
    uint c_batch_strides[4];
} push;

#define UNKNOWN_ZERO (push.has_bias >> 1u)  // see hooks.glsl

// A workgroup's part: tile origin, range of the depth, first elements of its matrices.
struct Tile {
    uint row;
    uint col;
    uint depth_begin;
    uint depth_end;
    uint a;
    uint b;
    uint c;
    uint accumulators;  // RUNS many
};

// The workgroup's tile; past the last, its depth_begin is above depth_end.
Tile find_tile(uint tile_rows, uint tile_cols) {
    uint row_tiles = (push.rows + tile_rows - 1u) / tile_rows;
    uint col_tiles = (push.cols + tile_cols - 1u) / tile_cols;
    uint group = linear_group();
    uint row_index = group / col_tiles;
    uint plane = row_index / row_tiles;
    uint split = plane / push.batch_count;
    uint batch = plane - split * push.batch_count;
    Tile tile;
    tile.row = (row_index - plane * row_tiles) * tile_rows;
    tile.col = (group - row_index * col_tiles) * tile_cols;
    tile.a = push.a_offset;
    tile.b = push.b_offset;
    tile.accumulators = batch * push.rows * push.cols;
    tile.c = push.c_offset + split * push.batch_count * push.rows * push.cols;
    tile.depth_begin = split * push.depth_per_split;
    tile.depth_end = min(push.depth, tile.depth_begin + push.depth_per_split);
    if (split > 0u && tile.depth_begin >= push.depth) {
        tile.depth_begin = 1u;
        tile.depth_end = 0u;
    }
    for (uint d = 3u; d > 0u; --d) {
        uint outer = batch / push.batch_sizes[d - 1u];
        uint index = batch - outer * push.batch_sizes[d - 1u];
        tile.a += index * push.a_batch_strides[d];
        tile.b += index * push.b_batch_strides[d];
        tile.c += index * push.c_batch_strides[d];
        batch = outer;
    }
    tile.a += batch * push.a_batch_strides[0];
    tile.b += batch * push.b_batch_strides[0];
    tile.c += batch * push.c_batch_strides[0];
    return tile;
}

#endif
