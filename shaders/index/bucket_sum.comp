// SPDX-License-Identifier: Apache-2.0
// Last pass of a deterministic scatter: output element (o, v, i) of [outer, extent, inner] is base
// there plus the source elements (o, k, i) of [outer, K, inner] over its bucket's list of k, in
// rising order. Sums in float32 (floating dtypes) or int32, rounded at the store. Where the source
// is too large to be bound, or a list may be too long to be walked by one invocation, each of
// several runs takes the entries of a window, with lists of its own, and the sums so far are the
// base of the next. With TAKES_LAST the last k takes the place of the sum and of the base.
//
// Bindings: 0 source, 1 base, 2 ends [buckets, 2], 3 next, 4 output; all contiguous. The base is
// not read without HAS_BASE.
// Push constants: first_element of the output in this run, and element_count from there; entries
//   (K), inner, extent in elements; first_entry and end_entry, the k that this run adds;
//   source_offset of entry 0 in its binding (it may lie before: unsigned numbers wrap), base_offset
//   of the first element in its binding.
// Specialization constants:
//   0 LOCAL_SIZE   invocations a workgroup
//   1 DTYPE        of the source, 0 to 6, default 0
//   2 HAS_BASE     whether there is a base, default true
//   3 IS_ROW_WISE  whether one index moves a whole row (buckets are v), default false (buckets are
//                  output elements)
//   4 TAKES_LAST   copies the last entry, and reads no lists, default false
//   5 BASE_DTYPE, 6 OUT_DTYPE  of base and output: DTYPE, or float32 between runs, default 0
//@iterations 1 + elements_per_word(OUT_DTYPE) * (2 + (TAKES_LAST ? 1 : end_entry - first_entry))
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "dtype.glsl"
#include "grid.glsl"

layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const bool HAS_BASE = true;
layout(constant_id = 3) const bool IS_ROW_WISE = false;
layout(constant_id = 4) const bool TAKES_LAST = false;
layout(constant_id = 5) const uint BASE_DTYPE = 0u;
layout(constant_id = 6) const uint OUT_DTYPE = 0u;

#include "reads.glsl"

READ_WORDS(0, Source, source);

READ_WORDS(1, Base, base);

READ_WORDS(2, Ends, ends);

READ_WORDS(3, Next, next);

layout(std430, set = 0, binding = 4) writeonly buffer Result {
    uint result[];
};

layout(push_constant) uniform Push {
    uint element_count;
    uint entries;
    uint inner;
    uint extent;
    uint source_offset;
    uint base_offset;
    uint first_element;
    uint first_entry;
    uint end_entry;
};

uint summed_bits(uint element) {
    precise float real_sum = 0.0;
    int integer_sum = 0;
    if (HAS_BASE) {
        uint at = base_offset + element;
        uint word = read_word(base, word_index(at, BASE_DTYPE));
        if (is_float_dtype(DTYPE)) {
            real_sum = decode_float(word, at, BASE_DTYPE);
        } else {
            integer_sum = decode_int(word, at, BASE_DTYPE);
        }
    }
    uint target = first_element + element;
    uint i = target % inner;
    uint v = (target / inner) % extent;
    uint o = target / inner / extent;
    uint bucket = IS_ROW_WISE ? v - first_element / inner : element;
    uint k = read_word(ends, 2u * bucket);
    uint last = ~read_word(ends, 2u * bucket + 1u);
    if (TAKES_LAST && k != 0xffffffffu) {
        k = last;
    }
    for (bool is_done = k == 0xffffffffu; !is_done;) {
        if (k >= first_entry && k < end_entry) {
            uint at = source_offset + (o * entries + k) * inner + i;
            uint word = read_word(source, word_index(at, DTYPE));
            if (is_float_dtype(DTYPE)) {
                float value = decode_float(word, at, DTYPE);
                real_sum = TAKES_LAST ? value : real_sum + value;
            } else {
                int value = decode_int(word, at, DTYPE);
                integer_sum = TAKES_LAST ? value : integer_sum + value;
            }
        }
        is_done = k >= last;
        if (!is_done) {
            k = read_word(next, IS_ROW_WISE ? k : (o * entries + k) * inner + i);
        }
    }
    return is_float_dtype(DTYPE) ? encode_float(real_sum, OUT_DTYPE)
                                 : encode_int(integer_sum, OUT_DTYPE);
}

void main() {
    uint word = linear_invocation();
    uint first = word << word_shift(OUT_DTYPE);
    if (first >= element_count) {
        return;
    }
    uint packed = 0u;
    uint end = min(first + elements_per_word(OUT_DTYPE), element_count);
    for (uint element = first; element < end; ++element) {
        packed |= place_bits(summed_bits(element), element, OUT_DTYPE);
    }
    result[word] = packed;
}
