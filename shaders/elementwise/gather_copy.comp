// SPDX-License-Identifier: Apache-2.0
// output[index] = x[index] over up to eight dimensions, with conversion: the copy that serves
// geometries too ragged for layout.glsl's four. One invocation an element.
//
// Bindings: 0 x, 1 output, any strides.
// Push constants (elements; dimensions innermost first): sizes, x_strides, output_strides,
//   x_offset and output_offset in the bindings, count of elements, dim_count 1 to 8.
// Specialization constants: 0 LOCAL_SIZE, 1 X_DTYPE and 2 OUT_DTYPE, 0 to 6, default 0.
//@iterations 9
#version 450
#extension GL_GOOGLE_include_directive : require
#include "convert.glsl"
#include "grid.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint X_DTYPE = 0u;
layout(constant_id = 2) const uint OUT_DTYPE = 0u;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(std430, set = 0, binding = 1) buffer Output {
    uint output_words[];
};

layout(push_constant) uniform Push {
    uint sizes[8];
    uint x_strides[8];
    uint output_strides[8];
    uint x_offset;
    uint output_offset;
    uint count;
    uint dim_count;
};

void main() {
    uint rest = linear_invocation();
    if (rest >= count) {
        return;
    }
    uint x_at = x_offset;
    uint at = output_offset;
    for (uint dim = 0u; dim < dim_count; ++dim) {
        uint i = rest % sizes[dim];
        rest /= sizes[dim];
        x_at += i * x_strides[dim];
        at += i * output_strides[dim];
    }
    uint word = read_word(x_words, word_index(x_at, X_DTYPE));
    uint bits = convert_bits(word, x_at, X_DTYPE, OUT_DTYPE);
    store_masked(output_words, at, bits, OUT_DTYPE);
}
