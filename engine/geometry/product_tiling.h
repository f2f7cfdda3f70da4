// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "geometry/product.h"

#include <cstdint>

namespace pumice::ops {

/// kStore* of shaders/include/matmul_store.glsl.
enum class Store : std::uint32_t { kElement = 0, kPair = 1, kMasked = 2, kQuad = 3 };

/// kLoad* of shaders/matmul/subgroup.comp: elements that one load takes.
enum class Load : std::uint32_t { kWords = 0, kPairs = 1, kQuads = 2 };

/// A workgroup's share of C, and how its invocations divide it.
struct Tiling {
    bool is_subgroup = false;
    std::uint32_t rows = 64;
    std::uint32_t cols = 64;
    std::uint32_t depth = 16;
    std::uint32_t rows_per_invocation = 4;
    std::uint32_t cols_per_invocation = 4;
};

/// How an operand is loaded: along the depth or across it, and how much at once.
struct Loads {
    bool along_depth = true;
    Load load = Load::kWords;
};

Tiling choose_tiling(const Product& p, const vk::Capabilities& caps) noexcept;

/// Tiles of all batches.
std::int64_t tile_count(const Product& p, const Tiling& tiling) noexcept;

/// How the depth is divided. Partial products go through a workspace of accumulators, which a
/// second kernel adds up and rounds: where few tiles have a long depth, and where rows of a narrow
/// dtype share words.
struct Splits {
    std::int64_t depth = 0;  ///< of one split
    std::int64_t count = 1;
    bool is_partial = false;
};

Splits choose_splits(const Product& p, const Tiling& tiling, const vk::Capabilities& caps) noexcept;

Loads choose_a(const Product& p, const Tiling& tiling) noexcept;
Loads choose_b(const Product& p, const Tiling& tiling) noexcept;

/// For a C of `dtype` that starts `offset` elements after its bound start.
Store choose_store(const Product& p,
                   const Tiling& tiling,
                   DType dtype,
                   std::uint32_t offset) noexcept;

}  // namespace pumice::ops
