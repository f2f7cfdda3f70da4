// SPDX-License-Identifier: Apache-2.0
// Joins up to seven tensors along one dimension. The output is rows of row_elements; input j fills
// the part of each row before end[j] (and after end[j - 1]) from a row of its own. Elements are
// moved as bits.
//
// Bindings: 0 to 6 the inputs, contiguous within a row; 7 output, contiguous. Inputs past
// INPUT_COUNT may be any buffer.
// Push constants (elements):
//   end           of each input's part within an output row
//   row_stride    between rows of an input
//   offset        of an input's first element in its binding
//   row_elements  of an output row
//   element_count of the output
// Specialization constants:
//   0 LOCAL_SIZE   invocations a workgroup
//   1 DTYPE        any dtype with the elements' width, 0 to 6, default 0
//   2 INPUT_COUNT  1 to 7, default 7
//@iterations 5 + 4 * 7
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "dtype.glsl"
#include "grid.glsl"

layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint INPUT_COUNT = 7u;

#include "reads.glsl"

READ_WORDS(0, Input0, input0);

READ_WORDS(1, Input1, input1);

READ_WORDS(2, Input2, input2);

READ_WORDS(3, Input3, input3);

READ_WORDS(4, Input4, input4);

READ_WORDS(5, Input5, input5);

READ_WORDS(6, Input6, input6);

layout(std430, set = 0, binding = 7) writeonly buffer Result {
    uint result[];
};

layout(push_constant) uniform Push {
    uint end[7];
    uint row_stride[7];
    uint offset[7];
    uint row_elements;
    uint element_count;
};

uint input_word(uint j, uint at) {
    switch (j) {
        case 0u: return read_word(input0, at);
        case 1u: return read_word(input1, at);
        case 2u: return read_word(input2, at);
        case 3u: return read_word(input3, at);
        case 4u: return read_word(input4, at);
        case 5u: return read_word(input5, at);
        default: return read_word(input6, at);
    }
}

uint joined_bits(uint element) {
    uint row = element / row_elements;
    uint within = element - row * row_elements;
    uint j = 0u;
    uint start = 0u;
    while (j + 1u < INPUT_COUNT && within >= end[j]) {
        start = end[j];
        ++j;
    }
    uint at = offset[j] + row * row_stride[j] + within - start;
    return extract_bits(input_word(j, word_index(at, DTYPE)), at, DTYPE);
}

void main() {
    uint word = linear_invocation();
    uint first = word << word_shift(DTYPE);
    if (first >= element_count) {
        return;
    }
    uint packed = 0u;
    uint stop = min(first + elements_per_word(DTYPE), element_count);
    for (uint element = first; element < stop; ++element) {
        packed |= place_bits(joined_bits(element), element, DTYPE);
    }
    result[word] = packed;
}
