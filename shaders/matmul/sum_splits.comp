// SPDX-License-Identifier: Apache-2.0
// Second stage of a matrix product whose depth was split: adds the splits' accumulators in order,
// adds the bias, and rounds. One invocation writes one word.
//
// Bindings: 0 partial [split_count, element_count] float32 or int32; 1 C [element_count] OUT_DTYPE,
//           contiguous, from a whole word on; 2 bias [cols], or any readable buffer without
//           HAS_BIAS.
// Push: element_count, cols    elements of C and of one of its rows
//       split_count
//       c_word                 words before C in its binding
//       bias_offset, bias_stride   elements
// Spec: LOCAL_SIZE 1..1024 (64); OUT_DTYPE DType (0), also the bias's; HAS_BIAS (false).
//@variant ACCUMULATOR = f32 i32
//@hook result 1
//@iterations 1 + elements_per_word(OUT_DTYPE) * (1 + split_count)
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint OUT_DTYPE = 0u;
layout(constant_id = 2) const bool HAS_BIAS = false;

#include "reads.glsl"

READ_WORDS(0, Partial, partial_words);
layout(set = 0, binding = 1, std430) writeonly buffer C {
    uint c_words[];
};
READ_WORDS(2, Bias, bias_words);

layout(push_constant, std430) uniform Push {
    uint element_count;
    uint cols;
    uint split_count;
    uint c_word;
    uint bias_offset;
    uint bias_stride;
} push;

#define UNKNOWN_ZERO (push.element_count >> 31u)  // see hooks.glsl

#include "dtype.glsl"
#include "grid.glsl"
#include "hooks.glsl"

#ifdef ACCUMULATOR_F32
#define Acc float
#define decode_acc decode_float
#define encode_acc encode_float
#define acc_from_bits uintBitsToFloat
#else
#define Acc int
#define decode_acc decode_int
#define encode_acc encode_int
#define acc_from_bits int
#endif

Acc total(uint element) {
    Acc sum = acc_from_bits(read_word(partial_words, element));
    for (uint s = 1u; s < push.split_count; ++s) {
        sum += acc_from_bits(read_word(partial_words, s * push.element_count + element));
    }
    if (HAS_BIAS) {
        uint at = push.bias_offset + element % push.cols * push.bias_stride;
        sum += decode_acc(read_word(bias_words, word_index(at, OUT_DTYPE)), at, OUT_DTYPE);
    }
    return sum;
}

void main() {
    uint word = linear_invocation();
    uint first = word << word_shift(OUT_DTYPE);
    if (first >= push.element_count) {
        return;
    }
    uint last = min(first + elements_per_word(OUT_DTYPE), push.element_count);
    uint bits = 0u;
    for (uint element = first; element < last; ++element) {
        uint result = hooked_result(encode_acc(total(element), OUT_DTYPE), element);
        bits |= place_bits(result, element, OUT_DTYPE);
    }
    c_words[push.c_word + word] = bits;
}
