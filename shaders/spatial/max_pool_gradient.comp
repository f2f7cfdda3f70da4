// SPDX-License-Identifier: Apache-2.0
// Gradient of the maxima's image: each element adds up, in row-major order, the gradients of the
// windows that it won. One invocation makes the elements of one word.
//
// Bindings: 0 gradient [planes, out_rows, out_cols]; 1 place, as the gradient, int32 (row * in_cols
//           + col in its plane); 2 result [planes, in_rows, in_cols]; all contiguous; 3 (RUNS many)
//           sums like the result, float32, handed on as by average_pool.comp
// Push: count                       elements of the result
//       gradient_offset, place_offset  elements before the first
//       in_rows .. dilation_cols    extents; the rest in elements of the image
//       part_first, part_end        as in average_pool.comp
// Spec: LOCAL_SIZE 1..1024 (64); DTYPE of gradient and result, floating (float32); RUNS many:
//       IS_FIRST_RUN, IS_LAST_RUN (false).
//@variant RUNS = one many
//@iterations 1 + elements_per_word(DTYPE) * (2 +
//@    min(part_end.x - part_first.x, won_span(out_rows, kernel_rows, stride_rows, dilation_rows)) *
//@    (2 + min(part_end.y - part_first.y,
//@             won_span(out_cols, kernel_cols, stride_cols, dilation_cols))))
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint DTYPE = 0u;
#ifdef RUNS_MANY
layout(constant_id = 2) const bool IS_FIRST_RUN = false;
layout(constant_id = 3) const bool IS_LAST_RUN = false;
#endif

#include "reads.glsl"

READ_WORDS(0, Gradient, gradient_words);
READ_WORDS(1, Place, place);
layout(set = 0, binding = 2, std430) writeonly buffer Result {
    uint result_words[];
};

#ifdef RUNS_MANY
layout(set = 0, binding = 3, std430) buffer Sums {
    float sums[];
};
#endif

layout(push_constant, std430) uniform Push {
    uint count;
    uint gradient_offset;
    uint place_offset;
    uint in_rows;
    uint in_cols;
    uint out_rows;
    uint out_cols;
    uint kernel_rows;
    uint kernel_cols;
    uint stride_rows;
    uint stride_cols;
    uint pad_rows;
    uint pad_cols;
    uint dilation_rows;
    uint dilation_cols;
    uvec2 part_first;
    uvec2 part_end;
} push;

#include "pool.glsl"

// The windows [x, y) along one dimension that reach a padded position.
uvec2 windows_over(uint position, uint reach, uint stride, uint out_count) {
    uint begin = position > reach ? (position - reach + stride - 1u) / stride : 0u;
    return uvec2(begin, min(position / stride + 1u, out_count));
}

float add_won(uint at) {
    uint line = at / push.in_cols;
    uint plane = line / push.in_rows;
    uint row = line - plane * push.in_rows;
    uint col = at - line * push.in_cols;
    uint own = row * push.in_cols + col;
    uint base = plane * push.out_rows * push.out_cols;
    uvec2 rows = windows_over(row + push.pad_rows,
                              (push.kernel_rows - 1u) * push.dilation_rows,
                              push.stride_rows,
                              push.out_rows);
    uvec2 cols = windows_over(col + push.pad_cols,
                              (push.kernel_cols - 1u) * push.dilation_cols,
                              push.stride_cols,
                              push.out_cols);
    float total = 0.0;
#ifdef RUNS_MANY
    total = IS_FIRST_RUN ? 0.0 : sums[at];
    rows = uvec2(rows.x + push.part_first.x, min(rows.y, rows.x + push.part_end.x));
    cols = uvec2(cols.x + push.part_first.y, min(cols.y, cols.x + push.part_end.y));
#endif
    for (uint r = rows.x; r < rows.y; ++r) {
        for (uint c = cols.x; c < cols.y; ++c) {
            uint window = base + r * push.out_cols + c;
            if (read_word(place, push.place_offset + window) == own) {
                uint g = push.gradient_offset + window;
                total += decode_float(read_word(gradient_words, word_index(g, DTYPE)), g, DTYPE);
            }
        }
    }
#ifdef RUNS_MANY
    sums[at] = total;
#endif
    return total;
}

void main() {
    uint run = elements_per_word(DTYPE);
    uint begin = linear_invocation() * run;
    if (begin >= push.count) {
        return;
    }
    uint word = 0u;
    for (uint i = begin; i < min(begin + run, push.count); ++i) {
        word |= place_bits(encode_float(add_won(i), DTYPE), i, DTYPE);
    }
#ifdef RUNS_MANY
    if (!IS_LAST_RUN) {
        return;
    }
#endif
    result_words[word_index(begin, DTYPE)] = word;
}
