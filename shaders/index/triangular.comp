// SPDX-License-Identifier: Apache-2.0
// tril and triu: elements of the last two dimensions' lower or upper triangle, zeros elsewhere.
// Elements are moved as bits.
//
// Bindings: 0 x, strided; 1 output [..., rows, columns], contiguous.
// Push constants (elements unless said otherwise):
//   sizes, strides  of x, outermost first
//   rank            dimensions in use, 1 to 8
//   element_count   of the output
//   x_offset        of the first element in its binding
//   rows, columns   of a matrix
//   diagonal        the last one kept (lower) or the first (upper); column - row, signed
// Specialization constants:
//   0 LOCAL_SIZE  invocations a workgroup
//   1 DTYPE       any dtype with the elements' width, 0 to 6, default 0
//   2 IS_UPPER    triu rather than tril, default false
//@iterations 5 + 4 * 9
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "dtype.glsl"
#include "grid.glsl"

layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const bool IS_UPPER = false;

#include "reads.glsl"

READ_WORDS(0, Source, source);

layout(std430, set = 0, binding = 1) writeonly buffer Result {
    uint result[];
};

layout(push_constant) uniform Push {
    uint sizes[8];
    uint strides[8];
    uint rank;
    uint element_count;
    uint x_offset;
    uint rows;
    uint columns;
    int diagonal;
};

uint kept_bits(uint element) {
    int column = int(element % columns);
    int row = int((element / columns) % rows);
    int distance = column - row;
    if (IS_UPPER ? distance < diagonal : distance > diagonal) {
        return 0u;
    }
    uint at = x_offset;
    uint left = element;
    for (uint d = rank; d-- > 0u;) {
        uint outer = left / sizes[d];
        at += (left - outer * sizes[d]) * strides[d];
        left = outer;
    }
    return extract_bits(read_word(source, word_index(at, DTYPE)), at, DTYPE);
}

void main() {
    uint word = linear_invocation();
    uint first = word << word_shift(DTYPE);
    if (first >= element_count) {
        return;
    }
    uint packed = 0u;
    uint end = min(first + elements_per_word(DTYPE), element_count);
    for (uint element = first; element < end; ++element) {
        packed |= place_bits(kept_bits(element), element, DTYPE);
    }
    result[word] = packed;
}
