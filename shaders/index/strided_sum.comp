// SPDX-License-Identifier: Apache-2.0
// The transpose of a strided view: output position p receives every element of `parts` whose index
// i has sum(i * strides) == p - offset, and `fill_bits` if there is none. Each invocation writes
// one 32-bit word and finds its elements itself, in a fixed order, so that no atomics are needed.
//
// Bindings: 0 parts, read through part_strides; 1 output, contiguous.
// Push constants (elements unless said otherwise):
//   sizes, strides, part_strides  of the parts' dimensions, by falling stride in the output
//   rank          dimensions in use, 1 to 8
//   offset        output position of the first part
//   element_count of the output
//   part_offset   of the first part in its binding
//   fill_bits     bits of an output element that nothing reaches
//   candidates    beginnings of index tuples, the whole ones included, that the search for one
//                 position tries at most (OVERLAPS)
// Specialization constants:
//   0 LOCAL_SIZE  invocations a workgroup
//   1 DTYPE       of both, 0 to 6 (pumice::DType), default 0
//   2 OVERLAPS    whether several parts may share a position, default false; without it the bits
//                 are moved untouched
//@iterations 1 + elements_per_word(DTYPE) * (2 + rank + (OVERLAPS ? 2 + 2 * candidates : 0))
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "dtype.glsl"
#include "grid.glsl"

layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const bool OVERLAPS = false;

#include "reads.glsl"

READ_WORDS(0, Parts, parts);

layout(std430, set = 0, binding = 1) writeonly buffer Result {
    uint result[];
};

layout(push_constant) uniform Push {
    uint sizes[8];
    uint strides[8];
    uint part_strides[8];
    uint rank;
    uint offset;
    uint element_count;
    uint part_offset;
    uint fill_bits;
    uint candidates;
};

uint part_bits(uint at) {
    uint element = part_offset + at;
    return extract_bits(read_word(parts, word_index(element, DTYPE)), element, DTYPE);
}

// Strides grow past what lies below them: one candidate a dimension.
uint only_bits(uint position) {
    uint at = 0u;
    for (uint d = 0u; d < rank; ++d) {
        uint index = position / strides[d];
        if (index >= sizes[d]) {
            return fill_bits;
        }
        position -= index * strides[d];
        at += index * part_strides[d];
    }
    return position == 0u ? part_bits(at) : fill_bits;
}

// First and last index of dimension d that the dimensions below can still complete.
uint first_index(uint position, uint below, uint d) {
    return strides[d] == 0u || position <= below
               ? 0u
               : (position - below + strides[d] - 1u) / strides[d];
}

uint last_index(uint position, uint d) {
    return strides[d] == 0u ? sizes[d] - 1u : min(position / strides[d], sizes[d] - 1u);
}

// Depth-first over all index tuples that sum to the position.
uint summed_bits(uint position) {
    // One longer than the push block's arrays, whose stride glslang would give to uint[8].
    uint below[9];
    uint reach = 0u;
    for (int d = int(rank) - 1; d >= 0; --d) {
        below[d] = reach;
        reach += (sizes[d] - 1u) * strides[d];
    }
    uint rest[9];
    uint index[9];
    uint at[9];
    precise float real_sum = 0.0;
    int integer_sum = 0;
    int last = int(rank) - 1;
    int d = 0;
    rest[0] = position;
    at[0] = 0u;
    index[0] = first_index(position, below[0], 0u);
    while (d >= 0) {
        if (index[d] > last_index(rest[d], uint(d))) {
            --d;
            if (d >= 0) {
                ++index[d];
            }
            continue;
        }
        uint left = rest[d] - index[d] * strides[d];
        uint next_at = at[d] + index[d] * part_strides[d];
        if (d < last) {
            ++d;
            rest[d] = left;
            at[d] = next_at;
            index[d] = first_index(left, below[d], uint(d));
            continue;
        }
        if (left == 0u) {
            uint element = part_offset + next_at;
            uint word = read_word(parts, word_index(element, DTYPE));
            if (is_float_dtype(DTYPE)) {
                real_sum += decode_float(word, element, DTYPE);
            } else {
                integer_sum += decode_int(word, element, DTYPE);
            }
        }
        ++index[d];
    }
    return is_float_dtype(DTYPE) ? encode_float(real_sum, DTYPE) : encode_int(integer_sum, DTYPE);
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
        uint position = element - offset;
        uint bits = element < offset ? fill_bits
                    : OVERLAPS       ? summed_bits(position)
                                     : only_bits(position);
        packed |= place_bits(bits, element, DTYPE);
    }
    result[word] = packed;
}
