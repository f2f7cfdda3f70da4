// SPDX-License-Identifier: Apache-2.0
// A convolution, or a gradient of one, where one subgroup computes a tile in registers: each lane
// owns COLS_PER_LANE columns of TILE_ROWS rows, loads its own columns of B, and takes the elements
// of A, which the lanes load side by side, from its neighbours by shuffles. The depth is walked in
// two loops: the outer one fixes where each column of B starts, the inner one steps evenly.
//   PRODUCT 0, 1: taps, then channels; PRODUCT 2: rows of the result in each image, then its
//   columns
// No shared memory and no barrier: made for software drivers, as matmul/subgroup.comp.
//
// Bindings, push: see convolve.glsl; part_first and part_end of the outer and of the inner loop.
// Spec: LANES the subgroup's size (8), a workgroup is one subgroup; DTYPE a floating DType (0);
//       PRODUCT 0..2 (0); TILE_ROWS 1..64 (16); COLS_PER_LANE even (4); DEPTH_STEP 1.., steps of
//       the inner loop that are unrolled, because a loop's end costs a blend an accumulator (4).
//@requires subgroup_shuffle
//@hook result 2
//@variant RUNS = one many
//@iterations 1 + min(part_end.x - part_first.x,
//@    PRODUCT == 2 ? images * out_rows
//@                 : ceil(kernel_rows / tap_step_rows) * ceil(kernel_cols / tap_step_cols)) *
//@    (2 + DEPTH_STEP + ceil(min(part_end.y - part_first.y,
//@        PRODUCT == 2 ? out_cols : PRODUCT == 1 ? out_channels : in_channels) / DEPTH_STEP))
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 8u;
layout(constant_id = 1) const uint DTYPE = 0u;
layout(constant_id = 2) const uint PRODUCT = 0u;
layout(constant_id = 3) const uint TILE_ROWS = 16u;
layout(constant_id = 4) const uint COLS_PER_LANE = 4u;
layout(constant_id = 5) const uint DEPTH_STEP = 4u;
#ifdef RUNS_MANY
layout(constant_id = 6) const bool IS_FIRST_RUN = false;
layout(constant_id = 7) const bool IS_LAST_RUN = false;
#endif

#include "convolve.glsl"

const uint kRowLoads = (TILE_ROWS + LANES - 1u) / LANES;

float acc[TILE_ROWS * COLS_PER_LANE];
uint a_first[kRowLoads];      // element of each row at depth 0
uint b_plane[COLS_PER_LANE];  // first element of each column's plane of X, or of Y
uvec2 b_from[COLS_PER_LANE];  // each column's row and column, as place_b wants them
uint b_first[COLS_PER_LANE];  // element at the inner loop's start
uint b_col[COLS_PER_LANE];    // column of X there; kOutside where all is zero

// Depth steps of the outer and of the inner loop.
uvec2 loop_extents(Taps taps) {
    if (PRODUCT == kWeightGradient) {
        return uvec2(push.images * push.out_rows, push.out_cols);
    }
    return uvec2(taps.count.x * taps.count.y,
                 PRODUCT == kResult ? push.in_channels : push.out_channels);
}

// Elements between neighbours of the inner loop in A and in B.
uvec2 inner_strides() {
    if (PRODUCT == kResult) {
        return uvec2(tap_count(), in_area());
    }
    if (PRODUCT == kImageGradient) {
        return uvec2(push.in_channels * tap_count(), out_area());
    }
    return uvec2(1u, push.stride_cols);
}

// Column j of a lane: pairs of neighbours, so that they are stored together.
uint column_of(Tile tile, uint lane, uint j) {
    return tile.col + (j / 2u) * 2u * LANES + 2u * lane + j % 2u;
}

// Rows past the last read the last: what they give is never stored.
void start_rows(Tile tile, uint lane, uint row_count) {
    [[unroll]] for (uint i = 0u; i < kRowLoads; ++i) {
        uint row = min(tile.row + i * LANES + lane, row_count - 1u);
        a_first[i] = push.a_offset;
        if (PRODUCT == kResult) {
            a_first[i] += filter_at(tile.group, row);
        } else if (PRODUCT == kImageGradient) {
            a_first[i] += filter_at(tile.group, 0u) + row * tap_count();
        } else {
            a_first[i] += out_plane(0u, tile.group, row);
        }
    }
}

// Columns past the last are the last, likewise.
void start_cols(Tile tile, uint lane, uint col_count) {
    [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
        uint col = min(column_of(tile, lane, j), col_count - 1u);
        if (PRODUCT == kImageGradient) {
            Place place = find_image_place(tile.phase, col);
            b_plane[j] = push.b_offset + out_plane(place.image, tile.group, 0u);
            b_from[j] = place.at + uvec2(push.pad_rows, push.pad_cols);
            continue;
        }
        uint area = PRODUCT == kResult ? out_area() : tap_count();
        uint plane = col / area;
        uint at = col - plane * area;
        if (PRODUCT == kResult) {
            uint row = at / push.out_cols;
            b_plane[j] = push.b_offset + in_plane(plane, tile.group, 0u);
            b_from[j] = uvec2(row * push.stride_rows - push.pad_rows,
                              (at - row * push.out_cols) * push.stride_cols - push.pad_cols);
        } else {
            b_plane[j] = push.b_offset + in_plane(0u, tile.group, plane);
            b_from[j] = tap_reach(tap_at(at)) - uvec2(push.pad_rows, push.pad_cols);
        }
    }
}

// Where the columns of B start at a step of the outer loop; returns what A's elements skip.
uint place_b(Taps taps, uint outer) {
    uint image = outer / push.out_rows;
    uint out_row = outer - image * push.out_rows;
    uvec2 tap = tap_of(taps, outer);
    uvec2 reach =
        PRODUCT == kWeightGradient ? uvec2(out_row * push.stride_rows, 0u) : tap_reach(tap);
    [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
        if (PRODUCT == kImageGradient) {
            b_col[j] = find_result_place(b_from[j], reach);
            b_first[j] = b_plane[j] + b_col[j];
        } else {
            uvec2 at = b_from[j] + reach;  // below 0 it wraps, which is far outside too
            b_col[j] = at.x < push.in_rows ? at.y : kOutside;
            b_first[j] = b_plane[j] + at.x * push.in_cols + at.y;
            if (PRODUCT == kWeightGradient) {
                b_first[j] += in_plane(image, 0u, 0u);
            }
        }
    }
    return PRODUCT == kWeightGradient ? out_plane(image, 0u, 0u) + out_row * push.out_cols
                                      : tap_index(tap);
}

// The element of column j that lies `to_element` elements and `to_col` columns after its first.
float load_b(uint j, uint to_element, uint to_col) {
    bool is_inside =
        PRODUCT == kImageGradient ? b_col[j] != kOutside : b_col[j] + to_col < push.in_cols;
    float value = decode_b(is_inside ? b_first[j] + to_element : push.b_offset);
    return is_inside ? value : 0.0;
}

// Adds `count` steps of the inner loop, from `k` on.
void multiply(uint a_outer, uint k, uvec2 strides, uint count) {
    float a[kRowLoads * DEPTH_STEP];
    float b[COLS_PER_LANE * DEPTH_STEP];
    [[unroll]] for (uint q = 0u; q < count; ++q) {
        [[unroll]] for (uint i = 0u; i < kRowLoads; ++i) {
            a[q * kRowLoads + i] = decode_a(a_first[i] + a_outer + (k + q) * strides.x);
        }
        [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
            uint to_col = PRODUCT == kWeightGradient ? (k + q) * strides.y : 0u;
            b[q * COLS_PER_LANE + j] = load_b(j, (k + q) * strides.y, to_col);
        }
    }
    [[unroll]] for (uint q = 0u; q < count; ++q) {
        [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
            float own = subgroupShuffle(a[q * kRowLoads + r / LANES], r % LANES);
            [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
                acc[r * COLS_PER_LANE + j] += own * b[q * COLS_PER_LANE + j];
            }
        }
    }
}

void start(Tile tile, uint lane, uvec2 extents) {
    [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
        uint row = tile.row + r;
        float bias = bias_of(tile, row);
        [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; ++j) {
            uint col = column_of(tile, lane, j);
            bool is_inside = row < extents.x && col < extents.y;
            acc[r * COLS_PER_LANE + j] =
                start_of(bias, is_inside, find_c(tile, col) + row * c_row_stride());
        }
    }
}

void store(Tile tile, uint lane, uvec2 extents) {
    uint stride = c_row_stride();
    [[unroll]] for (uint j = 0u; j < COLS_PER_LANE; j += 2u) {
        uint col = column_of(tile, lane, j);
        if (col < extents.y) {
            uint first = find_c(tile, col);
            uint second = find_c(tile, col + 1u);
            [[unroll]] for (uint r = 0u; r < TILE_ROWS; ++r) {
                uint row = tile.row + r;
                uint at = r * COLS_PER_LANE + j;
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
    Tile tile = find_tile(TILE_ROWS, LANES * COLS_PER_LANE);
    uvec2 extents = product_extents(tile.phase);
    if (tile.group >= push.groups || tile.col >= extents.y) {
        return;
    }
    uint lane = gl_SubgroupInvocationID;
    start_rows(tile, lane, extents.x);
    start_cols(tile, lane, extents.y);
    start(tile, lane, extents);
    Taps taps = find_taps(tile.phase);
    uvec2 loops = loop_extents(taps);
    uvec2 begin = uvec2(0u);
#ifdef RUNS_MANY
    loops = min(loops, push.part_end);
    begin = push.part_first;
#endif
    uvec2 strides = inner_strides();
    for (uint outer = begin.x; outer < loops.x; ++outer) {
        uint a_outer = place_b(taps, outer);
        uint k = begin.y;
        for (; k + DEPTH_STEP <= loops.y; k += DEPTH_STEP) {
            multiply(a_outer, k, strides, DEPTH_STEP);
        }
        for (; DEPTH_STEP > 1u && k < loops.y; ++k) {
            multiply(a_outer, k, strides, 1u);
        }
    }
    store(tile, lane, extents);
}
