// SPDX-License-Identifier: Apache-2.0
// Stores results of a matmul kernel, with bias, clipped at the matrix's edges. The including kernel
// declares OUT_DTYPE, DTYPE, STORE, HAS_BIAS, c_words, c_pairs with pack_words, and bias_words.
#ifndef PUMICE_MATMUL_STORE_GLSL
#define PUMICE_MATMUL_STORE_GLSL

const uint kStoreElement = 0u;
const uint kStorePair = 1u;    // neighbours in a row are contiguous, pairs start at even elements
const uint kStoreMasked = 2u;  // elements share words with others

Acc with_bias(Acc value, uint col) {
    if (HAS_BIAS) {
        uint element = push.bias_offset + col * push.bias_stride;
        value += decode_acc(bias_words[word_index(element, DTYPE)], element, DTYPE);
    }
    return value;
}

void store_element(Tile tile, uint row, uint col, Acc value) {
    uint element = tile.c + row * push.c_row_stride + col * push.c_col_stride;
    uint bits = encode_acc(with_bias(value, col), OUT_DTYPE);
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
    if (STORE == kStorePair) {
        uint element = tile.c + row * push.c_row_stride + col;
        uvec2 bits = uvec2(encode_acc(with_bias(first, col), OUT_DTYPE),
                           encode_acc(with_bias(second, col + 1u), OUT_DTYPE));
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
