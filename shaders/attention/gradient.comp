// SPDX-License-Identifier: Apache-2.0
// Weights of an attention from its scores and log-sum-exp, and the gradient of its scores:
// weights = e^(scale * scores + mask - log_sum_exp), d_scores = factor * weights * (d_weights -
// dot), dot the sum over the values of result * d_result. One invocation walks CHUNK elements.
//
// Bindings: 0 scores query key^T, 1 d_weights d_result value^T: [batch, L, S] DTYPE. 2 log_sum_exp,
//           4 dot: [batch, L] float32. 3 mask [batch, L, S] bool or DTYPE, any strides, or any
//           readable buffer. 5 weights, 6 d_scores: [batch, L, S] DTYPE. All but the mask
//           contiguous; [batch, L, S] from the first element of the binding on.
// Push: query_count, key_count     L, S
//       element_count              batch * L * S
//       scale, factor
//       log_sum_exp_offset, dot_offset  of their first elements in the bindings
//       mask_offset, mask_*_stride elements; batch dimensions from the outermost to the innermost
//       batch_sizes                sizes of the inner two batch dimensions
// Spec: LOCAL_SIZE 1..1024 (64); DTYPE DType (0); CHUNK a multiple of the elements in a word (4);
//       MASK kMask* (0); IS_CAUSAL (false); BATCH_RANK 1..3 (1).
//@iterations 3 * CHUNK + 2
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint CHUNK = 4u;
layout(constant_id = 3) const uint MASK = 0u;
layout(constant_id = 4) const bool IS_CAUSAL = false;
layout(constant_id = 5) const uint BATCH_RANK = 1u;

#include "reads.glsl"

READ_WORDS(0, Scores, score_words);
READ_WORDS(1, DWeights, d_weight_words);
READ_WORDS(2, LogSumExp, log_sum_exp);
READ_WORDS(4, Dot, dots);
layout(set = 0, binding = 5, std430) writeonly buffer Weights {
    uint weight_words[];
};
layout(set = 0, binding = 6, std430) writeonly buffer DScores {
    uint d_score_words[];
};

layout(push_constant, std430) uniform Push {
    uint query_count;
    uint key_count;
    uint element_count;
    float scale;
    float factor;
    uint log_sum_exp_offset;
    uint dot_offset;
    uint mask_offset;
    uint mask_row_stride;
    uint mask_col_stride;
    uint mask_batch_strides[3];
    uint batch_sizes[2];
} push;

#include "attention_mask.glsl"
#include "grid.glsl"

// What the elements of one query share.
struct Row {
    uint query;
    uint mask;
    float log_sum_exp;
    float dot;
};

Row enter_row(uint row) {
    uint batch = row / push.query_count;
    Row entered;
    entered.query = row - batch * push.query_count;
    entered.mask = push.mask_offset;
    entered.log_sum_exp = read_float(log_sum_exp, push.log_sum_exp_offset + row);
    entered.dot = read_float(dots, push.dot_offset + row);
    if (BATCH_RANK > 2u) {
        entered.mask += batch % push.batch_sizes[1] * push.mask_batch_strides[2];
        batch /= push.batch_sizes[1];
    }
    if (BATCH_RANK > 1u) {
        entered.mask += batch % push.batch_sizes[0] * push.mask_batch_strides[1];
        batch /= push.batch_sizes[0];
    }
    entered.mask += batch * push.mask_batch_strides[0];
    return entered;
}

void main() {
    uint element = linear_invocation() * CHUNK;
    if (element >= push.element_count) {
        return;
    }
    uint end = min(element + CHUNK, push.element_count);
    uint row_index = element / push.key_count;
    uint key = element - row_index * push.key_count;
    Row row = enter_row(row_index);
    while (element < end) {
        uint word = word_index(element, DTYPE);
        uint word_end = min(element + elements_per_word(DTYPE), end);
        uint score_word = read_word(score_words, word);
        uint d_weight_word = read_word(d_weight_words, word);
        uint weight_bits = 0u;
        uint d_score_bits = 0u;
        for (; element < word_end; ++element) {
            if (key == push.key_count) {
                key = 0u;
                row = enter_row(++row_index);
            }
            float x = decode_float(score_word, element, DTYPE) * push.scale +
                      bias_of(row.mask, row.query, key++);
            float weight = weight_of(x, row.log_sum_exp);
            float d_weight = decode_float(d_weight_word, element, DTYPE);
            float d_score = push.factor * weight * (d_weight - row.dot);
            weight_bits |= place_bits(encode_float(weight, DTYPE), element, DTYPE);
            d_score_bits |= place_bits(encode_float(d_score, DTYPE), element, DTYPE);
        }
        weight_words[word] = weight_bits;
        d_score_words[word] = d_score_bits;
    }
}
