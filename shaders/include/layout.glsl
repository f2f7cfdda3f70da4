// SPDX-License-Identifier: Apache-2.0
// The frame of kernels that compute each output element from the elements at the same index of up
// to three operands. The including kernel declares the operands' buffers and the output's
// (`buffer Output { uint output_words[]; }`), and defines result_bits(). Host side:
// engine/ops/map_step.h.
//
// Push constants (elements; operand 0 is the output, 1.. the inputs; dimensions innermost first):
//   count     elements of the output
//   offsets   of each operand's first element in its binding
//   sizes     extents of all dimensions but the outermost
//   magics, shifts  divide by those extents: Granlund and Montgomery 1994; five bits a shift
//   strides   of each operand
//   params    the kernel's own, as bits
// Specialization constants:
//   0 LOCAL_SIZE  invocations a workgroup
//   1 OUT_DTYPE   0 to 6 (pumice::DType), default 0
//   2 LAYOUT      kLayout*, default contiguous
//   3 DIM_COUNT   dimensions of a strided layout, 1 to 4, default 1
//   4 WORDS       output words (elements if scattered) an invocation, at least 1, default 1
#ifndef PUMICE_LAYOUT_GLSL
#define PUMICE_LAYOUT_GLSL

#extension GL_EXT_control_flow_attributes : require

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

layout(push_constant) uniform Push {
    uint count;
    uint offsets[4];
    uint sizes[3];
    uint magics[3];
    uint shifts;
    uint strides[16];
    uint params[4];
} map;

// The output element's bits, right-aligned, at the given index.
uint result_bits(uvec4 index);

// n / map.sizes[dim] for n < 2^31.
uint divide_by_size(uint n, uint dim) {
    uint high, low;
    umulExtended(n, map.magics[dim], high, low);
    return (high + n) >> ((map.shifts >> (5u * dim)) & 31u);
}

// Index over the dimensions, innermost first, of a linear one.
uvec4 index_of(uint element) {
    uvec4 index = uvec4(element, 0u, 0u, 0u);
    if (LAYOUT == kLayoutContiguous) {
        return index;
    }
    if (DIM_COUNT > 1u) {
        index.y = divide_by_size(index.x, 0u);
        index.x -= index.y * map.sizes[0];
    }
    if (DIM_COUNT > 2u) {
        index.z = divide_by_size(index.y, 1u);
        index.y -= index.z * map.sizes[1];
    }
    if (DIM_COUNT > 3u) {
        index.w = divide_by_size(index.z, 2u);
        index.z -= index.w * map.sizes[2];
    }
    return index;
}

// Where an operand's element lies in its binding.
uint element_at(const uint operand, uvec4 index) {
    uint at = map.offsets[operand];
    if (LAYOUT == kLayoutContiguous) {
        return at + index.x;
    }
    at += index.x * map.strides[operand * 4u];
    if (DIM_COUNT > 1u) {
        at += index.y * map.strides[operand * 4u + 1u];
    }
    if (DIM_COUNT > 2u) {
        at += index.z * map.strides[operand * 4u + 2u];
    }
    if (DIM_COUNT > 3u) {
        at += index.w * map.strides[operand * 4u + 3u];
    }
    return at;
}

// A scattered element stands alone in its word; a contiguous output is written word by word, of
// which the first and last may be shared with neighbours outside.
void write_unit(uint unit) {
    bool is_scattered = LAYOUT == kLayoutScattered;
    uint word = (map.offsets[0] >> word_shift(OUT_DTYPE)) + unit;
    uint lanes = is_scattered ? 1u : elements_per_word(OUT_DTYPE);
    uint packed = 0u;
    uint mask = 0u;
    for (uint lane = 0u; lane < lanes; ++lane) {
        // Wraps before the first element of the output.
        uint element =
            is_scattered ? unit : (word << word_shift(OUT_DTYPE)) + lane - map.offsets[0];
        if (element < map.count) {
            uvec4 index = index_of(element);
            uint at = lane;
            if (is_scattered) {
                at = element_at(0u, index);
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
