// SPDX-License-Identifier: Apache-2.0
// Memory that the host writes and reads: slices for transfers, used again once they have passed.
#include "memory/staging.h"

#include "pumice/error.h"

#include "memory/allocator.h"
#include "vk/queue.h"

#include <algorithm>
#include <atomic>

namespace pumice::memory {
namespace {

constexpr std::uint64_t kGranuleBytes = 256;
constexpr std::uint64_t kFirstBlockBytes = 1U << 20U;
constexpr std::uint64_t kMostBlockBytes = 16U << 20U;
constexpr std::uint64_t kMostUploadBytes = 64U << 20U;
// A readback is held by its reader, so that waiting for another one's end could wait forever.
constexpr std::uint64_t kMostReadbackBytes = ~std::uint64_t{0};

std::atomic<StagingRing*> made_upload_ring{nullptr};
std::atomic<StagingRing*> made_readback_ring{nullptr};

StagingRing* make_ring(vk::MemoryKind kind,
                       std::uint64_t most_bytes,
                       std::atomic<StagingRing*>& made) {
    auto* ring = new StagingRing(vk::device(), kind, most_bytes);
    made.store(ring, std::memory_order_release);
    return ring;
}

}  // namespace

StagingRing::StagingRing(vk::Device& device, vk::MemoryKind kind, std::uint64_t most_bytes)
    : device_(device),
      most_bytes_(most_bytes),
      arena_(device,
             {.kind = kind,
              .granule_bytes = kGranuleBytes,
              .first_block_bytes = kFirstBlockBytes,
              .most_block_bytes = kMostBlockBytes}) {}

Range* StagingRing::acquire(std::uint64_t size_bytes) {
    const std::lock_guard lock(mutex_);
    vk::Queue& queue = device_.queue();
    if (!pending_.empty()) {
        recycle_until(queue.completed());
    }
    Range* slice = arena_.allocate(size_bytes);
    while (slice == nullptr && !pending_.empty() &&
           arena_.reserved_bytes() + size_bytes > most_bytes_) {
        const std::uint64_t oldest_value = pending_.front().value;
        queue.wait(oldest_value);
        recycle_until(oldest_value);
        slice = arena_.allocate(size_bytes);
    }
    if (slice == nullptr) {
        grow(size_bytes);
        slice = arena_.allocate(size_bytes);
    }
    return slice;
}

void StagingRing::grow(std::uint64_t size_bytes) {
    try {
        arena_.grow(size_bytes);
    } catch (const OutOfMemoryError&) {
        allocator().trim();
        arena_.grow(size_bytes);
    }
}

vk::Binding StagingRing::binding(const Range& slice) const {
    const std::lock_guard lock(mutex_);
    return arena_.binding(slice);
}

void StagingRing::release(Range* slice) noexcept {
    const std::lock_guard lock(mutex_);
    arena_.free(slice);
}

void StagingRing::release_after(Range* slice, std::uint64_t value) {
    const std::lock_guard lock(mutex_);
    // Threads may arrive out of order by a submit; recycling looks at the front only.
    const std::uint64_t newest_value = pending_.empty() ? 0 : pending_.back().value;
    pending_.push_back({std::max(value, newest_value), slice});
}

void StagingRing::recycle_until(std::uint64_t value) noexcept {
    auto next = pending_.begin();
    for (; next != pending_.end() && next->value <= value; ++next) {
        arena_.free(next->slice);
    }
    pending_.erase(pending_.begin(), next);
}

void StagingRing::trim() {
    const std::lock_guard lock(mutex_);
    if (!pending_.empty()) {
        const std::uint64_t newest_value = pending_.back().value;
        device_.queue().wait(newest_value);
        recycle_until(newest_value);
    }
    arena_.trim();
}

StagingRing& upload_ring() {
    static StagingRing& ring =
        *make_ring(vk::MemoryKind::kUpload, kMostUploadBytes, made_upload_ring);
    return ring;
}

StagingRing& readback_ring() {
    static StagingRing& ring =
        *make_ring(vk::MemoryKind::kReadback, kMostReadbackBytes, made_readback_ring);
    return ring;
}

void trim_staging() {
    for (const auto* made : {&made_upload_ring, &made_readback_ring}) {
        if (StagingRing* ring = made->load(std::memory_order_acquire)) {
            ring->trim();
        }
    }
}

}  // namespace pumice::memory
