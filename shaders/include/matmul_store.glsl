// SPDX-License-Identifier: Apache-2.0
// Stores results of a matmul kernel, clipped at the matrix's edges. The including kernel declares
// OUT_DTYPE, DTYPE, STORE, c_words, c_pairs with pack_words, bias_words, and with RUNS many
// IS_FIRST_RUN and IS_LAST_RUN: a depth that one invocation could not walk is walked in several
// runs, which hand on their accumulators as they are.
#ifndef PUMICE_MATMUL_STORE_GLSL
#define PUMICE_MATMUL_STORE_GLSL

#include "hooks.glsl"

const uint kStoreElement = 0u;
const uint kStorePair = 1u;    // neighbours in a row are contiguous, pairs start at even elements
const uint kStoreMasked = 2u;  // elements share words with others

// What is added to a column; 0 without a bias.
Acc bias_of(uint col) {
    Acc value = Acc(0);
    if (push.has_bias != 0u && col < push.cols) {
        uint element = push.bias_offset + col * push.bias_stride;
        value = decode_acc(read_word(bias_words, word_index(element, DTYPE)), element, DTYPE);
    }
    return value;
}

#ifdef RUNS_MANY
layout(set = 0, binding = 4, std430) buffer Accumulators {
    uint accumulators[];
};
#endif

// What a run starts from: what the one before it left, or 0.
Acc carried(Tile tile, uint row, uint col) {
#ifdef RUNS_MANY
    if (!IS_FIRST_RUN && row < push.rows && col < push.cols) {
        return acc_from_bits(accumulators[tile.accumulators + row * push.cols + col]);
    }
#endif
    return Acc(0);
}

void store_element(Tile tile, uint row, uint col, Acc value) {
    uint element = tile.c + row * push.c_row_stride + col * push.c_col_stride;
    uint bits = hooked_result(encode_acc(value, OUT_DTYPE), element);
    if (STORE == kStoreMasked) {
        store_masked(c_words, element, bits, OUT_DTYPE);
    } else {
        c_words[element] = bits;
    }
}

// The elements (row, col) and (row, col + 1); col is even.
void store_pair(Tile tile, uint row, uint col, Acc first, Acc second) {
    if (row >= push.rows || col >= push.cols) {
        return;
    }
#ifdef RUNS_MANY
    if (!IS_LAST_RUN) {
        uint at = tile.accumulators + row * push.cols + col;
        accumulators[at] = acc_bits(first);
        if (col + 1u < push.cols) {
            accumulators[at + 1u] = acc_bits(second);
        }
        return;
    }
#endif
    if (STORE == kStorePair) {
        uint element = tile.c + row * push.c_row_stride + col;
        uvec2 bits = uvec2(hooked_result(encode_acc(first, OUT_DTYPE), element),
                           hooked_result(encode_acc(second, OUT_DTYPE), element + 1u));
        if (word_shift(OUT_DTYPE) == 0u) {
            c_pairs[element >> 1u] = pack_words(bits);
        } else {
            c_words[element >> 1u] = bits.x | (bits.y << 16u);
        }
        return;
    }
    store_element(tile, row, col, first);
    if (col + 1u < push.cols) {
        store_element(tile, row, col + 1u, second);
    }
}

#endif
