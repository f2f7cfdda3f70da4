// SPDX-License-Identifier: Apache-2.0
// Random numbers from Philox blocks, one block of four elements an invocation: uniform in [0, 1)
// with as many bits as the dtype's mantissa holds, standard normal by Box and Muller's formula, or
// integers in [low, low + range) by the upper half of a product.
//
// Bindings: 0 output, contiguous; float32, float16, bfloat16, or int32 for integers; 1 (GENERATOR
//   device) the generator at the replay: seed, offset, low words first.
// Push constants: seed and offset of the generator, low word first (GENERATOR device: the offset
//   from the replay's, no seed); element_count of the output; low and range of the integers (range
//   0 stands for 2^32).
// Specialization constants:
//   0 LOCAL_SIZE  invocations a workgroup
//   1 DTYPE       of the output, 0 to 3, default 0
//   2 KIND        RandomKind, default uniform
//@variant GENERATOR = host device
//@iterations 11 + 5
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;

#include "dtype.glsl"
#include "grid.glsl"
#include "math_angle.glsl"
#define GENERATOR_BINDING 1
#include "philox.glsl"
#include "random_kind.glsl"

layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint KIND = 0u;

layout(std430, set = 0, binding = 0) writeonly buffer Result {
    uint result[];
};

layout(push_constant) uniform Push {
    uvec2 seed;
    uvec2 offset;
    uint element_count;
    int low;
    uint range;
};

// Rounding 24 bits to a half would give 1 at times.
float uniform_value(uint bits) {
    if (DTYPE == kDTypeFloat16) {
        return float(bits >> 21u) * 4.8828125e-4;  // 2^-11
    }
    if (DTYPE == kDTypeBFloat16) {
        return float(bits >> 24u) * 3.90625e-3;  // 2^-8
    }
    return uniform_float(bits);
}

vec2 normal_pair(uint bits0, uint bits1) {
    precise float radius = sqrt(-2.0 * log_float(1.0 - uniform_float(bits0)));
    precise float angle = 6.283185307179586 * uniform_float(bits1);
    precise vec2 pair = radius * vec2(sine_of(angle, 1), sine_of(angle, 0));
    return pair;
}

uint integer_value(uint bits) {
    uint high = bits;
    uint rest;
    if (range != 0u) {
        umulExtended(bits, range, high, rest);
    }
    return uint(low) + high;
}

uvec4 block_bits(uvec4 random) {
    if (KIND == kRandomKindInteger) {
        return uvec4(integer_value(random.x),
                     integer_value(random.y),
                     integer_value(random.z),
                     integer_value(random.w));
    }
    vec4 values;
    if (KIND == kRandomKindNormal) {
        values = vec4(normal_pair(random.x, random.y), normal_pair(random.z, random.w));
    } else {
        values = vec4(uniform_value(random.x),
                      uniform_value(random.y),
                      uniform_value(random.z),
                      uniform_value(random.w));
    }
    return uvec4(encode_float(values.x, DTYPE),
                 encode_float(values.y, DTYPE),
                 encode_float(values.z, DTYPE),
                 encode_float(values.w, DTYPE));
}

void main() {
    uint block = linear_invocation();
    uint first = block * 4u;
    if (first >= element_count) {
        return;
    }
    uvec4 bits = block_bits(drawn_block(seed, offset, block));
    uint count = min(4u, element_count - first);
    uint step = elements_per_word(DTYPE);
    for (uint i = 0u; i < count; i += step) {
        uint packed = bits[i];
        if (step == 2u && i + 1u < count) {
            packed |= bits[i + 1u] << 16u;
        }
        result[word_index(first + i, DTYPE)] = packed;
    }
}
