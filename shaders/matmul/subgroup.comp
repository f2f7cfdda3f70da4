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
//       TILE_ROWS 1..64 (16); COLS_PER_LANE 2, 4 or 8 (4); A_ALONG_DEPTH, B_ALONG_DEPTH: which way
//       wide loads go, else along rows (A) or columns (B) (true, false); A_LOAD, B_LOAD:
//       kLoadWords, each element by itself; kLoadPairs, two in a word, of 2-byte dtypes;
//       kLoadQuads, four words, of 4-byte dtypes. What is loaded at once is contiguous and aligned
//       to its size; of quads along the depth there are only whole ones, of B's columns if
//       COLS_PER_LANE >= 4 (0). STORE 0 element, 1 pair, 2 masked element, 3 quad, if COLS_PER_LANE
//       >= 4 (0); IS_FIRST_RUN, IS_LAST_RUN (RUNS many; false).
//@variant ACCUMULATOR = f32 i32
//@variant RUNS = one many
//@iterations 9 + ceil(min(depth, depth_per_split) / 4)
//@requires subgroup_shuffle
//@hook result 2
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 8u;
layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint OUT_DTYPE = 0u;
layout(constant_id = 3) const uint TILE_ROWS = 16u;
layout(constant_id = 4) const uint COLS_PER_LANE = 4u;
layout(constant_id = 5) const bool A_ALONG_DEPTH = true;
layout(constant_id = 6) const bool B_ALONG_DEPTH = false;
layout(constant_id = 7) const uint A_LOAD = 0u;
layout(constant_id = 8) const uint B_LOAD = 0u;
layout(constant_id = 9) const uint STORE = 0u;
#ifdef RUNS_MANY
layout(constant_id = 10) const bool IS_FIRST_RUN = false;
layout(constant_id = 11) const bool IS_LAST_RUN = false;
#endif

#include "matmul.glsl"
#include "pairs.glsl"
#include "reads.glsl"

READ_QUADS(0, A, a_words);
READ_QUADS(1, B, b_words);
READ_WORDS(3, Bias, bias_words);

layout(set = 0, binding = 2, std430) buffer C {
    uint c_words[];
};
layout(set = 0, binding = 2, std430) buffer CPairs {
    Words c_pairs[];
};
layout(set = 0, binding = 2, std430) buffer CQuads {
    uvec4 c_quads[];
};

const uint kLoadWords = 0u;
const uint kLoadPairs = 1u;
const uint kLoadQuads = 2u;
const uint kDepthStep = 4u;  // unrolled, because a loop's end costs a blend an accumulator

// A quad along the rows holds four of them at one depth; the lanes share out the quads of a step.
const bool kAIsAcross = A_LOAD == kLoadQuads && !A_ALONG_DEPTH;
const uint kRowQuads = (TILE_ROWS + 3u) / 4u;
const uint kAFetches = ((kAIsAcross ? kDepthStep * kRowQuads : TILE_ROWS) + LANES - 1u) / LANES;
const uint kColsInRun = COLS_PER_LANE < 4u ? COLS_PER_LANE : 4u;  // neighbours that a lane owns

AccPair decode_pair(uint word) {
    return AccPair(decode_acc(word, 0u, DTYPE), decode_acc(word, 1u, DTYPE));
}

AccQuad decode_quad(uvec4 words) {
    return AccQuad(acc_from_bits(words.x),
                   acc_from_bits(words.y),
                   acc_from_bits(words.z),
                   acc_from_bits(words.w));
}

Acc load_a(uint element) {
    return decode_acc(read_word(a_words, word_index(element, DTYPE)), element, DTYPE);
}

Acc load_b(uint element) {
    return decode_acc(read_word(b_words, word_index(element, DTYPE)), element, DTYPE);
}

Acc acc[TILE_ROWS * COLS_PER_LANE];
uint a_first[kAFetches];  // elements at depth 0
uint b_first[COLS_PER_LANE];
AccQuad a_now[kAFetches];  // of a step: depths, or rows across
Acc b_now[kDepthStep * COLS_PER_LANE];

// Rows past the last read the last ones: what they give is never stored.
void place_a(Tile tile, uint lane) {
    [[unroll]] for (uint i = 0u; i < kAFetches; ++i) {
        uint at = i * LANES + lane;
        uint row = kAIsAcross ? min(tile.row + at % kRowQuads * 4u, push.rows - 4u)
                              : min(tile.row + at, push.rows - 1u);
        a_first[i] = tile.a + row * push.a_row_stride;
    }
}

uint column_of(uint col, uint lane, uint j) {
    return col + (j / kColsInRun * LANES + lane) * kColsInRun + j % kColsInRun;
}

void place_b(Tile tile, uint lane) {
    const uint kTogether = B_ALONG_DEPTH || B_LOAD == kLoadWords ? 1u
                           : B_LOAD == kLoadPairs                ? 2u
                                                                 : 4u;
    [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
        uint first = column_of(tile.col, lane, j / kTogether * kTogether);
        uint col = min(first, push.cols - kTogether) + j % kTogether;
        b_first[j] = tile.b + col * push.b_col_stride;
    }
}

// Loads `count` (1 or kDepthStep) depths from k on.
void load_step_of_a(uint k, uint depth_stride, uint lane, const uint count) {
    [[unroll]] for (uint i = 0u; i < kAFetches; ++i) {
        if (kAIsAcross) {
            uint depth = k + min((i * LANES + lane) / kRowQuads, count - 1u);
            a_now[i] = decode_quad(read_quad(a_words, (a_first[i] + depth * depth_stride) >> 2u));
        } else if (A_LOAD == kLoadQuads) {
            a_now[i] = decode_quad(read_quad(a_words, (a_first[i] + k) >> 2u));
        } else if (A_LOAD == kLoadPairs && count == kDepthStep) {
            uint at = (a_first[i] + k) >> 1u;
            a_now[i] = AccQuad(decode_pair(read_word(a_words, at)),
                               decode_pair(read_word(a_words, at + 1u)));
        } else {
            [[unroll]] for (uint d = 0u; d < count; ++d) {
                a_now[i][d] = load_a(a_first[i] + (k + d) * depth_stride);
            }
        }
    }
}

void load_step_of_b(uint k, uint depth_stride, const uint count) {
    if (B_LOAD == kLoadQuads && B_ALONG_DEPTH) {
        [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
            AccQuad quad = decode_quad(read_quad(b_words, (b_first[j] + k) >> 2u));
            [[unroll]] for (uint d = 0u; d < kDepthStep; ++d) {
                b_now[d * COLS_PER_LANE + j] = quad[d];
            }
        }
        return;
    }
    if (B_LOAD == kLoadPairs && B_ALONG_DEPTH && count == kDepthStep) {
        [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
            [[unroll]] for (uint d = 0u; d < kDepthStep; d += 2u) {
                AccPair pair = decode_pair(read_word(b_words, (b_first[j] + k + d) >> 1u));
                b_now[d * COLS_PER_LANE + j] = pair.x;
                b_now[(d + 1u) * COLS_PER_LANE + j] = pair.y;
            }
        }
        return;
    }
    [[unroll]] for (uint d = 0u; d < count; ++d) {
        uint at = (k + d) * depth_stride;
        uint to = d * COLS_PER_LANE;
        if (B_LOAD == kLoadQuads) {
            [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; j += 4u) {
                AccQuad quad = decode_quad(read_quad(b_words, (b_first[j] + at) >> 2u));
                [[unroll]] for (uint c = 0u; c < 4u; ++c) {
                    b_now[to + j + c] = quad[c];
                }
            }
        } else if (B_LOAD == kLoadPairs && !B_ALONG_DEPTH) {
            [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; j += 2u) {
                AccPair pair = decode_pair(read_word(b_words, (b_first[j] + at) >> 1u));
                b_now[to + j] = pair.x;
                b_now[to + j + 1u] = pair.y;
            }
        } else {
            [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
                b_now[to + j] = load_b(b_first[j] + at);
            }
        }
    }
}

// The element of A at a row of the tile and a depth of the step, from the lane that loaded it.
Acc element_of_a(const uint row, const uint depth) {
    if (kAIsAcross) {
        const uint at = depth * kRowQuads + row / 4u;
        return subgroupShuffle(a_now[at / LANES][row % 4u], at % LANES);
    }
    return subgroupShuffle(a_now[row / LANES][depth], row % LANES);
}

void multiply(const uint count) {
    [[unroll]] for (uint d = 0u; d < count; ++d) {
        [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
            Acc a = element_of_a(r, d);
            [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
                acc[r * COLS_PER_LANE + j] += a * b_now[d * COLS_PER_LANE + j];
            }
        }
    }
}

#include "matmul_store.glsl"

const uint kStoreQuad = 3u;  // four neighbours in a row, words, at a multiple of four elements

void store_quad(Tile tile, uint row, uint col, AccQuad values) {
    if (row >= push.rows || col >= push.cols) {
        return;
    }
    uint element = tile.c + row * push.c_row_stride + col;
    // No loop: SwiftShader unrolls one of known length without its `precise`, which formulas need.
    c_quads[element >> 2u] = uvec4(hooked_result(encode_acc(values.x, OUT_DTYPE), element),
                                   hooked_result(encode_acc(values.y, OUT_DTYPE), element + 1u),
                                   hooked_result(encode_acc(values.z, OUT_DTYPE), element + 2u),
                                   hooked_result(encode_acc(values.w, OUT_DTYPE), element + 3u));
}

#ifdef RUNS_MANY
const bool kStoresQuads = STORE == kStoreQuad && IS_LAST_RUN;
#else
const bool kStoresQuads = STORE == kStoreQuad;
#endif

// Adds the bias to the columns j and stores them.
void store_cols(Tile tile, uint lane, const uint j) {
    uint col = column_of(tile.col, lane, j);
    Acc bias[4];
    [[unroll]] for (uint c = 0u; c < (kStoresQuads ? 4u : 2u); ++c) {
        bias[c] = bias_of(col + c);
    }
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
        const uint at = r * COLS_PER_LANE + j;
        if (kStoresQuads) {
            store_quad(tile,
                       tile.row + r,
                       col,
                       AccQuad(acc[at] + bias[0],
                               acc[at + 1u] + bias[1],
                               acc[at + 2u] + bias[2],
                               acc[at + 3u] + bias[3]));
        } else {
            store_pair(tile, tile.row + r, col, acc[at] + bias[0], acc[at + 1u] + bias[1]);
        }
    }
}

void main() {
    Tile tile = find_tile(TILE_ROWS, LANES * COLS_PER_LANE);
    if (tile.depth_begin > tile.depth_end) {
        return;
    }
    uint lane = gl_SubgroupInvocationID;
    // Copies: these drivers load push constants where they are used, also inside the loop.
    uint a_depth_stride = push.a_depth_stride;
    uint b_depth_stride = push.b_depth_stride;
    place_a(tile, lane);
    place_b(tile, lane);
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
        [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
            acc[r * COLS_PER_LANE + j] = carried(tile, tile.row + r, column_of(tile.col, lane, j));
        }
    }
    uint k = tile.depth_begin;
    for (; k + kDepthStep <= tile.depth_end; k += kDepthStep) {
        load_step_of_a(k, a_depth_stride, lane, kDepthStep);
        load_step_of_b(k, b_depth_stride, kDepthStep);
        multiply(kDepthStep);
    }
    for (; k < tile.depth_end; ++k) {
        load_step_of_a(k, a_depth_stride, lane, 1u);
        load_step_of_b(k, b_depth_stride, 1u);
        multiply(1u);
    }
    [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; j += kStoresQuads ? 4u : 2u) {
        store_cols(tile, lane, j);
    }
}
