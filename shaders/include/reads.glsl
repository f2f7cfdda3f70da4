// SPDX-License-Identifier: Apache-2.0
// How kernels read their operands. The same bytes come from a storage buffer, or, with
// READS_TEXELS, from a uniform texel buffer of raw bits, which is 8 to 24 times faster on lavapipe,
// whose loads from storage buffers are loops over the lanes. The host chooses for the whole device
// (Capabilities::reads_texels); bits do not depend on it. For operands that are only read:
//
//   READ_WORDS(0, X, x_words);                 declares binding 0, 32-bit words
//   uint bits = read_word(x_words, at);        also read_int, read_float
//   READ_QUADS(0, X, x_words);                 the same, and four words at once:
//   uvec4 bits = read_quad(x_words, at / 4u);
//
// A step whose kernel reads quads of a binding says so (Step::quad_mask): texels are as wide as
// what is read, so read_word and read_quad of one binding do not mix within a step, and its range
// is whole quads.
//
// A binding that is declared otherwise stays a storage buffer.
#ifndef PUMICE_READS_GLSL
#define PUMICE_READS_GLSL

#ifdef READS_TEXELS
#define READ_WORDS(number, block, name) \
    layout(set = 0, binding = number) uniform utextureBuffer name
#define READ_QUADS READ_WORDS
#define read_word(name, at) texelFetch(name, int(at)).x
#define read_quad(name, at) texelFetch(name, int(at))
#else
#define READ_WORDS(number, block, name)                               \
    layout(set = 0, binding = number, std430) readonly buffer block { \
        uint name[];                                                  \
    }
#define READ_QUADS(number, block, name)                                      \
    READ_WORDS(number, block, name);                                         \
    layout(set = 0, binding = number, std430) readonly buffer block##Quads { \
        uvec4 name##_quads[];                                                \
    }
#define read_word(name, at) name[at]
#define read_quad(name, at) name##_quads[at]
#endif

#define read_int(name, at) int(read_word(name, at))
#define read_float(name, at) uintBitsToFloat(read_word(name, at))

#endif
