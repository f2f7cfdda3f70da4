// SPDX-License-Identifier: Apache-2.0
// The mean of each window of an image, or the gradient of the means' image: each element adds up,
// in row-major order, its shares of the windows that it is in. One invocation makes the elements of
// one word.
//
// Bindings: 0 x [planes, in_rows, in_cols], or the gradient [planes, out_rows, out_cols];
//           1 y [planes, out_rows, out_cols], or x's gradient; both contiguous, of DTYPE;
//           2 (RUNS many) sums like y, float32: what one invocation could not walk is walked in
//           several runs, in the same order, which hand on their sums
// Push: count                elements of y, or of x's gradient
//       x_offset             elements before the first of binding 0
//       in_rows .. pad_cols  extents; the rest in elements of x, not read if IS_ADAPTIVE
//       part_first, part_end rows and columns, counted from the first of each element's, that this
//                            run looks at (RUNS many)
//       divisor              what sums are divided by, 0 for the elements that count
// Spec: LOCAL_SIZE 1..1024 (64); DTYPE a floating DType (0); IS_GRADIENT (false); IS_ADAPTIVE: of
//       an extent n in m windows, window i is [floor(i n / m), ceil((i + 1) n / m)) (false);
//       COUNTS_PADDING: so do the elements of a window that are padding (true); RUNS many:
//       IS_FIRST_RUN, IS_LAST_RUN (false).
//@variant RUNS = one many
//@iterations 1 + elements_per_word(DTYPE) * (2 +
//@    min(part_end.x - part_first.x, average_span(IS_GRADIENT, IS_ADAPTIVE, in_rows, out_rows,
//@                                                kernel_rows, stride_rows)) *
//@    (2 + min(part_end.y - part_first.y, average_span(IS_GRADIENT, IS_ADAPTIVE, in_cols, out_cols,
//@                                                     kernel_cols, stride_cols))))
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const bool IS_GRADIENT = false;
layout(constant_id = 3) const bool IS_ADAPTIVE = false;
layout(constant_id = 4) const bool COUNTS_PADDING = true;
#ifdef RUNS_MANY
layout(constant_id = 5) const bool IS_FIRST_RUN = false;
layout(constant_id = 6) const bool IS_LAST_RUN = false;
#endif

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(set = 0, binding = 1, std430) writeonly buffer Y {
    uint y_words[];
};

#ifdef RUNS_MANY
layout(set = 0, binding = 2, std430) buffer Sums {
    float sums[];
};
#endif

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
    int divisor;
    uvec2 part_first;
    uvec2 part_end;
} push;

#include "pool.glsl"

// Rows and columns of a rectangle: [begin, end).
struct Span {
    uvec2 begin;
    uvec2 end;
};

uvec2 in_extents() {
    return uvec2(push.in_rows, push.in_cols);
}

uvec2 out_extents() {
    return uvec2(push.out_rows, push.out_cols);
}

uvec2 kernel() {
    return uvec2(push.kernel_rows, push.kernel_cols);
}

uvec2 stride() {
    return uvec2(push.stride_rows, push.stride_cols);
}

uvec2 pad() {
    return uvec2(push.pad_rows, push.pad_cols);
}

// The elements of a window.
Span elements_of(uvec2 window) {
    if (IS_ADAPTIVE) {
        uvec2 last = (window + 1u) * in_extents() + out_extents() - 1u;
        return Span(window * in_extents() / out_extents(), last / out_extents());
    }
    uvec2 begin = window * stride();
    return Span(max(begin, pad()) - pad(), min(begin + kernel(), in_extents() + pad()) - pad());
}

// The windows that an element is in.
Span windows_of(uvec2 element) {
    if (IS_ADAPTIVE) {
        uvec2 last = (element + 1u) * out_extents() + in_extents() - 1u;
        return Span(element * out_extents() / in_extents(), last / in_extents());
    }
    uvec2 padded = element + pad();
    uvec2 past = max(padded, kernel()) - kernel();
    uvec2 begin = mix(past / stride() + 1u, uvec2(0u), lessThan(padded, kernel()));
    return Span(begin, min(padded / stride() + 1u, out_extents()));
}

float divisor_of(uvec2 window) {
    if (push.divisor != 0) {
        return float(push.divisor);
    }
    Span span = elements_of(window);
    uvec2 counts = span.end - span.begin;
    if (!IS_ADAPTIVE && COUNTS_PADDING) {
        uvec2 begin = window * stride();
        counts = min(begin + kernel(), in_extents() + 2u * pad()) - begin;
    }
    return float(counts.x) * float(counts.y);
}

float load_x(uint element) {
    uint at = push.x_offset + element;
    return decode_float(read_word(x_words, word_index(at, DTYPE)), at, DTYPE);
}

float make_element(uint at) {
    uvec2 made = IS_GRADIENT ? in_extents() : out_extents();
    uvec2 read = IS_GRADIENT ? out_extents() : in_extents();
    uint line = at / made.y;
    uint plane = line / made.x;
    uvec2 own = uvec2(line - plane * made.x, at - line * made.y);
    Span span = IS_GRADIENT ? windows_of(own) : elements_of(own);
    float total = 0.0;
#ifdef RUNS_MANY
    total = IS_FIRST_RUN ? 0.0 : sums[at];
    span.end = min(span.end, span.begin + push.part_end);
    span.begin += push.part_first;
#endif
    for (uint r = span.begin.x; r < span.end.x; ++r) {
        for (uint c = span.begin.y; c < span.end.y; ++c) {
            float value = load_x((plane * read.x + r) * read.y + c);
            total += IS_GRADIENT ? value / divisor_of(uvec2(r, c)) : value;
        }
    }
#ifdef RUNS_MANY
    sums[at] = total;
#endif
    return IS_GRADIENT ? total : total / divisor_of(own);
}

void main() {
    uint run = elements_per_word(DTYPE);
    uint begin = linear_invocation() * run;
    if (begin >= push.count) {
        return;
    }
    uint word = 0u;
    for (uint i = begin; i < min(begin + run, push.count); ++i) {
        word |= place_bits(encode_float(make_element(i), DTYPE), i, DTYPE);
    }
#ifdef RUNS_MANY
    if (!IS_LAST_RUN) {
        return;
    }
#endif
    y_words[word_index(begin, DTYPE)] = word;
}
