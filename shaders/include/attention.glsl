// SPDX-License-Identifier: Apache-2.0
// What the attention kernels share: query [batch, L, E], key [batch, S, E], value [batch, S, D],
// mask [batch, L, S], each of any strides. The including kernel declares the specialization
// constants DTYPE, MASK, IS_CAUSAL and BATCH_RANK. RUNS many: keys that one invocation could not
// walk are walked in several runs of KEYS_PER_RUN each, which hand on what they have: bindings 6,
// results [batch, L, D], not yet divided by the sum of the weights; 7, for each chunk of columns,
// batch, query and STATE_LANES lanes: the largest score, the sum, and the first key of the next
// run.
#ifndef PUMICE_ATTENTION_GLSL
#define PUMICE_ATTENTION_GLSL

#include "dtype.glsl"
#include "grid.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Q {
    uint q_words[];
};
layout(set = 0, binding = 1, std430) readonly buffer K {
    uint k_words[];
};
layout(set = 0, binding = 2, std430) readonly buffer V {
    uint v_words[];
};

// Strides and offsets count elements. Batch dimensions run from the outermost to the innermost;
// the outermost needs no size.
layout(push_constant, std430) uniform AttentionPush {
    uint query_count;  // L
    uint key_count;    // S
    uint depth;        // E
    uint value_depth;  // D
    uint batch_count;
    float scale;
    uint q_offset;
    uint k_offset;
    uint v_offset;
    uint mask_offset;
    uint q_row_stride;
    uint q_col_stride;
    uint k_row_stride;
    uint k_col_stride;
    uint v_row_stride;
    uint v_col_stride;
    uint mask_row_stride;
    uint mask_col_stride;
    uint batch_sizes[2];
    uint q_batch_strides[3];
    uint k_batch_strides[3];
    uint v_batch_strides[3];
    uint mask_batch_strides[3];
} push;

#ifdef RUNS_MANY
layout(set = 0, binding = 6, std430) buffer CarriedResults {
    float carried_results[];
};
layout(set = 0, binding = 7, std430) buffer CarriedRows {
    uvec4 carried_rows[];
};
#endif

#include "attention_mask.glsl"

// A workgroup's part: a tile of queries, and a chunk of the result's columns.
struct AttentionTile {
    uint batch;
    uint row;
    uint col;
};

AttentionTile find_tile(uint tile_rows, uint chunk_cols) {
    uint chunk_count = max((push.value_depth + chunk_cols - 1u) / chunk_cols, 1u);
    uint tile_count = (push.query_count + tile_rows - 1u) / tile_rows;
    uint group = linear_group();
    uint tile = group / chunk_count;
    uint batch = tile / tile_count;
    return AttentionTile(
        batch, (tile - batch * tile_count) * tile_rows, (group - tile * chunk_count) * chunk_cols);
}

#ifdef RUNS_MANY
// Where a query's state lies, and its element of the results at column 0.
uint state_at(AttentionTile tile, uint chunk_cols, uint row, uint lane) {
    uint plane = tile.col / chunk_cols * push.batch_count + tile.batch;
    return (plane * push.query_count + row) * STATE_LANES + lane;
}

uint carried_at(AttentionTile tile, uint row) {
    return (tile.batch * push.query_count + row) * push.value_depth;
}
#endif

// Keys that queries before `row_end` may see.
uint key_limit_of(uint row_end) {
    return IS_CAUSAL ? min(push.key_count, row_end) : push.key_count;
}

// First elements of a batch's matrices.
struct Base {
    uint q;
    uint k;
    uint v;
    uint mask;
};

void add_index(inout Base base, uint index, uint d) {
    base.q += index * push.q_batch_strides[d];
    base.k += index * push.k_batch_strides[d];
    base.v += index * push.v_batch_strides[d];
    base.mask += index * push.mask_batch_strides[d];
}

Base base_of(uint batch) {
    Base base = Base(push.q_offset, push.k_offset, push.v_offset, push.mask_offset);
    if (BATCH_RANK > 2u) {
        uint outer = batch / push.batch_sizes[1];
        add_index(base, batch - outer * push.batch_sizes[1], 2u);
        batch = outer;
    }
    if (BATCH_RANK > 1u) {
        uint outer = batch / push.batch_sizes[0];
        add_index(base, batch - outer * push.batch_sizes[0], 1u);
        batch = outer;
    }
    add_index(base, batch, 0u);
    return base;
}

#endif
