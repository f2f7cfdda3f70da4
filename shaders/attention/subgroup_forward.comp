// SPDX-License-Identifier: Apache-2.0
// Attention in one pass over the keys, the softmax kept up as they come (Milakov and Gimelshein
// 2018; Dao et al. 2022), in the registers of a subgroup, without shared memory or a barrier: made
// for software drivers, as matmul/subgroup.comp is. A lane holds two keys' scores for TILE_ROWS
// queries, then COLS_PER_LANE columns of their results; weights go round by shuffles.
//
// Bindings: 0 query, 1 key, 2 value: DTYPE. 3 mask: bool or DTYPE, or any readable buffer.
//           4 result [batch, L, D] DTYPE, 5 log-sum-exp [batch, L] float32, contiguous. RUNS many:
//           see attention.glsl.
// Push: see attention.glsl. Workgroups run over batches and query tiles, then over chunks of
//       LANES * COLS_PER_LANE result columns, the last the fastest.
// Spec: LANES the subgroup's size, up to 32 (8), a workgroup is one subgroup; DTYPE DType (0);
//       TILE_ROWS 1..32 (8); COLS_PER_LANE even (2); MASK kMask* (0); IS_CAUSAL (false);
//       BATCH_RANK 1..3 (1); QK_IN_PAIRS, V_IN_PAIRS: neighbours in a row are contiguous, and pairs
//       start at even elements (false); STORE_IN_PAIRS: D is even (false); MASK_BY_ROW: rows differ
//       (true); RUNS many: IS_FIRST_RUN, IS_LAST_RUN (false), KEYS_PER_RUN a multiple of 2 LANES.
//@variant PAIR = int64 vec2
//@variant RUNS = one many
//@iterations 1 + ceil(min(key_count, KEYS_PER_RUN) / (2 * LANES)) *
//@    (7 + ceil(depth / 4) + ceil(LANES / 2))
//@requires subgroup_shuffle
//@requires int64 if PAIR=int64
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
layout(constant_id = 2) const uint TILE_ROWS = 8u;
layout(constant_id = 3) const uint COLS_PER_LANE = 2u;
layout(constant_id = 4) const uint MASK = 0u;
layout(constant_id = 5) const bool IS_CAUSAL = false;
layout(constant_id = 6) const uint BATCH_RANK = 1u;
layout(constant_id = 7) const bool QK_IN_PAIRS = false;
layout(constant_id = 8) const bool V_IN_PAIRS = false;
layout(constant_id = 9) const bool STORE_IN_PAIRS = false;
layout(constant_id = 10) const bool MASK_BY_ROW = true;

#ifdef RUNS_MANY
layout(constant_id = 11) const bool IS_FIRST_RUN = false;
layout(constant_id = 12) const bool IS_LAST_RUN = false;
layout(constant_id = 13) const uint KEYS_PER_RUN = 0xffffffffu;
#define STATE_LANES LANES
#endif

#include "attention.glsl"
#include "pairs.glsl"

layout(set = 0, binding = 0, std430) readonly buffer QPairs {
    Words q_pairs[];
};
layout(set = 0, binding = 1, std430) readonly buffer KPairs {
    Words k_pairs[];
};
layout(set = 0, binding = 2, std430) readonly buffer VPairs {
    Words v_pairs[];
};
layout(set = 0, binding = 4, std430) buffer Result {
    uint result_words[];
};
layout(set = 0, binding = 4, std430) buffer ResultPairs {
    Words result_pairs[];
};
layout(set = 0, binding = 5, std430) writeonly buffer LogSumExp {
    float log_sum_exp[];
};

const uint kRowGroups = (TILE_ROWS + LANES - 1u) / LANES;
const uint kColPairs = COLS_PER_LANE / 2u;
const uint kUnroll = 4u;  // a loop's end costs a blend an accumulator

float scores[TILE_ROWS * 2u];  // [row, key], then the weights
float result[TILE_ROWS * COLS_PER_LANE];
float top[TILE_ROWS];    // largest score so far, the same in all lanes
float total[TILE_ROWS];  // sum of the lane's own weights
uint q_first[kRowGroups];
uvec2 k_first;  // no array: glslang gives uint[2] the push block's stride
uint v_first[kColPairs];
uint v_second[kColPairs];  // elements from a pair's first column to its second
uint last_key;
uint result_base;

// scores += the products of `count` (1 or 2) components of queries and keys from `e` on.
void add_products(uint e, uint q_col_stride, uint k_col_stride, uint count) {
    vec2 q[kRowGroups];
    vec2 k[2];
    uint to_next = count == 2u ? 1u : 0u;
    bool is_paired = QK_IN_PAIRS && count == 2u;
    [[unroll]] for (uint i = 0u; i < kRowGroups; ++i) {
        uint element = q_first[i] + e * q_col_stride;
        q[i] = load_pair(q_words, q_pairs, element, to_next * q_col_stride, is_paired, DTYPE);
    }
    [[unroll]] for (uint j = 0u; j < 2u; ++j) {
        uint element = k_first[j] + e * k_col_stride;
        k[j] = load_pair(k_words, k_pairs, element, to_next * k_col_stride, is_paired, DTYPE);
    }
    [[unroll]] for (uint c = 0u; c < count; ++c) {
        [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
            float a = subgroupShuffle(q[r / LANES][c], r % LANES);
            scores[2u * r] += a * k[0][c];
            scores[2u * r + 1u] += a * k[1][c];
        }
    }
}

// Butterflies over the lanes, counted by ones: these drivers do not unroll a loop whose step
// doubles, and one such loop within the rows' leaves their arrays in memory, lane by lane.
const uint kMostLevels = 5u;

float across_lanes_max(float x) {
    [[unroll]] for (uint i = 0u; i < kMostLevels; ++i) {
        if (1u << i < LANES) {
            x = max(x, subgroupShuffle(x, gl_SubgroupInvocationID ^ (1u << i)));
        }
    }
    return x;
}

float across_lanes_sum(float x) {
    [[unroll]] for (uint i = 0u; i < kMostLevels; ++i) {
        if (1u << i < LANES) {
            x += subgroupShuffle(x, gl_SubgroupInvocationID ^ (1u << i));
        }
    }
    return x;
}

// Turns the block's scores into weights relative to the largest score up to now.
void weigh(uint mask_base, uint first_row, uint first_key, float scale, uint row_limit) {
    vec2 shared_bias = vec2(0.0);
    if (!MASK_BY_ROW) {
        shared_bias =
            vec2(bias_of(mask_base, 0u, first_key), bias_of(mask_base, 0u, first_key + LANES));
    }
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
        vec2 bias = shared_bias;
        if (MASK_BY_ROW) {
            uint row = min(first_row + r, row_limit);
            bias = vec2(bias_of(mask_base, row, first_key),
                        bias_of(mask_base, row, first_key + LANES));
        }
        vec2 x = vec2(scores[2u * r], scores[2u * r + 1u]) * scale + bias;
        float next_top = max(top[r], across_lanes_max(max(x.x, x.y)));
        float shrink = weight_of(top[r], next_top);
        top[r] = next_top;
        scores[2u * r] = weight_of(x.x, next_top);
        scores[2u * r + 1u] = weight_of(x.y, next_top);
        total[r] = total[r] * shrink + (scores[2u * r] + scores[2u * r + 1u]);
        [[unroll]] for (uint c = 0u; c < COLS_PER_LANE; ++c) {
            result[r * COLS_PER_LANE + c] *= shrink;
        }
    }
}

// Adds the values of the keys [key, key + kUnroll), whose weights lanes from `lane_of_key` on hold.
void add_values(uint key, uint lane_of_key, bool is_second_half, uint v_row_stride) {
    float own[TILE_ROWS];
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
        own[r] = is_second_half ? scores[2u * r + 1u] : scores[2u * r];
    }
    [[unroll]] for (uint u = 0u; u < kUnroll; ++u) {
        uint row = min(key + u, last_key) * v_row_stride;
        vec2 v[kColPairs];
        [[unroll]] for (uint c = 0u; c < kColPairs; ++c) {
            v[c] = load_pair(v_words, v_pairs, v_first[c] + row, v_second[c], V_IN_PAIRS, DTYPE);
        }
        [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
            float weight = subgroupShuffle(own[r], lane_of_key + u);
            [[unroll]] for (uint c = 0u; c < COLS_PER_LANE; ++c) {
                result[r * COLS_PER_LANE + c] += weight * v[c / 2u][c % 2u];
            }
        }
    }
}

uint column_of(uint first_col, uint pair) {
    return first_col + 2u * (pair * LANES + gl_SubgroupInvocationID);
}

// Queries and columns past the last read the last: what they give is never stored.
void place(Base base, uint first_row, uint first_col) {
    [[unroll]] for (uint i = 0u; i < kRowGroups; ++i) {
        uint row = min(first_row + i * LANES + gl_SubgroupInvocationID, push.query_count - 1u);
        q_first[i] = base.q + row * push.q_row_stride;
    }
    uint last_col = push.value_depth - (V_IN_PAIRS ? 2u : 1u);
    [[unroll]] for (uint c = 0u; c < kColPairs; ++c) {
        uint col = column_of(first_col, c);
        v_first[c] = base.v + min(col, last_col) * push.v_col_stride;
        v_second[c] = col + 1u < push.value_depth ? push.v_col_stride : 0u;
    }
    [[unroll]] for (uint i = 0u; i < TILE_ROWS; ++i) {
        top[i] = -infinity();
        total[i] = 0.0;
    }
    [[unroll]] for (uint i = 0u; i < TILE_ROWS * COLS_PER_LANE; ++i) {
        result[i] = 0.0;
    }
    last_key = push.key_count - 1u;
}

#ifdef RUNS_MANY
// Takes what the run before left; returns the first key of this one.
uint take_over(AttentionTile tile) {
    if (IS_FIRST_RUN) {
        return 0u;
    }
    const uint kCols = LANES * COLS_PER_LANE;
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
        uint row = min(tile.row + r, push.query_count - 1u);
        uvec4 state = carried_rows[state_at(tile, kCols, row, gl_SubgroupInvocationID)];
        top[r] = uintBitsToFloat(state.x);
        total[r] = uintBitsToFloat(state.y);
        [[unroll]] for (uint c = 0u; c < COLS_PER_LANE; ++c) {
            uint col = column_of(tile.col, c / 2u) + c % 2u;
            bool is_inside = col < push.value_depth;
            result[r * COLS_PER_LANE + c] =
                is_inside ? carried_results[carried_at(tile, row) + col] : 0.0;
        }
    }
    return carried_rows[state_at(tile, kCols, tile.row, gl_SubgroupInvocationID)].z;
}

void hand_on(AttentionTile tile, uint next_key) {
    const uint kCols = LANES * COLS_PER_LANE;
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
        uint row = tile.row + r;
        if (row < push.query_count) {
            carried_rows[state_at(tile, kCols, row, gl_SubgroupInvocationID)] =
                uvec4(floatBitsToUint(top[r]), floatBitsToUint(total[r]), next_key, 0u);
            [[unroll]] for (uint c = 0u; c < COLS_PER_LANE; ++c) {
                uint col = column_of(tile.col, c / 2u) + c % 2u;
                if (col < push.value_depth) {
                    carried_results[carried_at(tile, row) + col] = result[r * COLS_PER_LANE + c];
                }
            }
        }
    }
}
#endif

void score(Base base, uint first_key, uint depth, uint k_row_stride, uvec2 col_strides) {
    [[unroll]] for (uint j = 0u; j < 2u; ++j) {
        k_first[j] = base.k + min(first_key + j * LANES, last_key) * k_row_stride;
    }
    [[unroll]] for (uint i = 0u; i < TILE_ROWS * 2u; ++i) {
        scores[i] = 0.0;
    }
    uint e = 0u;
    for (; e + kUnroll <= depth; e += kUnroll) {
        [[unroll]] for (uint u = 0u; u < kUnroll; u += 2u) {
            add_products(e + u, col_strides.x, col_strides.y, 2u);
        }
    }
    for (; e < depth; ++e) {
        add_products(e, col_strides.x, col_strides.y, 1u);
    }
}

void store_pair(uint row, uint col, vec2 value) {
    if (row >= push.query_count || col >= push.value_depth) {
        return;
    }
    uvec2 bits = uvec2(encode_float(value.x, DTYPE), encode_float(value.y, DTYPE));
    uint element = result_base + row * push.value_depth + col;
    bool has_second = col + 1u < push.value_depth;
    store_pair_bits(result_words, result_pairs, element, bits, STORE_IN_PAIRS, has_second, DTYPE);
}

void store(uint first_row, uint first_col, uint lse_base) {
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
        uint row = first_row + r;
        float sum = across_lanes_sum(total[r]);
        float factor = sum == 0.0 ? 0.0 : 1.0 / sum;
        [[unroll]] for (uint c = 0u; c < kColPairs; ++c) {
            uint at = r * COLS_PER_LANE + 2u * c;
            store_pair(row, column_of(first_col, c), vec2(result[at], result[at + 1u]) * factor);
        }
        if (first_col == 0u && gl_SubgroupInvocationID == r % LANES && row < push.query_count) {
            log_sum_exp[lse_base + row] = top[r] + log_float(sum);
        }
    }
}

void main() {
    AttentionTile tile = find_tile(TILE_ROWS, LANES * COLS_PER_LANE);
    if (tile.batch >= push.batch_count) {
        return;
    }
    // Copies: these drivers load push constants where they are used, also inside the loop.
    uint depth = push.depth;
    float scale = push.scale;
    uvec2 col_strides = uvec2(push.q_col_stride, push.k_col_stride);
    uint k_row_stride = push.k_row_stride;
    uint v_row_stride = push.v_row_stride;
    uint row_limit = push.query_count - 1u;
    Base base = base_of(tile.batch);
    result_base = tile.batch * push.query_count * push.value_depth;
    place(base, tile.row, tile.col);
    uint key_limit = key_limit_of(tile.row + TILE_ROWS);
    uint begin = 0u;
#ifdef RUNS_MANY
    begin = take_over(tile);
    uint next_key = begin + KEYS_PER_RUN;
    key_limit = min(key_limit, next_key);
#endif
    uint value_limit = push.value_depth == 0u ? 0u : key_limit;
    for (uint block = begin; block < key_limit; block += 2u * LANES) {
        uint own_key = block + gl_SubgroupInvocationID;
        score(base, own_key, depth, k_row_stride, col_strides);
        weigh(base.mask, tile.row, own_key, scale, row_limit);
        uint end = min(2u * LANES, value_limit - min(block, value_limit));
        for (uint k = 0u; k < end; k += kUnroll) {
            add_values(block + k, k % LANES, k >= LANES, v_row_stride);
        }
    }
#ifdef RUNS_MANY
    if (!IS_LAST_RUN) {
        hand_on(tile, next_key);
        return;
    }
#endif
    store(tile.row, tile.col, tile.batch * push.query_count);
}
