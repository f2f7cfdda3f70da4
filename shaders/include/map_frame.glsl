// SPDX-License-Identifier: Apache-2.0
// The frame of kernels that compute each output element from the elements at the same index of some
// operands. The including kernel declares `buffer Output { uint output_words[]; }` and these macros
// (elements; dimensions innermost first; what they are is told in layout.glsl):
//   MAP_COUNT, MAP_OUTPUT_OFFSET, and of dimensions 0 to 2 MAP_SIZE_0, MAP_MAGIC_0, MAP_SHIFT_0 ...
// and defines result_bits() and output_at().
//
// A kernel with a layout of quads has the macro MAP_QUADS, the number of its operands; declares
// these by READ_QUADS and reads them by map_word(); declares `buffer OutputQuads { uvec4
// output_quads[]; }` on the output's binding; and defines load_quads().
//
// Specialization constants:
//   0 LOCAL_SIZE  invocations a workgroup
//   1 OUT_DTYPE   0 to 6 (pumice::DType), default 0
//   2 LAYOUT      kLayout*, default contiguous
//   3 DIM_COUNT   dimensions of a strided layout, 1 to 4, default 1
//   4 WORDS       output words (elements if scattered, quads if those) an invocation, 1 to 16,
//                 default 1
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
const uint kLayoutQuads = 3u;       // contiguous, of 4-byte dtypes, whole quads of elements

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
    if (LAYOUT == kLayoutContiguous || LAYOUT == kLayoutQuads) {
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

#ifdef MAP_QUADS
uvec4 map_quads[MAP_QUADS];  // of the operands, by their number less 1
uint map_lane;               // the element of them that result_bits() computes

// Sets map_quads; `quad` counts from the first of the output.
void load_quads(uint quad);

// The word of operand `number` (from 1) at element `at`.
#define map_word(number, name, at, dtype)                      \
    (LAYOUT == kLayoutQuads ? map_quads[(number)-1u][map_lane] \
                            : read_word(name, word_index(at, dtype)))

void write_quad(uint quad) {
    if (quad >= MAP_COUNT >> 2u) {
        return;
    }
    load_quads(quad);
    uvec4 bits;
    [[unroll]] for (uint lane = 0u; lane < 4u; ++lane) {
        map_lane = lane;
        bits[lane] = result_bits(uvec4(4u * quad + lane, 0u, 0u, 0u));
    }
    output_quads[(MAP_OUTPUT_OFFSET >> 2u) + quad] = bits;
}
#endif

// A word that is the output's alone, in full.
void write_whole(uint unit) {
    uint lanes = elements_per_word(OUT_DTYPE);
    uint packed = 0u;
    for (uint lane = 0u; lane < lanes; ++lane) {
        uvec4 index = index_of((unit << word_shift(OUT_DTYPE)) + lane);
        packed |= place_bits(result_bits(index), lane, OUT_DTYPE);
    }
    output_words[(MAP_OUTPUT_OFFSET >> word_shift(OUT_DTYPE)) + unit] = packed;
}

void main() {
    uint group = linear_group() * gl_WorkGroupSize.x * WORDS;
    uint first = group + gl_LocalInvocationID.x;
    // All but the last groups write whole words, without a look at each of them.
    bool is_inner = LAYOUT != kLayoutScattered &&
                    (MAP_OUTPUT_OFFSET & (elements_per_word(OUT_DTYPE) - 1u)) == 0u &&
                    group + gl_WorkGroupSize.x * WORDS <= MAP_COUNT >> word_shift(OUT_DTYPE);
    // Unrolled, the loops made pipelines slow to create and no faster to run.
#ifdef MAP_QUADS
    if (LAYOUT == kLayoutQuads) {
        [[dont_unroll]] for (uint i = 0u; i < WORDS; ++i) {
            write_quad(first + i * gl_WorkGroupSize.x);
        }
        return;
    }
#endif
    if (is_inner) {
        [[dont_unroll]] for (uint i = 0u; i < WORDS; ++i) {
            write_whole(first + i * gl_WorkGroupSize.x);
        }
    } else {
        [[dont_unroll]] for (uint i = 0u; i < WORDS; ++i) {
            write_unit(first + i * gl_WorkGroupSize.x);
        }
    }
}

#endif
