// SPDX-License-Identifier: Apache-2.0
#include "pumice/memory.h"

#include "memory/allocator.h"
#include "memory/staging.h"
#include "vk/device.h"

#include <atomic>

namespace pumice::memory {
namespace {

// Apart from the singleton itself, so that reading statistics makes no device.
std::atomic<Allocator*> made_allocator{nullptr};

Allocator* make_allocator() {
    auto* made = new Allocator(vk::device());
    made_allocator.store(made, std::memory_order_release);
    return made;
}

}  // namespace

Allocator& allocator() {
    // Leaked: tensors with static lifetime are freed after any static allocator would be gone.
    static Allocator& instance = *make_allocator();
    return instance;
}

}  // namespace pumice::memory

namespace pumice {

double MemoryStats::ratio() const noexcept {
    if (lower_bound_bytes == 0) {
        return 0.0;
    }
    return static_cast<double>(transient_peak_bytes) / static_cast<double>(lower_bound_bytes);
}

MemoryStats memory_stats() {
    const memory::Allocator* made = memory::made_allocator.load(std::memory_order_acquire);
    return made == nullptr ? MemoryStats{} : made->stats();
}

void reset_peak_memory_stats() {
    if (memory::Allocator* made = memory::made_allocator.load(std::memory_order_acquire)) {
        made->reset_peaks();
    }
}

void empty_cache() {
    if (memory::Allocator* made = memory::made_allocator.load(std::memory_order_acquire)) {
        memory::trim_staging();
        made->trim();
    }
}

}  // namespace pumice
