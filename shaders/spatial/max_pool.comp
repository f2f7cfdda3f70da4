// SPDX-License-Identifier: Apache-2.0
// The largest element of each window of an image, and its place (row * in_cols + col) in its plane:
// the first of equals, or the last NaN. One invocation makes the results of one word.
//
// Bindings: 0 x [planes, in_rows, in_cols], 1 y [planes, out_rows, out_cols], both contiguous;
//           2 place, as y, int32; y again where KEEPS_PLACES is false
// Push: count               results
//       x_offset            elements before the first of x
//       in_rows .. dilation_cols  extents; the rest in elements of x
//       part_first, part_end  rows and columns of the windows that this run looks at
// Spec: LOCAL_SIZE 1..1024 (64); X_DTYPE a floating DType (float32);
//       KEEPS_PLACES whether places are written (true); CONTINUES: windows that one invocation
//       could not walk are walked in several runs, in row-major order, and this one goes on from
//       y and place (false).
//@iterations 1 + elements_per_word(X_DTYPE) * (2 +
//@    min(part_end.x - part_first.x, max_span(in_rows, kernel_rows, dilation_rows)) *
//@    (2 + min(part_end.y - part_first.y, max_span(in_cols, kernel_cols, dilation_cols))))
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint X_DTYPE = 0u;
layout(constant_id = 2) const bool KEEPS_PLACES = true;
layout(constant_id = 3) const bool CONTINUES = false;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(set = 0, binding = 1, std430) buffer Y {
    uint y_words[];
};
layout(set = 0, binding = 2, std430) buffer Place {
    uint place[];
};

layout(push_constant, std430) uniform Push {
    uint count;
    uint x_offset;
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

struct Winner {
    float value;
    uint place;
};

Winner find_winner(uint at) {
    uint line = at / push.out_cols;
    uint plane = line / push.out_rows;
    // Of the window, in the padded image.
    uvec2 first = uvec2((line - plane * push.out_rows) * push.stride_rows,
                        (at - line * push.out_cols) * push.stride_cols);
    uint base = push.x_offset + plane * push.in_rows * push.in_cols;
    Winner winner = Winner(uintBitsToFloat(0xff800000u), 0xffffffffu);
    if (CONTINUES) {
        winner.value = decode_float(y_words[word_index(at, X_DTYPE)], at, X_DTYPE);
        // Without places none is wanted: equals are as good as the first of them.
        winner.place = KEEPS_PLACES ? place[at] : 0u;
    }
    uvec2 pad = uvec2(push.pad_rows, push.pad_cols);
    uvec2 dilation = uvec2(push.dilation_rows, push.dilation_cols);
    // The first tap inside, then on to the last.
    uvec2 tap = (max(pad, first) - first + dilation - 1u) / dilation;
    tap = max(tap, push.part_first);
    uvec2 end = min(uvec2(push.kernel_rows, push.kernel_cols), push.part_end);
    for (uint r = tap.x; r < end.x; ++r) {
        uint row = first.x + r * dilation.x - pad.x;
        if (row >= push.in_rows) {
            break;
        }
        for (uint c = tap.y; c < end.y; ++c) {
            uint col = first.y + c * dilation.y - pad.y;
            if (col >= push.in_cols) {
                break;
            }
            uint own = row * push.in_cols + col;
            uint word = read_word(x_words, word_index(base + own, X_DTYPE));
            float value = decode_float(word, base + own, X_DTYPE);
            bool is_nan = (floatBitsToUint(value) & 0x7fffffffu) > 0x7f800000u;
            if (value > winner.value || is_nan || winner.place == 0xffffffffu) {
                winner = Winner(value, own);
            }
        }
    }
    return winner;
}

void main() {
    uint run = elements_per_word(X_DTYPE);
    uint begin = linear_invocation() * run;
    if (begin >= push.count) {
        return;
    }
    uint word = 0u;
    for (uint i = begin; i < min(begin + run, push.count); ++i) {
        Winner winner = find_winner(i);
        word |= place_bits(encode_float(winner.value, X_DTYPE), i, X_DTYPE);
        if (KEEPS_PLACES) {
            place[i] = winner.place;
        }
    }
    y_words[word_index(begin, X_DTYPE)] = word;
}
