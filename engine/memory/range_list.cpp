// SPDX-License-Identifier: Apache-2.0
// Which free range a request takes, and which neighbours become one again.
#include "memory/range_list.h"

#include <algorithm>
#include <bit>

namespace pumice::memory {
namespace {

constexpr std::size_t kNodesPerChunk = 256;
// Bounds the walk through one bin, whose holes differ by 1/16 at most.
constexpr int kMostHolesTried = 8;
// Per length, so that what is kept from coalescing stays below half a megabyte in all.
constexpr std::uint32_t kMostKept = 16;

// The shortest among the first holes of a bin that is long enough, or null.
Range* best_of_bin(Range* first, std::uint64_t size_bytes) noexcept {
    Range* best = nullptr;
    int tried_count = 0;
    for (Range* hole = first; hole != nullptr && tried_count < kMostHolesTried; hole = hole->next) {
        if (hole->size_bytes == size_bytes) {
            return hole;
        }
        if (hole->size_bytes > size_bytes &&
            (best == nullptr || hole->size_bytes < best->size_bytes)) {
            best = hole;
        }
        ++tried_count;
    }
    return best;
}

}  // namespace

RangeList::RangeList(std::uint64_t granule_bytes)
    : granule_bytes_(granule_bytes),
      granule_shift_(static_cast<unsigned>(std::countr_zero(granule_bytes))) {}

std::uint32_t RangeList::add_block(std::uint64_t size_bytes) {
    const auto unused = std::find(first_ranges_.begin(), first_ranges_.end(), nullptr);
    const auto block = static_cast<std::uint32_t>(unused - first_ranges_.begin());
    if (unused == first_ranges_.end()) {
        first_ranges_.push_back(nullptr);
    }
    Range* hole = take_node();
    hole->size_bytes = size_bytes & ~(granule_bytes_ - 1);
    hole->block = block;
    first_ranges_[block] = hole;
    insert_hole(hole);
    return block;
}

void RangeList::remove_block(std::uint32_t block) noexcept {
    remove_hole(first_ranges_[block]);
    recycle(first_ranges_[block]);
    first_ranges_[block] = nullptr;
}

bool RangeList::is_block_idle(std::uint32_t block) const noexcept {
    // The node at a block's start is never recycled: it absorbs, and nothing absorbs it.
    const Range* first = block < first_ranges_.size() ? first_ranges_[block] : nullptr;
    return first != nullptr && first->is_free && first->upper == nullptr;
}

Range* RangeList::allocate(std::uint64_t size_bytes) {
    const std::uint64_t granule_count = (size_bytes + granule_bytes_ - 1) >> granule_shift_;
    if (granule_count < kColumnCount && kept_[granule_count] != nullptr) {
        Range* range = kept_[granule_count];
        kept_[granule_count] = range->next;
        --kept_counts_[granule_count];
        free_bytes_ -= range->size_bytes;
        return range;
    }
    Range* range = take_hole(granule_count << granule_shift_);
    if (range == nullptr) {
        coalesce();
        range = take_hole(granule_count << granule_shift_);
    }
    return range;
}

Range* RangeList::take_hole(std::uint64_t rounded_bytes) {
    Range* range = find_hole(rounded_bytes);
    if (range == nullptr) {
        return nullptr;
    }
    if (range->size_bytes == rounded_bytes) {
        remove_hole(range);
        return range;
    }
    Range* rest = take_node();
    remove_hole(range);
    rest->offset_bytes = range->offset_bytes + rounded_bytes;
    rest->size_bytes = range->size_bytes - rounded_bytes;
    rest->block = range->block;
    rest->lower = range;
    rest->upper = range->upper;
    if (rest->upper != nullptr) {
        rest->upper->lower = rest;
    }
    range->upper = rest;
    range->size_bytes = rounded_bytes;
    insert_hole(rest);
    return range;
}

void RangeList::free(Range* range) noexcept {
    const std::uint64_t granule_count = range->size_bytes >> granule_shift_;
    if (granule_count < kColumnCount && kept_counts_[granule_count] < kMostKept) {
        range->next = kept_[granule_count];
        kept_[granule_count] = range;
        ++kept_counts_[granule_count];
        free_bytes_ += range->size_bytes;
        return;
    }
    free_into_hole(range);
}

void RangeList::coalesce() noexcept {
    for (std::size_t granule_count = 0; granule_count < kColumnCount; ++granule_count) {
        while (kept_[granule_count] != nullptr) {
            Range* range = kept_[granule_count];
            kept_[granule_count] = range->next;
            free_bytes_ -= range->size_bytes;
            free_into_hole(range);
        }
        kept_counts_[granule_count] = 0;
    }
}

void RangeList::free_into_hole(Range* range) noexcept {
    if (range->upper != nullptr && range->upper->is_free) {
        remove_hole(range->upper);
        absorb_upper(range);
    }
    if (range->lower != nullptr && range->lower->is_free) {
        range = range->lower;
        remove_hole(range);
        absorb_upper(range);
    }
    insert_hole(range);
}

std::uint64_t RangeList::largest_hole_bytes() const noexcept {
    if (rows_with_holes_ == 0) {
        return 0;
    }
    const auto row = static_cast<unsigned>(std::bit_width(rows_with_holes_)) - 1;
    const auto column = static_cast<unsigned>(std::bit_width(columns_with_holes_[row])) - 1;
    std::uint64_t largest_bytes = 0;
    for (const Range* hole = holes_[row][column]; hole != nullptr; hole = hole->next) {
        largest_bytes = std::max(largest_bytes, hole->size_bytes);
    }
    return largest_bytes;
}

// Row 0 has a bin for each length below 16 granules; row r > 0 divides the lengths from
// 2^(r+3) to 2^(r+4) granules into 16 bins.
RangeList::Bin RangeList::bin_of(std::uint64_t size_bytes) const noexcept {
    const std::uint64_t granule_count = size_bytes >> granule_shift_;
    if (granule_count < kColumnCount) {
        return {0, static_cast<unsigned>(granule_count)};
    }
    const auto row = static_cast<unsigned>(std::bit_width(granule_count)) - kColumnBits;
    return {row, static_cast<unsigned>(granule_count >> (row - 1)) & (kColumnCount - 1)};
}

Range* RangeList::find_hole(std::uint64_t size_bytes) const noexcept {
    const Bin own = bin_of(size_bytes);
    if (Range* hole = best_of_bin(holes_[own.row][own.column], size_bytes); hole != nullptr) {
        return hole;
    }
    // Every hole of the later bins is long enough.
    unsigned row = own.row;
    std::uint32_t columns = columns_with_holes_[row] & (~1U << own.column);
    if (columns == 0) {
        const std::uint64_t rows = rows_with_holes_ & (~std::uint64_t{1} << row);
        if (rows == 0) {
            return nullptr;
        }
        row = static_cast<unsigned>(std::countr_zero(rows));
        columns = columns_with_holes_[row];
    }
    return best_of_bin(holes_[row][static_cast<unsigned>(std::countr_zero(columns))], size_bytes);
}

void RangeList::insert_hole(Range* range) noexcept {
    const Bin bin = bin_of(range->size_bytes);
    Range*& first = holes_[bin.row][bin.column];
    range->is_free = true;
    range->previous = nullptr;
    range->next = first;
    if (first != nullptr) {
        first->previous = range;
    }
    first = range;
    columns_with_holes_[bin.row] |= 1U << bin.column;
    rows_with_holes_ |= std::uint64_t{1} << bin.row;
    free_bytes_ += range->size_bytes;
}

void RangeList::remove_hole(Range* range) noexcept {
    range->is_free = false;
    free_bytes_ -= range->size_bytes;
    if (range->next != nullptr) {
        range->next->previous = range->previous;
    }
    if (range->previous != nullptr) {
        range->previous->next = range->next;
        return;
    }
    const Bin bin = bin_of(range->size_bytes);
    holes_[bin.row][bin.column] = range->next;
    if (range->next == nullptr) {
        columns_with_holes_[bin.row] &= ~(1U << bin.column);
        if (columns_with_holes_[bin.row] == 0) {
            rows_with_holes_ &= ~(std::uint64_t{1} << bin.row);
        }
    }
}

void RangeList::absorb_upper(Range* range) noexcept {
    Range* absorbed = range->upper;
    range->size_bytes += absorbed->size_bytes;
    range->upper = absorbed->upper;
    if (range->upper != nullptr) {
        range->upper->lower = range;
    }
    recycle(absorbed);
}

Range* RangeList::take_node() {
    if (recycled_ == nullptr) {
        node_chunks_.push_back(std::make_unique<Range[]>(kNodesPerChunk));
        for (std::size_t i = 0; i < kNodesPerChunk; ++i) {
            recycle(&node_chunks_.back()[i]);
        }
    }
    Range* node = recycled_;
    recycled_ = node->next;
    *node = Range{};
    return node;
}

void RangeList::recycle(Range* range) noexcept {
    range->next = recycled_;
    recycled_ = range;
}

}  // namespace pumice::memory
