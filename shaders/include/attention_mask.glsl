// SPDX-License-Identifier: Apache-2.0
// Which keys a query of an attention sees, and the weights of the softmax. The including kernel
// declares the specialization constants DTYPE, MASK and IS_CAUSAL, and in its push constants
// key_count, mask_row_stride and mask_col_stride.
#ifndef PUMICE_ATTENTION_MASK_GLSL
#define PUMICE_ATTENTION_MASK_GLSL

#include "dtype.glsl"
#include "math.glsl"
#include "reads.glsl"

READ_WORDS(3, Mask, mask_words);

// How MASK acts on a score.
const uint kMaskNone = 0u;
const uint kMaskBool = 1u;      // false leaves the key out
const uint kMaskAdditive = 2u;  // of DTYPE, added

float load_mask(uint element) {
    if (MASK == kMaskBool) {
        uint word = read_word(mask_words, word_index(element, kDTypeBool));
        return decode_int(word, element, kDTypeBool) != 0 ? 0.0 : -infinity();
    }
    return decode_float(read_word(mask_words, word_index(element, DTYPE)), element, DTYPE);
}

// What is added to the score of a query and a key: the mask, or minus infinity to leave it out.
float bias_of(uint mask_base, uint row, uint key) {
    if (key >= push.key_count || (IS_CAUSAL && key > row)) {
        return -infinity();
    }
    if (MASK == kMaskNone) {
        return 0.0;
    }
    return load_mask(mask_base + row * push.mask_row_stride + key * push.mask_col_stride);
}

// e^(x - top) for x <= top; a row without a key has top = -infinity and only zeros.
float weight_of(float x, float top) {
    return exp_float(x - (top == -infinity() ? 0.0 : top));
}

#endif
