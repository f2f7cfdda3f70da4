// SPDX-License-Identifier: Apache-2.0
// map_frame.glsl for kernels that are built ahead: up to three operands, whose geometry comes as
// push constants. The including kernel declares the operands' buffers and the output's
// (`buffer Output { uint output_words[]; }`), and defines result_bits(). Host side:
// engine/geometry/map_step.h.
//
// Push constants (elements; operand 0 is the output, 1.. the inputs; dimensions innermost first):
//   count     elements of the output
//   offsets   of each operand's first element in its binding
//   sizes     extents of all dimensions but the outermost
//   magics, shifts  divide by those extents: Granlund and Montgomery 1994; five bits a shift
//   strides   of each operand
//   params    the kernel's own, as bits
// Specialization constants: see map_frame.glsl.
#ifndef PUMICE_LAYOUT_GLSL
#define PUMICE_LAYOUT_GLSL

layout(push_constant) uniform MapPush {
    uint count;
    uint offsets[4];
    uint sizes[3];
    uint magics[3];
    uint shifts;
    uint strides[16];
    uint params[4];
} map;

#define MAP_COUNT map.count
#define MAP_OUTPUT_OFFSET map.offsets[0]
#define MAP_SIZE_0 map.sizes[0]
#define MAP_SIZE_1 map.sizes[1]
#define MAP_SIZE_2 map.sizes[2]
#define MAP_MAGIC_0 map.magics[0]
#define MAP_MAGIC_1 map.magics[1]
#define MAP_MAGIC_2 map.magics[2]
#define MAP_SHIFT_0 (map.shifts & 31u)
#define MAP_SHIFT_1 ((map.shifts >> 5u) & 31u)
#define MAP_SHIFT_2 ((map.shifts >> 10u) & 31u)

#include "map_frame.glsl"

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

uint output_at(uvec4 index) {
    return element_at(0u, index);
}

#endif
