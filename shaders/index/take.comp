// SPDX-License-Identifier: Apache-2.0
// Reads x at places of which one dimension comes from an index tensor: gather, index_select and
// embedding. Elements are moved as bits; an index outside its dimension gives MISSING_BITS, and is
// reported. A dimension too long to be bound is read window by window, each by a run that leaves
// what the others wrote.
//
// Bindings: 0 x, strided; 1 index, int32, strided; 2 output, contiguous; 3 reports.
// Push constants (elements unless said otherwise):
//   sizes         of the output, outermost first
//   x_strides     of x for each output dimension, 0 for the indexed one and for those of the index
//   index_strides of the index for each output dimension, 0 where it has none
//   rank_and_user dimensions in use, 1 to 8; from bit 4 on log2 of an invocation's words; from bit
//                 8 on whom to report an index past the last bound one for (report.glsl): the run
//                 with the last ones reports for all
//   element_count of the output
//   x_offset, index_offset   of the first element in their bindings
//   dim_stride    of x's indexed dimension
//   dim_first, dim_extent    the indices whose elements are bound; x_offset is element 0's all the
//                 same (unsigned numbers wrap)
//   ignored       an index value that is passed over; negative for none
// Specialization constants:
//   0 LOCAL_SIZE  invocations a workgroup
//   1 DTYPE       any dtype with x's element width, 0 to 6, default 0
//   2 MISSING_BITS  of an element whose index is outside or ignored, default 0
//   3 KEEPS_MISSING  leaves such an element as it is instead, default false
//@iterations 1 + 16 * (6 + 4 * 9)
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#define REPORT_BINDING 3
#include "dtype.glsl"
#include "grid.glsl"
#include "report.glsl"

layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint MISSING_BITS = 0u;
layout(constant_id = 3) const bool KEEPS_MISSING = false;

#include "reads.glsl"

READ_WORDS(0, Source, source);

READ_WORDS(1, Index, indices);

layout(std430, set = 0, binding = 2) buffer Result {
    uint result[];
};

layout(push_constant) uniform Push {
    uint sizes[8];
    uint x_strides[8];
    uint index_strides[8];
    uint rank_and_user;
    uint element_count;
    uint x_offset;
    uint index_offset;
    uint dim_stride;
    uint dim_first;
    uint dim_extent;
    int ignored;
};

// An index past the last one, told at the end: software drivers walk through every branch.
bool is_outside = false;
int outside = 0;

uint taken_bits(uint element) {
    uint x_at = x_offset;
    uint index_at = index_offset;
    uint left = element;
    for (uint d = rank_and_user & 0xfu; d-- > 0u;) {
        uint outer = left / sizes[d];
        uint coordinate = left - outer * sizes[d];
        x_at += coordinate * x_strides[d];
        index_at += coordinate * index_strides[d];
        left = outer;
    }
    int index = read_int(indices, index_at);
    // Indices before the first wrap past every extent.
    if (uint(index) - dim_first >= dim_extent || index == ignored) {
        if (uint(index) >= dim_first + dim_extent) {
            is_outside = true;
            outside = index;
        }
        return KEEPS_MISSING ? extract_bits(result[word_index(element, DTYPE)], element, DTYPE)
                             : MISSING_BITS;
    }
    x_at += uint(index) * dim_stride;
    return extract_bits(read_word(source, word_index(x_at, DTYPE)), x_at, DTYPE);
}

void take_word(uint word) {
    uint first = word << word_shift(DTYPE);
    if (first >= element_count) {
        return;
    }
    uint packed = 0u;
    uint end = min(first + elements_per_word(DTYPE), element_count);
    for (uint element = first; element < end; ++element) {
        packed |= place_bits(taken_bits(element), element, DTYPE);
    }
    result[word] = packed;
}

void main() {
    uint words = 1u << ((rank_and_user >> 4) & 0xfu);
    uint word = linear_group() * gl_WorkGroupSize.x * words + gl_LocalInvocationID.x;
    for (uint i = 0u; i < words; ++i) {
        take_word(word);
        word += gl_WorkGroupSize.x;
    }
    if (is_outside) {
        report_index(rank_and_user >> 8, outside, dim_first + dim_extent);
    }
}
