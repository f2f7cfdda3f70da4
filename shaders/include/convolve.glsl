// SPDX-License-Identifier: Apache-2.0
// What the convolution kernels share: convolution in two dimensions and its two gradients as matrix
// products whose second matrix is never laid out, its elements are fetched from the image. With o
// and c channels of a group, p a place of the result, q one of the image, t a tap of the kernel:
//   PRODUCT 0, result:          Y[o, p] = sum over (c, t) of W[o, c, t] X[c, q that t meets from p]
//   PRODUCT 1, image gradient:  X[c, q] = sum over (o, t) of W[o, c, t] Y[o, p that meets q by t]
//   PRODUCT 2, weight gradient: W[o, (c, t)] = sum over (image, p) of Y[o, p] X[c, q]
// An including kernel declares DTYPE and PRODUCT before it includes this.
//
// Bindings: 0 A: W, W, Y by product; 1 B: X, Y, X; 2 C: Y, X, W; 3 bias [groups * out_channels], or
//           anything readable. X [images, groups * in_channels, in_rows, in_cols],
//           W [groups * out_channels, in_channels, kernel_rows, kernel_cols],
//           Y [images, groups * out_channels, out_rows, out_cols], all contiguous, of DTYPE
// Push: extents as above, channels counted by group; strides, pads, dilations in elements of the
//       image; a_offset, b_offset, bias_offset elements before the first; has_bias 0 or 1
#ifndef PUMICE_CONVOLVE_GLSL
#define PUMICE_CONVOLVE_GLSL

#include "dtype.glsl"
#include "grid.glsl"
#include "hooks.glsl"

layout(set = 0, binding = 0, std430) readonly buffer A {
    uint a_words[];
};
layout(set = 0, binding = 1, std430) readonly buffer B {
    uint b_words[];
};
layout(set = 0, binding = 2, std430) buffer C {
    uint c_words[];
};
layout(set = 0, binding = 3, std430) readonly buffer Bias {
    uint bias_words[];
};

layout(push_constant, std430) uniform Push {
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
    uint a_offset;
    uint b_offset;
    uint bias_offset;
    uint has_bias;
} push;

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

// Rows and columns of the product.
uvec2 product_extents() {
    if (PRODUCT == kResult) {
        return uvec2(push.out_channels, push.images * out_area());
    }
    if (PRODUCT == kImageGradient) {
        return uvec2(push.in_channels, push.images * in_area());
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

// Row and column of a tap of the kernel, in elements of the image.
uvec2 tap_reach(uint tap) {
    uint row = tap / push.kernel_cols;
    return uvec2(row * push.dilation_rows, (tap - row * push.kernel_cols) * push.dilation_cols);
}

// Index in the result's plane of the place that meets `from` (padded row and column of the image)
// by a tap that reaches `reach`; kOutside if there is none.
uint find_place(uvec2 from, uvec2 reach) {
    uvec2 start = from - reach;
    uvec2 stride = uvec2(push.stride_rows, push.stride_cols);
    uvec2 place = start / stride;
    bool is_met = from.x >= reach.x && from.y >= reach.y && place * stride == start &&
                  place.x < push.out_rows && place.y < push.out_cols;
    return is_met ? place.x * push.out_cols + place.y : kOutside;
}

// A workgroup's part: its group, and the first row and column of its tile.
struct Tile {
    uint group;
    uint row;
    uint col;
};

// Past the last tile the group is push.groups or more.
Tile find_tile(uint tile_rows, uint tile_cols) {
    uvec2 extents = product_extents();
    uint row_tiles = (extents.x + tile_rows - 1u) / tile_rows;
    uint col_tiles = (extents.y + tile_cols - 1u) / tile_cols;
    uint row_index = linear_group() / col_tiles;
    uint group = row_index / row_tiles;
    return Tile(group,
                (row_index - group * row_tiles) * tile_rows,
                (linear_group() - row_index * col_tiles) * tile_cols);
}

float decode_a(uint element) {
    return decode_float(a_words[word_index(element, DTYPE)], element, DTYPE);
}

float decode_b(uint element) {
    return decode_float(b_words[word_index(element, DTYPE)], element, DTYPE);
}

// What is added to a row of the result; 0 without a bias.
float bias_of(Tile tile, uint row) {
    if (PRODUCT != kResult || push.has_bias == 0u || row >= push.out_channels) {
        return 0.0;
    }
    uint at = push.bias_offset + tile.group * push.out_channels + row;
    return decode_float(bias_words[word_index(at, DTYPE)], at, DTYPE);
}

// Element of C in row 0 of a column.
uint find_c(uint group, uint col) {
    if (PRODUCT == kWeightGradient) {
        return filter_at(group, 0u) + col;
    }
    uint area = PRODUCT == kResult ? out_area() : in_area();
    uint image = col / area;
    uint plane = PRODUCT == kResult ? out_plane(image, group, 0u) : in_plane(image, group, 0u);
    return plane + col - image * area;
}

// Elements of C between its rows.
uint c_row_stride() {
    if (PRODUCT == kWeightGradient) {
        return push.in_channels * tap_count();
    }
    return PRODUCT == kResult ? out_area() : in_area();
}

// Stores two neighbours of a row. The halves of a word are written as one.
void store_pair(uint first, uint second, bool has_second, vec2 values) {
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
