// SPDX-License-Identifier: Apache-2.0
// How kernels read their operands. The same bytes come from a storage buffer, or, with
// READS_TEXELS, from a uniform texel buffer of raw bits, which is 8 to 24 times faster on lavapipe,
// whose loads from storage buffers are loops over the lanes. The host chooses for the whole device
// (Capabilities::reads_texels); bits do not depend on it. For operands that are only read:
//
//   READ_WORDS(0, X, x_words);                 declares binding 0, 32-bit words
//   uint bits = read_word(x_words, at);        also read_int, read_float
//
// A binding that is declared otherwise stays a storage buffer.
#ifndef PUMICE_READS_GLSL
#define PUMICE_READS_GLSL

#ifdef READS_TEXELS
#define READ_WORDS(number, block, name) \
    layout(set = 0, binding = number) uniform utextureBuffer name
#define read_word(name, at) texelFetch(name, int(at)).x
#else
#define READ_WORDS(number, block, name)                               \
    layout(set = 0, binding = number, std430) readonly buffer block { \
        uint name[];                                                  \
    }
#define read_word(name, at) name[at]
#endif

#define read_int(name, at) int(read_word(name, at))
#define read_float(name, at) uintBitsToFloat(read_word(name, at))

#endif
