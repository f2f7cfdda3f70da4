// SPDX-License-Identifier: Apache-2.0
// Which tile a matrix product takes on which device.
#include "geometry/product_tiling.h"

#include "geometry/tiles.h"

#include <algorithm>

namespace pumice::ops {

namespace {

// Whether each `width` neighbours along the unit stride are contiguous and start at a multiple.
bool is_aligned(const MatrixView& matrix,
                std::int64_t unit_stride,
                std::int64_t other_stride,
                std::int64_t width) noexcept {
    bool fits = unit_stride == 1 && other_stride % width == 0 && matrix.offset % width == 0;
    for (const std::int64_t stride : matrix.batch_strides) {
        fits = fits && stride % width == 0;
    }
    return fits;
}

// `extent` counts the rows (a) or columns (b). Quads are whole; the end of a depth in pairs is
// loaded element by element.
Loads choose_loads(const Product& p,
                   const MatrixView& matrix,
                   std::int64_t depth_stride,
                   std::int64_t other_stride,
                   std::int64_t extent) noexcept {
    const bool along_depth = depth_stride == 1 || other_stride != 1;
    const std::int64_t length = along_depth ? p.depth : extent;
    const auto is_aligned_to = [&](std::int64_t width) {
        return along_depth ? is_aligned(matrix, depth_stride, other_stride, width)
                           : is_aligned(matrix, other_stride, depth_stride, width);
    };
    const bool has_elements = p.depth > 0;
    if (itemsize(p.dtype) == 4 && has_elements && length % 4 == 0 && is_aligned_to(4)) {
        return {.along_depth = along_depth, .load = Load::kQuads};
    }
    const bool is_even = along_depth || extent % 2 == 0;
    if (itemsize(p.dtype) == 2 && is_even && is_aligned_to(2)) {
        return {.along_depth = along_depth, .load = Load::kPairs};
    }
    return {.along_depth = along_depth};
}

// On software drivers: measured on lavapipe, see docs/measurements.md. More rows a tile cost less a
// product but compile longer, so that they wait for a large one.
Tiling tile_for_cpu(const Product& p, const vk::Capabilities& caps) noexcept {
    constexpr std::int64_t kLarge = 4 << 20;
    const std::int64_t lanes = caps.subgroup_size;
    Tiling tiling{.is_subgroup = true, .cols_per_invocation = p.cols <= 2 * lanes ? 2U : 4U};
    if (p.rows <= 8) {
        tiling.rows = p.rows == 1 ? 1 : 8;
    } else if (tiling.cols_per_invocation == 2) {
        tiling.rows = p.rows <= 16 ? 16 : 32;
    } else {
        const bool is_large = p.rows * p.cols * p.depth >= kLarge && p.rows >= 32;
        tiling.rows = is_large ? 32 : 16;
    }
    tiling.cols = tiling.cols_per_invocation * caps.subgroup_size;
    return tiling;
}

Tiling tile_for_gpu(const Product& p, const vk::Capabilities& caps) noexcept {
    constexpr std::int64_t kManyTiles = 128;
    if (caps.max_group_invocations < 256) {
        return {.rows = 32, .cols = 64, .depth = 16};
    }
    if (p.rows <= 16) {
        return {.rows = 16,
                .cols = 64,
                .depth = 32,
                .rows_per_invocation = 2,
                .cols_per_invocation = 2};
    }
    const std::int64_t large_tiles = ceil_div<std::int64_t>(p.rows, 128) *
                                     ceil_div<std::int64_t>(p.cols, 128) * numel(p.batch_sizes);
    if (large_tiles >= kManyTiles) {
        return {.rows = 128,
                .cols = 128,
                .depth = 8,
                .rows_per_invocation = 8,
                .cols_per_invocation = 8};
    }
    return {};
}

}  // namespace

Loads choose_a(const Product& p, const Tiling& tiling) noexcept {
    Loads loads = choose_loads(p, p.a, p.a.col_stride, p.a.row_stride, p.rows);
    // A quad across holds four rows of a tile, a pair across is not loaded.
    const bool can = loads.along_depth || (loads.load == Load::kQuads && tiling.rows % 4 == 0);
    loads.load = can || !tiling.is_subgroup ? loads.load : Load::kWords;
    return loads;
}

Loads choose_b(const Product& p, const Tiling& tiling) noexcept {
    Loads loads = choose_loads(p, p.b, p.b.row_stride, p.b.col_stride, p.cols);
    const bool can =
        loads.along_depth || loads.load != Load::kQuads || tiling.cols_per_invocation >= 4;
    loads.load = can || !tiling.is_subgroup ? loads.load : Load::kWords;
    return loads;
}

Store choose_store(const Product& p,
                   const Tiling& tiling,
                   DType dtype,
                   std::uint32_t offset) noexcept {
    MatrixView c = p.c;
    c.offset = offset;
    const auto is_in = [&](std::int64_t width) {
        return p.cols % width == 0 && is_aligned(c, c.col_stride, c.row_stride, width);
    };
    if (tiling.is_subgroup && tiling.cols_per_invocation >= 4 && itemsize(dtype) == 4 && is_in(4)) {
        return Store::kQuad;
    }
    if (itemsize(dtype) >= 2 && is_in(2)) {
        return Store::kPair;
    }
    return itemsize(dtype) == 4 ? Store::kElement : Store::kMasked;
}

Tiling choose_tiling(const Product& p, const vk::Capabilities& caps) noexcept {
    if (prefers_subgroup_tiles(caps)) {
        return tile_for_cpu(p, caps);
    }
    if (caps.is_cpu) {
        return {.rows = 32, .cols = 32, .rows_per_invocation = 8, .cols_per_invocation = 8};
    }
    return tile_for_gpu(p, caps);
}

std::int64_t tile_count(const Product& p, const Tiling& tiling) noexcept {
    return ceil_div<std::int64_t>(p.rows, tiling.rows) *
           ceil_div<std::int64_t>(p.cols, tiling.cols) * numel(p.batch_sizes);
}

Splits choose_splits(const Product& p,
                     const Tiling& tiling,
                     const vk::Capabilities& caps) noexcept {
    const std::int64_t wanted_groups = caps.is_cpu ? 4 : 256;
    const std::int64_t least_depth = caps.is_cpu ? 512 : 256;
    constexpr std::int64_t kMultiple = 64;  // keeps every split's start aligned for wide loads
    Splits splits{.depth = p.depth};
    const bool has_whole_words = p.c.offset * itemsize(p.dtype) % 4 == 0;
    if (!p.c_is_contiguous || !has_whole_words) {
        return splits;
    }
    const std::int64_t wanted =
        std::min(wanted_groups / tile_count(p, tiling), p.depth / least_depth);
    const std::int64_t element_count = p.rows * p.cols * numel(p.batch_sizes);
    const auto partial_bytes = static_cast<std::uint64_t>(wanted * element_count) * 4;
    if (wanted > 1 && partial_bytes <= caps.max_storage_range_bytes) {
        splits.depth = ceil_div(ceil_div(p.depth, wanted), kMultiple) * kMultiple;
        splits.count = ceil_div(p.depth, splits.depth);
    }
    splits.is_partial =
        splits.count > 1 || choose_store(p, tiling, p.dtype, p.c.offset) == Store::kMasked;
    return splits;
}

}  // namespace pumice::ops
