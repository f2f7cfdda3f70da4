// SPDX-License-Identifier: Apache-2.0
// The frame of kernels that compute each output element from the elements at the same index of some
// operands. The including kernel declares `buffer Output { uint output_words[]; }` and these macros
// (elements; dimensions innermost first; what they are is told in layout.glsl):
//   MAP_COUNT, MAP_OUTPUT_OFFSET, and of dimensions 0 to 2 MAP_SIZE_0, MAP_MAGIC_0, MAP_SHIFT_0 ...
// and defines result_bits() and output_at().
//
// Specialization constants:
//   0 LOCAL_SIZE  invocations a workgroup
//   1 OUT_DTYPE   0 to 6 (pumice::DType), default 0
//   2 LAYOUT      kLayout*, default contiguous
//   3 DIM_COUNT   dimensions of a strided layout, 1 to 4, default 1
//   4 WORDS       output words (elements if scattered) an invocation, 1 to 16, default 1
//@iterations 1 + 16 * (2 + 4)
#ifndef PUMICE_MAP_FRAME_GLSL
#define PUMICE_MAP_FRAME_GLSL

#extension GL_EXT_control_flow_attributes : require

#include "divide.glsl"
#include "dtype.glsl"
#include "grid.glsl"

//@enum Layout
const uint kLayoutContiguous = 0u;  // every operand
const uint kLayoutStrided = 1u;     // the output is contiguous
const uint kLayoutScattered = 2u;   // the output has strides as well

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint OUT_DTYPE = 0u;
layout(constant_id = 2) const uint LAYOUT = 0u;
layout(constant_id = 3) const uint DIM_COUNT = 1u;
layout(constant_id = 4) const uint WORDS = 1u;

// The output element's bits, right-aligned, at the given index.
uint result_bits(uvec4 index);

// Where the output's element lies in its binding; of a scattered layout.
uint output_at(uvec4 index);

// Index over the dimensions, innermost first, of a linear one.
uvec4 index_of(uint element) {
    uvec4 index = uvec4(element, 0u, 0u, 0u);
    if (LAYOUT == kLayoutContiguous) {
        return index;
    }
    if (DIM_COUNT > 1u) {
        index.y = divide(index.x, MAP_MAGIC_0, MAP_SHIFT_0);
        index.x -= index.y * MAP_SIZE_0;
    }
    if (DIM_COUNT > 2u) {
        index.z = divide(index.y, MAP_MAGIC_1, MAP_SHIFT_1);
        index.y -= index.z * MAP_SIZE_1;
    }
    if (DIM_COUNT > 3u) {
        index.w = divide(index.z, MAP_MAGIC_2, MAP_SHIFT_2);
        index.z -= index.w * MAP_SIZE_2;
    }
    return index;
}

// A scattered element stands alone in its word; a contiguous output is written word by word, of
// which the first and last may be shared with neighbours outside.
void write_unit(uint unit) {
    bool is_scattered = LAYOUT == kLayoutScattered;
    uint word = (MAP_OUTPUT_OFFSET >> word_shift(OUT_DTYPE)) + unit;
    uint lanes = is_scattered ? 1u : elements_per_word(OUT_DTYPE);
    uint packed = 0u;
    uint mask = 0u;
    for (uint lane = 0u; lane < lanes; ++lane) {
        // Wraps before the first element of the output.
        uint element =
            is_scattered ? unit : (word << word_shift(OUT_DTYPE)) + lane - MAP_OUTPUT_OFFSET;
        if (element < MAP_COUNT) {
            uvec4 index = index_of(element);
            uint at = lane;
            if (is_scattered) {
                at = output_at(index);
                word = word_index(at, OUT_DTYPE);
            }
            packed |= place_bits(result_bits(index), at, OUT_DTYPE);
            mask |= place_bits(element_mask(OUT_DTYPE), at, OUT_DTYPE);
        }
    }
    if (mask == 0xffffffffu) {
        output_words[word] = packed;
    } else if (mask != 0u) {
        atomicAnd(output_words[word], ~mask);
        atomicOr(output_words[word], packed);
    }
}

void main() {
    uint first = linear_group() * gl_WorkGroupSize.x * WORDS + gl_LocalInvocationID.x;
    // Unrolled, the loop made pipelines slow to create and no faster to run.
    [[dont_unroll]] for (uint i = 0u; i < WORDS; ++i) {
        write_unit(first + i * gl_WorkGroupSize.x);
    }
}

#endif
