// SPDX-License-Identifier: Apache-2.0
// Matrix product where one subgroup computes a tile in registers: each lane owns COLS_PER_LANE
// columns of TILE_ROWS rows, loads its own columns of B, and takes the elements of A, which the
// lanes load side by side, from its neighbours by shuffles. No shared memory and no barrier: made
// for software drivers, where a load costs as much as dozens of multiplications (measurements.md).
//
// Bindings: 0 A, 1 B: DTYPE, any strides. 2 C: OUT_DTYPE; in a split run the accumulators, [splits,
//           batch, rows, cols]. 3 bias [cols], or any readable buffer.
//           4 (RUNS many) accumulators [batch, rows, cols], between runs over parts of the depth.
// Push: see matmul.glsl.
// Spec: LANES the subgroup's size (8), a workgroup is one subgroup; DTYPE, OUT_DTYPE DType (0);
//       TILE_ROWS 1..64 (16); COLS_PER_LANE even (4); A_ALONG_DEPTH, B_ALONG_DEPTH: load pairs of
//       neighbours along the depth, otherwise along rows (A) or columns (B) (true, false);
//       A_IS_PAIRED, B_IS_PAIRED: such a pair is contiguous and starts at an even element (false);
//       STORE 0 element, 1 pair, 2 masked element (0); IS_FIRST_RUN, IS_LAST_RUN (RUNS many;
//       false).
//@variant ACCUMULATOR = f32 i32
//@variant PAIR = int64 vec2
//@variant RUNS = one many
//@iterations 9 + ceil(min(depth, depth_per_split) / 4)
//@requires subgroup_shuffle
//@requires int64 if PAIR=int64
//@hook result 2
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#ifdef PAIR_INT64
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#endif

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 8u;
layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint OUT_DTYPE = 0u;
layout(constant_id = 3) const uint TILE_ROWS = 16u;
layout(constant_id = 4) const uint COLS_PER_LANE = 4u;
layout(constant_id = 5) const bool A_ALONG_DEPTH = true;
layout(constant_id = 6) const bool B_ALONG_DEPTH = false;
layout(constant_id = 7) const bool A_IS_PAIRED = false;
layout(constant_id = 8) const bool B_IS_PAIRED = false;
layout(constant_id = 9) const uint STORE = 0u;
#ifdef RUNS_MANY
layout(constant_id = 10) const bool IS_FIRST_RUN = false;
layout(constant_id = 11) const bool IS_LAST_RUN = false;
#endif

#include "matmul.glsl"
#include "pairs.glsl"

layout(set = 0, binding = 0, std430) readonly buffer A {
    uint a_words[];
};
layout(set = 0, binding = 0, std430) readonly buffer APairs {
    Words a_pairs[];
};
layout(set = 0, binding = 1, std430) readonly buffer B {
    uint b_words[];
};
layout(set = 0, binding = 1, std430) readonly buffer BPairs {
    Words b_pairs[];
};
layout(set = 0, binding = 2, std430) buffer C {
    uint c_words[];
};
layout(set = 0, binding = 2, std430) buffer CPairs {
    Words c_pairs[];
};
#include "reads.glsl"

READ_WORDS(3, Bias, bias_words);

const uint kDepthStep = 4u;  // unrolled, because a loop's end costs a blend an accumulator
const uint kRowPairs = (TILE_ROWS + 2u * LANES - 1u) / (2u * LANES);
const uint kAPairs = A_ALONG_DEPTH ? (TILE_ROWS + LANES - 1u) / LANES : 2u * kRowPairs;

AccPair decode_pair(uint word) {
    return AccPair(decode_acc(word, 0u, DTYPE), decode_acc(word, 1u, DTYPE));
}

AccPair decode_pair(uvec2 words) {
    return AccPair(acc_from_bits(words.x), acc_from_bits(words.y));
}

Acc load_a(uint element) {
    return decode_acc(a_words[word_index(element, DTYPE)], element, DTYPE);
}

Acc load_b(uint element) {
    return decode_acc(b_words[word_index(element, DTYPE)], element, DTYPE);
}

AccPair load_a_pair(uint element, uint to_second) {
    if (!A_IS_PAIRED) {
        return AccPair(load_a(element), load_a(element + to_second));
    }
    return word_shift(DTYPE) == 0u ? decode_pair(unpack_words(a_pairs[element >> 1u]))
                                   : decode_pair(a_words[element >> 1u]);
}

AccPair load_b_pair(uint element, uint to_second) {
    if (!B_IS_PAIRED) {
        return AccPair(load_b(element), load_b(element + to_second));
    }
    return word_shift(DTYPE) == 0u ? decode_pair(unpack_words(b_pairs[element >> 1u]))
                                   : decode_pair(b_words[element >> 1u]);
}

Acc acc[TILE_ROWS * COLS_PER_LANE];
uint a_first[kAPairs];   // element of each pair of A at depth 0
uint a_second[kAPairs];  // elements from the first to the second of the pair
uint b_first[COLS_PER_LANE];
uint b_second[COLS_PER_LANE];

// Rows past the last read the last: what they give is never stored. `unit` 2 keeps pairs whole.
void place_a(Tile tile, uint lane, uint row_stride, uint depth_stride) {
    [[unroll]] for (uint i = 0u; i < kAPairs; ++i) {
        if (A_ALONG_DEPTH) {
            uint row = min(tile.row + i * LANES + lane, push.rows - 1u);
            a_first[i] = tile.a + row * row_stride;
            a_second[i] = depth_stride;
        } else {
            uint row = tile.row + (i % kRowPairs) * 2u * LANES + 2u * lane;
            uint last = push.rows - (A_IS_PAIRED ? 2u : 1u);
            a_second[i] = row < push.rows - 1u ? row_stride : 0u;
            a_first[i] = tile.a + min(row, last) * row_stride + (i / kRowPairs) * depth_stride;
        }
    }
}

// Column j of a lane: pairs of neighbours, so that they are stored together.
uint column_of(uint col, uint lane, uint j) {
    return col + (j / 2u) * 2u * LANES + 2u * lane + j % 2u;
}

void place_b(Tile tile, uint lane, uint col_stride, uint depth_stride) {
    const uint kHalf = COLS_PER_LANE / 2u;
    [[unroll]] for (uint i = 0u; i < COLS_PER_LANE; ++i) {
        if (B_ALONG_DEPTH) {
            uint col = min(column_of(tile.col, lane, i), push.cols - 1u);
            b_first[i] = tile.b + col * col_stride;
            b_second[i] = depth_stride;
        } else {
            uint col = column_of(tile.col, lane, 2u * (i % kHalf));
            uint last = push.cols - (B_IS_PAIRED ? 2u : 1u);
            b_second[i] = col < push.cols - 1u ? col_stride : 0u;
            b_first[i] = tile.b + min(col, last) * col_stride + (i / kHalf) * depth_stride;
        }
    }
}

// Adds `count` (1 or 2) steps of the depth; a_at and b_at are the elements that the depth skips.
void multiply(uint a_at, uint b_at, uint count) {
    AccPair a_pairs_now[kAPairs];
    AccPair b_pairs_now[COLS_PER_LANE];
    [[unroll]] for (uint i = 0u; i < kAPairs; ++i) {
        if (A_ALONG_DEPTH && count == 1u) {
            a_pairs_now[i] = AccPair(load_a(a_first[i] + a_at));
        } else if (count == 2u || i < kRowPairs) {
            a_pairs_now[i] = load_a_pair(a_first[i] + a_at, a_second[i]);
        }
    }
    [[unroll]] for (uint i = 0u; i < COLS_PER_LANE; ++i) {
        if (B_ALONG_DEPTH && count == 1u) {
            b_pairs_now[i] = AccPair(load_b(b_first[i] + b_at));
        } else if (count == 2u || i < COLS_PER_LANE / 2u) {
            b_pairs_now[i] = load_b_pair(b_first[i] + b_at, b_second[i]);
        }
    }
    [[unroll]] for (uint q = 0u; q < count; ++q) {
        [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
            Acc a = A_ALONG_DEPTH
                        ? subgroupShuffle(a_pairs_now[r / LANES][q], r % LANES)
                        : subgroupShuffle(a_pairs_now[q * kRowPairs + r / (2u * LANES)][r % 2u],
                                          (r / 2u) % LANES);
            [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
                Acc b = B_ALONG_DEPTH ? b_pairs_now[j][q]
                                      : b_pairs_now[q * (COLS_PER_LANE / 2u) + j / 2u][j % 2u];
                acc[r * COLS_PER_LANE + j] += a * b;
            }
        }
    }
}

#include "matmul_store.glsl"

void main() {
    Tile tile = find_tile(TILE_ROWS, LANES * COLS_PER_LANE);
    if (tile.depth_begin > tile.depth_end) {
        return;
    }
    uint lane = gl_SubgroupInvocationID;
    // Copies: these drivers load push constants where they are used, also inside the loop.
    uint a_depth_stride = push.a_depth_stride;
    uint b_depth_stride = push.b_depth_stride;
    place_a(tile, lane, push.a_row_stride, a_depth_stride);
    place_b(tile, lane, push.b_col_stride, b_depth_stride);
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
        [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
            acc[r * COLS_PER_LANE + j] = carried(tile, tile.row + r, column_of(tile.col, lane, j));
        }
    }
    uint k = tile.depth_begin;
    for (; k + kDepthStep <= tile.depth_end; k += kDepthStep) {
        [[unroll]] for (uint s = 0u; s < kDepthStep; s += 2u) {
            multiply((k + s) * a_depth_stride, (k + s) * b_depth_stride, 2u);
        }
    }
    for (; k < tile.depth_end; ++k) {
        multiply(k * a_depth_stride, k * b_depth_stride, 1u);
    }
    [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; j += 2u) {
        uint col = column_of(tile.col, lane, j);
        AccPair bias = AccPair(bias_of(col), bias_of(col + 1u));
        [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
            uint at = r * COLS_PER_LANE + j;
            store_pair(tile, tile.row + r, col, acc[at] + bias.x, acc[at + 1u] + bias.y);
        }
    }
}
