// SPDX-License-Identifier: Apache-2.0
// Attention in one pass over the keys, the softmax kept up as they come (Milakov and Gimelshein
// 2018; Dao et al. 2022). A workgroup holds TILE_ROWS queries: it scores a block of keys on tiles
// in shared memory, turns them into weights there, and adds the weighted values to results in
// registers. The base variant for every device, and the one for hardware.
//
// Bindings: 0 query, 1 key, 2 value: DTYPE. 3 mask: bool or DTYPE, or any readable buffer.
//           4 result [batch, L, D] DTYPE, 5 log-sum-exp [batch, L] float32, contiguous. RUNS many:
//           see attention.glsl.
// Push: see attention.glsl. Workgroups run over batches and query tiles, then over chunks of
//       CHUNK_COLS result columns, the last the fastest.
// Spec: LOCAL_SIZE a multiple of CHUNK_COLS and of TILE_ROWS (128); DTYPE DType (0); TILE_ROWS a
//       multiple of LOCAL_SIZE / CHUNK_COLS (16); CHUNK_COLS (64); MASK kMask* (0); IS_CAUSAL
//       (false); BATCH_RANK 1..3 (1); KEY_BLOCK with TILE_ROWS * KEY_BLOCK a multiple of LOCAL_SIZE
//       (32); TILE_DEPTH (16); RUNS many: IS_FIRST_RUN, IS_LAST_RUN (false), KEYS_PER_RUN a
//       multiple of KEY_BLOCK.
//@variant RUNS = one many
//@iterations 1 + ceil(min(key_count, KEYS_PER_RUN) / KEY_BLOCK) *
//@    (2 + ceil(depth / TILE_DEPTH) *
//@         (4 + TILE_DEPTH + ceil(TILE_ROWS * TILE_DEPTH / LOCAL_SIZE) +
//@          ceil(KEY_BLOCK * TILE_DEPTH / LOCAL_SIZE)) +
//@     4 + 2 * ceil(KEY_BLOCK * TILE_ROWS / LOCAL_SIZE) + 2 * LOCAL_SIZE / TILE_ROWS + 1 + KEY_BLOCK)
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 128u;
layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint TILE_ROWS = 16u;
layout(constant_id = 3) const uint CHUNK_COLS = 64u;
layout(constant_id = 4) const uint MASK = 0u;
layout(constant_id = 5) const bool IS_CAUSAL = false;
layout(constant_id = 6) const uint BATCH_RANK = 1u;
layout(constant_id = 7) const uint KEY_BLOCK = 32u;
layout(constant_id = 8) const uint TILE_DEPTH = 16u;

#ifdef RUNS_MANY
layout(constant_id = 9) const bool IS_FIRST_RUN = false;
layout(constant_id = 10) const bool IS_LAST_RUN = false;
layout(constant_id = 11) const uint KEYS_PER_RUN = 0xffffffffu;
#define STATE_LANES 1u
#endif

#include "attention.glsl"

layout(set = 0, binding = 4, std430) buffer Result {
    uint result_words[];
};
layout(set = 0, binding = 5, std430) writeonly buffer LogSumExp {
    float log_sum_exp[];
};

const uint kLanesPerRow = LOCAL_SIZE / TILE_ROWS;
const uint kScoresPerInvocation = TILE_ROWS * KEY_BLOCK / LOCAL_SIZE;
const uint kRowsPerInvocation = TILE_ROWS * CHUNK_COLS / LOCAL_SIZE;
const uint kPitch = TILE_DEPTH + 1u;  // keeps the rows of a tile on different banks

shared float q_tile[TILE_ROWS * kPitch];
shared float k_tile[KEY_BLOCK * kPitch];
shared float weights[TILE_ROWS * (KEY_BLOCK + 1u)];
shared float partial[LOCAL_SIZE];
shared float top[TILE_ROWS];     // largest score so far
shared float shrink[TILE_ROWS];  // what the new block scales earlier results by
shared float total[TILE_ROWS];   // sum of the weights so far

uint own() {
    return gl_LocalInvocationID.x;
}

void bring_tiles(Base base, uint first_row, uint block, uint e) {
    for (uint i = own(); i < TILE_ROWS * TILE_DEPTH; i += LOCAL_SIZE) {
        uint row = first_row + i / TILE_DEPTH;
        uint col = e + i % TILE_DEPTH;
        uint element = base.q + row * push.q_row_stride + col * push.q_col_stride;
        bool is_inside = row < push.query_count && col < push.depth;
        q_tile[i / TILE_DEPTH * kPitch + i % TILE_DEPTH] =
            is_inside ? decode_float(q_words[word_index(element, DTYPE)], element, DTYPE) : 0.0;
    }
    for (uint i = own(); i < KEY_BLOCK * TILE_DEPTH; i += LOCAL_SIZE) {
        uint key = block + i / TILE_DEPTH;
        uint col = e + i % TILE_DEPTH;
        uint element = base.k + key * push.k_row_stride + col * push.k_col_stride;
        bool is_inside = key < push.key_count && col < push.depth;
        k_tile[i / TILE_DEPTH * kPitch + i % TILE_DEPTH] =
            is_inside ? decode_float(k_words[word_index(element, DTYPE)], element, DTYPE) : 0.0;
    }
}

// Writes the block's scores into `weights`.
void score(Base base, uint first_row, uint block) {
    float scores[kScoresPerInvocation];
    [[unroll]] for (uint i = 0u; i < kScoresPerInvocation; ++i) {
        scores[i] = 0.0;
    }
    for (uint e = 0u; e < push.depth; e += TILE_DEPTH) {
        bring_tiles(base, first_row, block, e);
        barrier();
        for (uint d = 0u; d < TILE_DEPTH; ++d) {
            [[unroll]] for (uint i = 0u; i < kScoresPerInvocation; ++i) {
                uint at = own() + i * LOCAL_SIZE;
                scores[i] +=
                    q_tile[at / KEY_BLOCK * kPitch + d] * k_tile[at % KEY_BLOCK * kPitch + d];
            }
        }
        barrier();
    }
    [[unroll]] for (uint i = 0u; i < kScoresPerInvocation; ++i) {
        uint at = own() + i * LOCAL_SIZE;
        uint row = min(first_row + at / KEY_BLOCK, push.query_count - 1u);
        weights[at / KEY_BLOCK * (KEY_BLOCK + 1u) + at % KEY_BLOCK] =
            scores[i] * push.scale + bias_of(base.mask, row, block + at % KEY_BLOCK);
    }
    barrier();
}

// Turns the scores in `weights` into weights, kLanesPerRow invocations a row.
void weigh() {
    uint row = own() / kLanesPerRow;
    uint lane = own() % kLanesPerRow;
    uint first = row * (KEY_BLOCK + 1u);
    float largest = -infinity();
    for (uint k = lane; k < KEY_BLOCK; k += kLanesPerRow) {
        largest = max(largest, weights[first + k]);
    }
    partial[own()] = largest;
    barrier();
    float next_top = top[row];
    for (uint i = 0u; i < kLanesPerRow; ++i) {
        next_top = max(next_top, partial[row * kLanesPerRow + i]);
    }
    float sum = 0.0;
    for (uint k = lane; k < KEY_BLOCK; k += kLanesPerRow) {
        float weight = weight_of(weights[first + k], next_top);
        weights[first + k] = weight;
        sum += weight;
    }
    barrier();
    partial[own()] = sum;
    barrier();
    if (lane == 0u) {
        float factor = weight_of(top[row], next_top);
        float block_total = 0.0;
        for (uint i = 0u; i < kLanesPerRow; ++i) {
            block_total += partial[own() + i];
        }
        shrink[row] = factor;
        total[row] = total[row] * factor + block_total;
        top[row] = next_top;
    }
    barrier();
}

float result[kRowsPerInvocation];

// Invocations side by side hold columns side by side; rows are own_row + i.
void add_values(uint v_first, uint block, uint key_end, uint own_row) {
    [[unroll]] for (uint i = 0u; i < kRowsPerInvocation; ++i) {
        result[i] *= shrink[own_row + i];
    }
    for (uint key = block; key < key_end; ++key) {
        uint element = v_first + key * push.v_row_stride;
        float v = decode_float(v_words[word_index(element, DTYPE)], element, DTYPE);
        [[unroll]] for (uint i = 0u; i < kRowsPerInvocation; ++i) {
            result[i] += weights[(own_row + i) * (KEY_BLOCK + 1u) + key - block] * v;
        }
    }
}

#ifdef RUNS_MANY
// Takes what the run before left; returns the first key of this one.
uint take_over(AttentionTile tile, uint own_row, uint col) {
    if (IS_FIRST_RUN) {
        return 0u;
    }
    if (own() < TILE_ROWS && tile.row + own() < push.query_count) {
        uvec4 state = carried_rows[state_at(tile, CHUNK_COLS, tile.row + own(), 0u)];
        top[own()] = uintBitsToFloat(state.x);
        total[own()] = uintBitsToFloat(state.y);
    }
    [[unroll]] for (uint i = 0u; i < kRowsPerInvocation; ++i) {
        uint row = tile.row + own_row + i;
        if (row < push.query_count && col < push.value_depth) {
            result[i] = carried_results[carried_at(tile, row) + col];
        }
    }
    return carried_rows[state_at(tile, CHUNK_COLS, tile.row, 0u)].z;
}

void hand_on(AttentionTile tile, uint own_row, uint col, uint next_key) {
    if (own() < TILE_ROWS && tile.row + own() < push.query_count) {
        carried_rows[state_at(tile, CHUNK_COLS, tile.row + own(), 0u)] =
            uvec4(floatBitsToUint(top[own()]), floatBitsToUint(total[own()]), next_key, 0u);
    }
    [[unroll]] for (uint i = 0u; i < kRowsPerInvocation; ++i) {
        uint row = tile.row + own_row + i;
        if (row < push.query_count && col < push.value_depth) {
            carried_results[carried_at(tile, row) + col] = result[i];
        }
    }
}
#endif

void store(AttentionTile tile, uint own_row, uint col) {
    [[unroll]] for (uint i = 0u; i < kRowsPerInvocation; ++i) {
        uint row = tile.row + own_row + i;
        if (row < push.query_count && col < push.value_depth) {
            float sum = total[own_row + i];
            uint bits = encode_float(sum == 0.0 ? 0.0 : result[i] / sum, DTYPE);
            uint element = (tile.batch * push.query_count + row) * push.value_depth + col;
            store_masked(result_words, element, bits, DTYPE);
        }
    }
    uint row = tile.row + own();
    if (tile.col == 0u && own() < TILE_ROWS && row < push.query_count) {
        log_sum_exp[tile.batch * push.query_count + row] = top[own()] + log_float(total[own()]);
    }
}

void main() {
    AttentionTile tile = find_tile(TILE_ROWS, CHUNK_COLS);
    if (tile.batch >= push.batch_count) {
        return;  // the whole workgroup
    }
    Base base = base_of(tile.batch);
    uint own_row = own() / CHUNK_COLS * kRowsPerInvocation;
    uint col = tile.col + own() % CHUNK_COLS;
    uint v_col = min(col, max(push.value_depth, 1u) - 1u);
    if (own() < TILE_ROWS) {
        top[own()] = -infinity();
        total[own()] = 0.0;
    }
    [[unroll]] for (uint i = 0u; i < kRowsPerInvocation; ++i) {
        result[i] = 0.0;
    }
    uint key_limit = key_limit_of(tile.row + TILE_ROWS);
    uint begin = 0u;
#ifdef RUNS_MANY
    begin = take_over(tile, own_row, col);
    uint next_key = begin + KEYS_PER_RUN;
    key_limit = min(key_limit, next_key);
#endif
    barrier();
    for (uint block = begin; block < key_limit; block += KEY_BLOCK) {
        score(base, tile.row, block);
        weigh();
        uint key_end = push.value_depth == 0u ? 0u : min(block + KEY_BLOCK, key_limit);
        add_values(base.v + v_col * push.v_col_stride, block, key_end, own_row);
        barrier();
    }
#ifdef RUNS_MANY
    if (!IS_LAST_RUN) {
        hand_on(tile, own_row, col, next_key);
        return;
    }
#endif
    store(tile, own_row, col);
}
