// SPDX-License-Identifier: Apache-2.0
// Blocks of the driver's memory, and ranges in them.
#include "memory/arena.h"

#include "pumice/error.h"

#include "memory/driver_memory.h"

#include <algorithm>
#include <bit>

namespace pumice::memory {
namespace {

// A block of a request's own is rounded by 1/8 at most, so that its next tenant may be a bit
// longer.
std::uint64_t own_block_bytes(std::uint64_t size_bytes) {
    constexpr std::uint64_t kLeastStepBytes = 64U << 10U;
    const std::uint64_t step_bytes = std::max(kLeastStepBytes, std::bit_floor(size_bytes) / 8);
    return (size_bytes + step_bytes - 1) & ~(step_bytes - 1);
}

}  // namespace

Arena::Arena(vk::Device& device, const ArenaOptions& options)
    : device_(device), options_(options), ranges_(options.granule_bytes) {}

Arena::~Arena() {
    for (const auto& block : blocks_) {
        if (block != nullptr) {
            destroy_buffer(device_, *block);
        }
    }
}

vk::Binding Arena::grow(std::uint64_t size_bytes) {
    auto block = std::make_unique<vk::Buffer>();
    vk::Buffer* buffer = block.get();
    *buffer = create_block(size_bytes);
    try {
        add_block(block);
    } catch (...) {
        destroy_buffer(device_, *buffer);
        throw;
    }
    return {buffer, 0, buffer->size_bytes & ~(options_.granule_bytes - 1)};
}

bool Arena::adopt_idle_block(Arena& other, std::uint64_t size_bytes) {
    other.ranges_.coalesce();
    std::uint32_t best = 0;
    std::uint64_t best_bytes = UINT64_MAX;
    for (std::uint32_t number = 0; number < other.blocks_.size(); ++number) {
        const std::uint64_t bytes =
            other.ranges_.is_block_idle(number) ? other.blocks_[number]->size_bytes : 0;
        if (bytes >= size_bytes && bytes < best_bytes) {
            best = number;
            best_bytes = bytes;
        }
    }
    if (best_bytes == UINT64_MAX) {
        return false;
    }
    std::unique_ptr<vk::Buffer> block = other.remove_block(best);
    try {
        add_block(block);
    } catch (...) {
        destroy_buffer(device_, *block);
        throw;
    }
    return true;
}

// Takes the buffer over, or throws and leaves it.
void Arena::add_block(std::unique_ptr<vk::Buffer>& block) {
    blocks_.reserve(blocks_.size() + 1);
    const std::uint32_t number = ranges_.add_block(block->size_bytes);
    reserved_bytes_ += block->size_bytes;
    if (number == blocks_.size()) {
        blocks_.emplace_back();
    }
    blocks_[number] = std::move(block);
}

vk::Buffer Arena::create_block(std::uint64_t size_bytes) {
    const std::uint64_t least_bytes = own_block_bytes(size_bytes);
    const std::uint64_t usual_bytes = std::clamp(
        std::bit_floor(reserved_bytes_), options_.first_block_bytes, options_.most_block_bytes);
    if (usual_bytes > least_bytes) {
        try {
            return create_buffer(device_, usual_bytes, options_.kind);
        } catch (const OutOfMemoryError&) {
            // The request alone may still fit.
        }
    } else if (usual_bytes >= size_bytes) {
        return create_buffer(device_, usual_bytes, options_.kind);
    }
    return create_buffer(device_, least_bytes, options_.kind);
}

void Arena::trim() noexcept {
    ranges_.coalesce();
    for (std::uint32_t number = 0; number < blocks_.size(); ++number) {
        if (ranges_.is_block_idle(number)) {
            const std::unique_ptr<vk::Buffer> block = remove_block(number);
            destroy_buffer(device_, *block);
        }
    }
}

std::unique_ptr<vk::Buffer> Arena::remove_block(std::uint32_t number) noexcept {
    ranges_.remove_block(number);
    reserved_bytes_ -= blocks_[number]->size_bytes;
    return std::move(blocks_[number]);
}

}  // namespace pumice::memory
