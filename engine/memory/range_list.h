// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace pumice::memory {

/// A taken range or a hole of one block. Its owner is the RangeList that made it.
struct Range {
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0;
    std::uint32_t block = 0;
    bool is_free = false;
    bool is_guest = false;   ///< the owner's own mark on a taken range
    Range* lower = nullptr;  ///< neighbour by address, null at the block's edge
    Range* upper = nullptr;
    Range* previous = nullptr;  ///< in its bin of holes
    Range* next = nullptr;      ///< in its bin of holes, or among the recycled nodes
};

/// Places ranges in any number of blocks; offsets only, no device. Not thread-safe.
///
/// Two-level segregated fit (Masmano et al., 2004) with neighbours linked by address: taking and
/// freeing are O(1). It differs in two points: the request's own bin is looked through first, so
/// that a request finds the hole that a range of the same length left; and a few freed ranges of
/// each short length are kept whole for the next request of that length, until `coalesce` or a
/// request that finds no hole. Holes of all blocks share the bins, which makes the fit a good one
/// across blocks.
class RangeList {
public:
    /// Offsets and lengths are multiples of `granule_bytes`, a power of two.
    explicit RangeList(std::uint64_t granule_bytes);

    /// Adds one hole of that length, rounded down to granules; returns the block's number, the
    /// lowest that is not in use.
    std::uint32_t add_block(std::uint64_t size_bytes);
    /// Forgets a block. Requires `is_block_idle(block)`.
    void remove_block(std::uint32_t block) noexcept;
    /// True if nothing in the block is taken. Ranges that are kept whole count as taken.
    [[nodiscard]] bool is_block_idle(std::uint32_t block) const noexcept;

    /// A range of `size_bytes > 0` rounded up to granules, or null where no hole is long enough.
    Range* allocate(std::uint64_t size_bytes);
    void free(Range* range) noexcept;
    /// Turns the ranges that are kept whole into holes.
    void coalesce() noexcept;

    [[nodiscard]] std::uint64_t free_bytes() const noexcept { return free_bytes_; }

    [[nodiscard]] std::uint64_t largest_hole_bytes() const noexcept;

private:
    static constexpr unsigned kColumnBits = 4;
    static constexpr unsigned kColumnCount = 1U << kColumnBits;
    static constexpr unsigned kRowCount = 64 - kColumnBits;

    struct Bin {
        unsigned row = 0;
        unsigned column = 0;
    };

    [[nodiscard]] Bin bin_of(std::uint64_t size_bytes) const noexcept;
    void free_into_hole(Range* range) noexcept;
    Range* take_hole(std::uint64_t rounded_bytes);
    [[nodiscard]] Range* find_hole(std::uint64_t size_bytes) const noexcept;
    void insert_hole(Range* range) noexcept;
    void remove_hole(Range* range) noexcept;
    void absorb_upper(Range* range) noexcept;
    Range* take_node();
    void recycle(Range* range) noexcept;

    std::uint64_t granule_bytes_;
    unsigned granule_shift_;
    std::uint64_t free_bytes_ = 0;
    std::uint64_t rows_with_holes_ = 0;
    std::array<std::uint32_t, kRowCount> columns_with_holes_{};
    std::array<std::array<Range*, kColumnCount>, kRowCount> holes_{};
    std::array<Range*, kColumnCount> kept_{};  ///< by length in granules
    std::array<std::uint32_t, kColumnCount> kept_counts_{};
    std::vector<Range*> first_ranges_;  ///< by block; null where the number is not in use
    std::vector<std::unique_ptr<Range[]>> node_chunks_;
    Range* recycled_ = nullptr;
};

}  // namespace pumice::memory
