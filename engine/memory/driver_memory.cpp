// SPDX-License-Identifier: Apache-2.0
// What the driver was asked for, counted.
#include "memory/driver_memory.h"

#include <atomic>

namespace pumice::memory {
namespace {

std::atomic<std::uint64_t> reserved_bytes{0};
std::atomic<std::uint64_t> allocation_count{0};

}  // namespace

vk::Buffer create_buffer(vk::Device& device, std::uint64_t size_bytes, vk::MemoryKind kind) {
    const vk::Buffer buffer = device.create_buffer(size_bytes, kind);
    reserved_bytes.fetch_add(buffer.size_bytes, std::memory_order_relaxed);
    allocation_count.fetch_add(1, std::memory_order_relaxed);
    return buffer;
}

void destroy_buffer(vk::Device& device, const vk::Buffer& buffer) noexcept {
    reserved_bytes.fetch_sub(buffer.size_bytes, std::memory_order_relaxed);
    device.destroy_buffer(buffer);
}

DriverCounters driver_counters() noexcept {
    return {reserved_bytes.load(std::memory_order_relaxed),
            allocation_count.load(std::memory_order_relaxed)};
}

}  // namespace pumice::memory
