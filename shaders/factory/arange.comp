// SPDX-License-Identifier: Apache-2.0
// start + i * step, in int32 for integer outputs, in float32 for floating ones.
//
// Bindings: 0 output, contiguous.
// Push constants: element_count of the output; first_element, the number i of the first; start and
//   step twice, as the integer and as the float form.
// Specialization constants:
//   0 LOCAL_SIZE  invocations a workgroup
//   1 DTYPE       of the output, 0 to 6, default 0
//@iterations 5
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "dtype.glsl"
#include "grid.glsl"

layout(constant_id = 1) const uint DTYPE = 0u;

layout(std430, set = 0, binding = 0) writeonly buffer Result {
    uint result[];
};

layout(push_constant) uniform Push {
    uint element_count;
    uint first_element;
    int integer_start;
    int integer_step;
    float real_start;
    float real_step;
};

uint value_bits(uint element) {
    if (is_float_dtype(DTYPE)) {
        precise float offset = float(element) * real_step;
        precise float value = real_start + offset;
        return encode_float(value, DTYPE);
    }
    return encode_int(integer_start + int(element) * integer_step, DTYPE);
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
        packed |= place_bits(value_bits(first_element + element), element, DTYPE);
    }
    result[word] = packed;
}
