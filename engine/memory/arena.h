// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/range_list.h"
#include "vk/device.h"
#include "vk/queue.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace pumice::memory {

struct ArenaOptions {
    vk::MemoryKind kind = vk::MemoryKind::kDevice;
    std::uint64_t granule_bytes = 16;
    std::uint64_t first_block_bytes = 1U << 20U;
    std::uint64_t most_block_bytes = 64U << 20U;
};

/// Driver buffers ("blocks") of one kind, cut into ranges. Not thread-safe: its owner locks.
class Arena {
public:
    Arena(vk::Device& device, const ArenaOptions& options);
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    Arena(Arena&&) = delete;
    Arena& operator=(Arena&&) = delete;

    /// A range of `size_bytes > 0` rounded up to granules, or null where no hole is long enough.
    Range* allocate(std::uint64_t size_bytes) { return ranges_.allocate(size_bytes); }

    void free(Range* range) noexcept { ranges_.free(range); }

    /// Adds a block in which `size_bytes` fit and returns it whole, as a hole. A block is about as
    /// long as all before it together, so that their number grows with the logarithm.
    /// @throws OutOfMemoryError
    vk::Binding grow(std::uint64_t size_bytes);
    /// Moves the shortest idle block of `other` in which `size_bytes` fit to this arena; false
    /// where there is none. Both have the same kind and granule.
    bool adopt_idle_block(Arena& other, std::uint64_t size_bytes);
    /// Gives back the blocks that hold no range.
    void trim() noexcept;

    [[nodiscard]] vk::Binding binding(const Range& range) const noexcept {
        return {blocks_[range.block].get(), range.offset_bytes, range.size_bytes};
    }

    [[nodiscard]] std::uint64_t reserved_bytes() const noexcept { return reserved_bytes_; }

    [[nodiscard]] std::uint64_t free_bytes() const noexcept { return ranges_.free_bytes(); }

    [[nodiscard]] std::uint64_t largest_hole_bytes() const noexcept {
        return ranges_.largest_hole_bytes();
    }

private:
    vk::Buffer create_block(std::uint64_t size_bytes);
    void add_block(std::unique_ptr<vk::Buffer>& block);
    std::unique_ptr<vk::Buffer> remove_block(std::uint32_t number) noexcept;

    vk::Device& device_;
    ArenaOptions options_;
    RangeList ranges_;
    // By block number. Bindings point at the buffers, so each stays where it is.
    std::vector<std::unique_ptr<vk::Buffer>> blocks_;
    std::uint64_t reserved_bytes_ = 0;
};

}  // namespace pumice::memory
