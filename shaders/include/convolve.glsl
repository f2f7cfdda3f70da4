// SPDX-License-Identifier: Apache-2.0
// What the convolution kernels share: convolution in two dimensions and its two gradients as matrix
// products whose second matrix is never laid out, its elements are fetched from the image. With o
// and c channels of a group, p a position in the result, q one in the image, and t a tap, which is
// a position in the kernel; t meets q from p where q = p * stride - pad + t * dilation:
//   PRODUCT 0, result:          Y[o, p] = sum over (c, t) of W[o, c, t] X[c, q that t meets from p]
//   PRODUCT 1, image gradient:  X[c, q] = sum over (o, t) of W[o, c, t] Y[o, p that meets q by t]
//   PRODUCT 2, weight gradient: W[o, (c, t)] = sum over (image, p) of Y[o, p] X[c, q]
// Positions in the image that leave the same remainder by the stride are a phase: the same taps
// meet them, evenly apart. Product 1 is made phase by phase, so that it walks no tap that misses.
// An including kernel declares DTYPE and PRODUCT before it includes this.
//
// Bindings: 0 A: W, W, Y by product; 1 B: X, Y, X; 2 C: Y, X, W; 3 bias [groups * out_channels], or
//           anything readable. X [images, groups * in_channels, in_rows, in_cols],
//           W [groups * out_channels, in_channels, kernel_rows, kernel_cols],
//           Y [images, groups * out_channels, out_rows, out_cols], all contiguous, of DTYPE
// Push: extents as above, channels counted by group; strides, pads, dilations in elements of the
//       image; tap_steps between the taps that a phase meets, 1 in products 0 and 2; a_offset,
//       b_offset, bias_offset elements before the first; has_bias 0 or 1; tap_inverse by tap_step,
//       of the dilation over their common divisor with the stride; part_first, part_end of what the
//       kernel walks, in this run (RUNS many)
// RUNS many: a depth that one invocation could not walk is walked in several runs, which hand on
//       their sums through binding 4, accumulators like C, of float32; the including kernel
//       declares IS_FIRST_RUN and IS_LAST_RUN.
//@iterations 2 * 32
#ifndef PUMICE_CONVOLVE_GLSL
#define PUMICE_CONVOLVE_GLSL

#include "dtype.glsl"
#include "grid.glsl"
#include "hooks.glsl"
#include "reads.glsl"

READ_WORDS(0, A, a_words);
READ_WORDS(1, B, b_words);
layout(set = 0, binding = 2, std430) buffer C {
    uint c_words[];
};
READ_WORDS(3, Bias, bias_words);

layout(push_constant, std430) uniform ConvolvePush {
    uint images;
    uint groups;
    uint in_channels;
    uint out_channels;
    uint in_rows;
    uint in_cols;
    uint out_rows;
    uint out_cols;
    uint kernel_rows;
    uint kernel_cols;
    uint stride_rows;
    uint stride_cols;
    uint pad_rows;
    uint pad_cols;
    uint dilation_rows;
    uint dilation_cols;
    uint tap_step_rows;
    uint tap_step_cols;
    uint a_offset;
    uint b_offset;
    uint bias_offset;
    uint has_bias;
    uvec2 tap_inverse;
    uvec2 part_first;
    uvec2 part_end;
} push;

#define UNKNOWN_ZERO (push.has_bias >> 1u)  // see hooks.glsl

#ifdef RUNS_MANY
layout(set = 0, binding = 4, std430) buffer Accumulators {
    float accumulators[];
};
#endif

const uint kResult = 0u;
const uint kImageGradient = 1u;
const uint kWeightGradient = 2u;
const uint kOutside = 0x80000000u;  // no element and no column is so far

uint tap_count() {
    return push.kernel_rows * push.kernel_cols;
}

uint in_area() {
    return push.in_rows * push.in_cols;
}

uint out_area() {
    return push.out_rows * push.out_cols;
}

uvec2 image_strides() {
    return uvec2(push.stride_rows, push.stride_cols);
}

// Phases of the image's rows and columns; the other products have one.
uvec2 phase_counts() {
    return PRODUCT == kImageGradient ? min(image_strides(), uvec2(push.in_rows, push.in_cols))
                                     : uvec2(1u);
}

// The image's rows and columns in a phase.
uvec2 phase_extents(uvec2 phase) {
    return (uvec2(push.in_rows, push.in_cols) - phase + image_strides() - 1u) / image_strides();
}

// Rows and columns of the product in a phase.
uvec2 product_extents(uvec2 phase) {
    if (PRODUCT == kResult) {
        return uvec2(push.out_channels, push.images * out_area());
    }
    if (PRODUCT == kImageGradient) {
        uvec2 extents = phase_extents(phase);
        return uvec2(push.in_channels, push.images * extents.x * extents.y);
    }
    return uvec2(push.out_channels, push.in_channels * tap_count());
}

// First element of a channel's plane in an image of X, or of Y.
uint in_plane(uint image, uint group, uint channel) {
    return ((image * push.groups + group) * push.in_channels + channel) * in_area();
}

uint out_plane(uint image, uint group, uint channel) {
    return ((image * push.groups + group) * push.out_channels + channel) * out_area();
}

// First element of a result's filter in W.
uint filter_at(uint group, uint channel) {
    return (group * push.out_channels + channel) * push.in_channels * tap_count();
}

// Row and column of a tap of the kernel.
uvec2 tap_at(uint tap) {
    uint row = tap / push.kernel_cols;
    return uvec2(row, tap - row * push.kernel_cols);
}

// How far a tap lies from the first, in elements of the image.
uvec2 tap_reach(uvec2 tap) {
    return tap * uvec2(push.dilation_rows, push.dilation_cols);
}

// A workgroup's part: its group and phase, and the first row and column of its tile.
struct Tile {
    uint group;
    uvec2 phase;
    uint row;
    uint col;
};

// Past the last tile the group is push.groups or more. The first phase is the largest: in others
// the last tiles may lie past the product's columns.
Tile find_tile(uint tile_rows, uint tile_cols) {
    uvec2 extents = product_extents(uvec2(0u));
    uvec2 phases = phase_counts();
    uint row_tiles = (extents.x + tile_rows - 1u) / tile_rows;
    uint col_tiles = (extents.y + tile_cols - 1u) / tile_cols;
    uint row_index = linear_group() / col_tiles;
    uint phase_index = row_index / row_tiles;
    uint phase_row = phase_index / phases.y;
    uint group = phase_row / phases.x;
    return Tile(group,
                uvec2(phase_row - group * phases.x, phase_index - phase_row * phases.y),
                (row_index - phase_index * row_tiles) * tile_rows,
                (linear_group() - row_index * col_tiles) * tile_cols);
}

// Taps that a phase meets: tap_steps apart.
struct Taps {
    uvec2 first;
    uvec2 count;
};

// a * b modulo m, a and m below 2^31.
uint multiply_modulo(uint a, uint b, uint m) {
    uint product = 0u;
    for (; b > 0u; b >>= 1u) {
        product = ((b & 1u) != 0u ? product + a : product) % m;
        a = (a + a) % m;
    }
    return product;
}

// Of `kernel` taps the first that reaches a result's place from `from` in the padded image, tap *
// dilation = from modulo the stride; or `kernel`. `inverse`: see tap_inverse.
uint find_tap(uint from, uint kernel, uint stride, uint step, uint inverse) {
    uint divisor = stride / step;  // that the dilation shares
    uint rest = from % stride;
    if (rest % divisor != 0u) {
        return kernel;
    }
    return min(multiply_modulo(rest / divisor % step, inverse, step), kernel);
}

Taps find_taps(uvec2 phase) {
    uvec2 kernel = uvec2(push.kernel_rows, push.kernel_cols);
    if (PRODUCT != kImageGradient) {
        return Taps(uvec2(0u), kernel);
    }
    uvec2 from = phase + uvec2(push.pad_rows, push.pad_cols);
    uvec2 step = uvec2(push.tap_step_rows, push.tap_step_cols);
    uvec2 first = uvec2(find_tap(from.x, kernel.x, push.stride_rows, step.x, push.tap_inverse.x),
                        find_tap(from.y, kernel.y, push.stride_cols, step.y, push.tap_inverse.y));
    return Taps(first, (kernel - first + step - 1u) / step);
}

// The tap at `index`, row by row.
uvec2 tap_of(Taps taps, uint index) {
    uint row = index / taps.count.y;
    return taps.first +
           uvec2(row, index - row * taps.count.y) * uvec2(push.tap_step_rows, push.tap_step_cols);
}

// Index of a tap in its filter.
uint tap_index(uvec2 tap) {
    return tap.x * push.kernel_cols + tap.y;
}

// A place of the image: column `col` of a phase of product 1.
struct Place {
    uint image;
    uvec2 at;  // row and column
};

Place find_image_place(uvec2 phase, uint col) {
    uvec2 extents = phase_extents(phase);
    uint row = col / extents.y;
    uint image = row / extents.x;
    uvec2 at = uvec2(row - image * extents.x, col - row * extents.y);
    return Place(image, phase + at * image_strides());
}

// Index in the result's plane of the place that meets `from` (padded row and column of the image)
// by a tap of its phase that reaches `reach`; kOutside if there is none.
uint find_result_place(uvec2 from, uvec2 reach) {
    uvec2 place = (from - reach) / image_strides();
    bool is_met = from.x >= reach.x && from.y >= reach.y && place.x < push.out_rows &&
                  place.y < push.out_cols;
    return is_met ? place.x * push.out_cols + place.y : kOutside;
}

float decode_a(uint element) {
    return decode_float(read_word(a_words, word_index(element, DTYPE)), element, DTYPE);
}

float decode_b(uint element) {
    return decode_float(read_word(b_words, word_index(element, DTYPE)), element, DTYPE);
}

// What is added to a row of the result; 0 without a bias.
float bias_of(Tile tile, uint row) {
    if (PRODUCT != kResult || push.has_bias == 0u || row >= push.out_channels) {
        return 0.0;
    }
    uint at = push.bias_offset + tile.group * push.out_channels + row;
    return decode_float(read_word(bias_words, word_index(at, DTYPE)), at, DTYPE);
}

// Element of C in row 0 of a tile's column.
uint find_c(Tile tile, uint col) {
    if (PRODUCT == kWeightGradient) {
        return filter_at(tile.group, 0u) + col;
    }
    if (PRODUCT == kImageGradient) {
        Place place = find_image_place(tile.phase, col);
        return in_plane(place.image, tile.group, 0u) + place.at.x * push.in_cols + place.at.y;
    }
    uint image = col / out_area();
    return out_plane(image, tile.group, 0u) + col - image * out_area();
}

// Elements of C between its rows.
uint c_row_stride() {
    if (PRODUCT == kWeightGradient) {
        return push.in_channels * tap_count();
    }
    return PRODUCT == kResult ? out_area() : in_area();
}

// What a run starts from at an element of C: what the one before it left, or the bias.
float start_of(float bias, bool is_inside, uint element) {
#ifdef RUNS_MANY
    if (!IS_FIRST_RUN) {
        return is_inside ? accumulators[element] : 0.0;
    }
#endif
    return bias;
}

// Stores two neighbours of a row. The halves of a word are written as one.
void store_pair(uint first, uint second, bool has_second, vec2 values) {
#ifdef RUNS_MANY
    if (!IS_LAST_RUN) {
        accumulators[first] = values.x;
        if (has_second) {
            accumulators[second] = values.y;
        }
        return;
    }
#endif
    uint first_bits = hooked_result(encode_float(values.x, DTYPE), first);
    uint second_bits =
        has_second ? hooked_result(encode_float(values.y, DTYPE), second) : first_bits;
    if (word_shift(DTYPE) == 1u && has_second && (first & 1u) == 0u && second == first + 1u) {
        c_words[first >> 1u] = first_bits | (second_bits << 16u);
        return;
    }
    store_masked(c_words, first, first_bits, DTYPE);
    if (has_second) {
        store_masked(c_words, second, second_bits, DTYPE);
    }
}

#endif
