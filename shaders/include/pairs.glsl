// SPDX-License-Identifier: Apache-2.0
// Two 32-bit words loaded or stored at once, and pairs of elements: software drivers load lane by
// lane, and one 64-bit load is one round. The including kernel has //@variant PAIR = int64 vec2,
// //@requires int64 if PAIR=int64, and declares a second block of `Words` on a binding.
#ifndef PUMICE_PAIRS_GLSL
#define PUMICE_PAIRS_GLSL

#include "dtype.glsl"

#ifdef PAIR_INT64
#define Words uint64_t
#define unpack_words(words) unpack32(words)
#define pack_words(words) pack64(words)
#else
#define Words uvec2
#define unpack_words(words) (words)
#define pack_words(words) (words)
#endif

// The element and the one `to_next` further, as floats. is_paired: they are neighbours and start at
// an even element, so that they are one Words of `pairs` or one word of `words`.
#define load_pair(words, pairs, element, to_next, is_paired, dtype)                       \
    (!(is_paired) ? vec2(decode_float(words[word_index(element, dtype)], element, dtype), \
                         decode_float(words[word_index((element) + (to_next), dtype)],    \
                                      (element) + (to_next),                              \
                                      dtype))                                             \
     : word_shift(dtype) == 0u ? uintBitsToFloat(unpack_words(pairs[(element) >> 1u]))    \
                               : vec2(decode_float(words[(element) >> 1u], 0u, dtype),    \
                                      decode_float(words[(element) >> 1u], 1u, dtype)))

// Writes two elements of a narrow dtype or two words. is_paired: as above; else each by itself, and
// the second only if `has_second`.
#define store_pair_bits(words, pairs, element, bits, is_paired, has_second, dtype) \
    {                                                                              \
        if ((is_paired) && word_shift(dtype) == 0u) {                              \
            pairs[(element) >> 1u] = pack_words(bits);                             \
        } else if (is_paired) {                                                    \
            words[(element) >> 1u] = (bits).x | ((bits).y << 16u);                 \
        } else {                                                                   \
            store_masked(words, element, (bits).x, dtype);                         \
            if (has_second) {                                                      \
                store_masked(words, (element) + 1u, (bits).y, dtype);              \
            }                                                                      \
        }                                                                          \
    }

#endif
