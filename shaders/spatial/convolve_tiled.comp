// SPDX-License-Identifier: Apache-2.0
// A convolution, or a gradient of one, on tiles in shared memory: a workgroup brings TILE_DEPTH
// columns of A and rows of B at a time, each invocation computes ROWS_PER_INVOCATION x
// COLS_PER_INVOCATION results in registers. For every device, and the one for hardware.
//
// Bindings, push: see convolve.glsl; part_first.x and part_end.x of the depth.
// Spec: LOCAL_SIZE (TILE_ROWS / ROWS_PER_INVOCATION) * (TILE_COLS / COLS_PER_INVOCATION) (64);
//       DTYPE a floating DType (0); PRODUCT 0..2 (0); TILE_ROWS, TILE_COLS (32), TILE_DEPTH (16);
//       ROWS_PER_INVOCATION (4); COLS_PER_INVOCATION even (4).
//@hook result 2
//@variant RUNS = one many
//@iterations 1 + ceil(min(part_end.x - part_first.x,
//@    PRODUCT == 2 ? images * out_rows * out_cols
//@                 : ceil(kernel_rows / tap_step_rows) * ceil(kernel_cols / tap_step_cols) *
//@                   (PRODUCT == 1 ? out_channels : in_channels)) / TILE_DEPTH) *
//@    (4 + TILE_DEPTH + ceil(TILE_DEPTH * TILE_ROWS / LOCAL_SIZE) +
//@     ceil(TILE_DEPTH * TILE_COLS / LOCAL_SIZE))
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint PRODUCT = 0u;
layout(constant_id = 3) const uint TILE_ROWS = 32u;
layout(constant_id = 4) const uint TILE_COLS = 32u;
layout(constant_id = 5) const uint TILE_DEPTH = 16u;
layout(constant_id = 6) const uint ROWS_PER_INVOCATION = 4u;
layout(constant_id = 7) const uint COLS_PER_INVOCATION = 4u;
#ifdef RUNS_MANY
layout(constant_id = 8) const bool IS_FIRST_RUN = false;
layout(constant_id = 9) const bool IS_LAST_RUN = false;
#endif

#include "convolve.glsl"

const uint kRowPitch = TILE_ROWS + 1u;  // keeps the columns of a tile on different banks
const uint kColPitch = TILE_COLS + 1u;
shared float a_tile[TILE_DEPTH * kRowPitch];  // [depth, row]
shared float b_tile[TILE_DEPTH * kColPitch];  // [depth, col]

uint product_depth(Taps taps) {
    if (PRODUCT == kWeightGradient) {
        return push.images * out_area();
    }
    return (PRODUCT == kResult ? push.in_channels : push.out_channels) * taps.count.x *
           taps.count.y;
}

// A channel of the result, and a tap.
struct ChannelTap {
    uint channel;
    uvec2 tap;
};

// What lies at depth `k` of an image gradient.
ChannelTap channel_tap(Taps taps, uint k) {
    uint count = taps.count.x * taps.count.y;
    uint channel = k / count;
    return ChannelTap(channel, tap_of(taps, k - channel * count));
}

// Element of A in a row, at depth `k`.
uint find_a(uint group, Taps taps, uint row, uint k) {
    if (PRODUCT == kResult) {
        return filter_at(group, row) + k;
    }
    if (PRODUCT == kImageGradient) {
        ChannelTap at = channel_tap(taps, k);
        return filter_at(group, at.channel) + row * tap_count() + tap_index(at.tap);
    }
    uint image = k / out_area();
    return out_plane(image, group, row) + k - image * out_area();
}

// Element of X under `at` (channel and tap) for the result at `place` (image and place).
uint find_input(uint group, uint at, uint place) {
    uint channel = at / tap_count();
    uint image = place / out_area();
    uint in_image = place - image * out_area();
    uint place_row = in_image / push.out_cols;
    uvec2 reach = tap_reach(tap_at(at - channel * tap_count()));
    // Below 0 they wrap, which is far outside too.
    uint row = place_row * push.stride_rows + reach.x - push.pad_rows;
    uint col = (in_image - place_row * push.out_cols) * push.stride_cols + reach.y - push.pad_cols;
    bool is_inside = row < push.in_rows && col < push.in_cols;
    return is_inside ? in_plane(image, group, channel) + row * push.in_cols + col : kOutside;
}

// Element of Y that `at` leads to from `place` of X.
uint find_output(uint group, ChannelTap at, Place place) {
    uvec2 from = place.at + uvec2(push.pad_rows, push.pad_cols);
    uint found = find_result_place(from, tap_reach(at.tap));
    return found == kOutside ? kOutside : out_plane(place.image, group, at.channel) + found;
}

// Element of B at depth `k`, in a column; kOutside for a zero.
uint find_b(Tile tile, Taps taps, uint k, uint col) {
    if (PRODUCT == kImageGradient) {
        return find_output(tile.group, channel_tap(taps, k), find_image_place(tile.phase, col));
    }
    return PRODUCT == kResult ? find_input(tile.group, k, col) : find_input(tile.group, col, k);
}

void bring_a(Tile tile, Taps taps, uvec2 extents, uint k, uint depth) {
    for (uint i = gl_LocalInvocationID.x; i < TILE_DEPTH * TILE_ROWS; i += LOCAL_SIZE) {
        uint d = i % TILE_DEPTH;
        uint row = tile.row + i / TILE_DEPTH;
        bool is_inside = row < extents.x && k + d < depth;
        a_tile[d * kRowPitch + i / TILE_DEPTH] =
            is_inside ? decode_a(push.a_offset + find_a(tile.group, taps, row, k + d)) : 0.0;
    }
}

void bring_b(Tile tile, Taps taps, uvec2 extents, uint k, uint depth) {
    // Neighbouring invocations load neighbouring places.
    const bool kAlongDepth = PRODUCT == kWeightGradient;
    for (uint i = gl_LocalInvocationID.x; i < TILE_DEPTH * TILE_COLS; i += LOCAL_SIZE) {
        uint d = kAlongDepth ? i % TILE_DEPTH : i / TILE_COLS;
        uint c = kAlongDepth ? i / TILE_DEPTH : i % TILE_COLS;
        uint found = kOutside;
        if (tile.col + c < extents.y && k + d < depth) {
            found = find_b(tile, taps, k + d, tile.col + c);
        }
        b_tile[d * kColPitch + c] = found == kOutside ? 0.0 : decode_b(push.b_offset + found);
    }
}

float acc[ROWS_PER_INVOCATION * COLS_PER_INVOCATION];

void multiply_tiles(uint first_row, uint first_col) {
    for (uint d = 0u; d < TILE_DEPTH; ++d) {
        float b[COLS_PER_INVOCATION];
        [[unroll]] for (uint c = 0u; c < COLS_PER_INVOCATION; ++c) {
            b[c] = b_tile[d * kColPitch + first_col + c];
        }
        [[unroll]] for (uint r = 0u; r < ROWS_PER_INVOCATION; ++r) {
            float a = a_tile[d * kRowPitch + first_row + r];
            [[unroll]] for (uint c = 0u; c < COLS_PER_INVOCATION; ++c) {
                acc[r * COLS_PER_INVOCATION + c] += a * b[c];
            }
        }
    }
}

void start(Tile tile, uvec2 extents, uint first_row, uint first_col) {
    [[unroll]] for (uint r = 0u; r < ROWS_PER_INVOCATION; ++r) {
        uint row = tile.row + first_row + r;
        float bias = bias_of(tile, row);
        [[unroll]] for (uint c = 0u; c < COLS_PER_INVOCATION; ++c) {
            uint col = tile.col + first_col + c;
            bool is_inside = row < extents.x && col < extents.y;
            acc[r * COLS_PER_INVOCATION + c] =
                start_of(bias, is_inside, find_c(tile, col) + row * c_row_stride());
        }
    }
}

void store(Tile tile, uvec2 extents, uint first_row, uint first_col) {
    uint stride = c_row_stride();
    [[unroll]] for (uint c = 0u; c < COLS_PER_INVOCATION; c += 2u) {
        uint col = tile.col + first_col + c;
        if (col < extents.y) {
            uint first = find_c(tile, col);
            uint second = find_c(tile, col + 1u);
            [[unroll]] for (uint r = 0u; r < ROWS_PER_INVOCATION; ++r) {
                uint row = tile.row + first_row + r;
                uint at = r * COLS_PER_INVOCATION + c;
                if (row < extents.x) {
                    store_pair(first + row * stride,
                               second + row * stride,
                               col + 1u < extents.y,
                               vec2(acc[at], acc[at + 1u]));
                }
            }
        }
    }
}

void main() {
    Tile tile = find_tile(TILE_ROWS, TILE_COLS);
    uvec2 extents = product_extents(tile.phase);
    if (tile.group >= push.groups || tile.col >= extents.y) {
        return;  // the whole workgroup
    }
    Taps taps = find_taps(tile.phase);
    uint depth = product_depth(taps);
    const uint kAcross = TILE_COLS / COLS_PER_INVOCATION;
    uint first_row = gl_LocalInvocationID.x / kAcross * ROWS_PER_INVOCATION;
    uint first_col = gl_LocalInvocationID.x % kAcross * COLS_PER_INVOCATION;
    start(tile, extents, first_row, first_col);
    uint begin = 0u;
#ifdef RUNS_MANY
    depth = min(depth, push.part_end.x);
    begin = push.part_first.x;
#endif
    for (uint k = begin; k < depth; k += TILE_DEPTH) {
        bring_a(tile, taps, extents, k, depth);
        bring_b(tile, taps, extents, k, depth);
        barrier();
        multiply_tiles(first_row, first_col);
        barrier();
    }
    store(tile, extents, first_row, first_col);
}
