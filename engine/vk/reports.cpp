// SPDX-License-Identifier: Apache-2.0
// Words in which kernels tell the host what they cannot answer.
#include "vk/reports.h"

#include "vk/device.h"

#include <algorithm>
#include <cstring>

namespace pumice::vk {

namespace {

constexpr std::uint64_t kSlotBytes = 16;  // code, index, extent and one to spare

}  // namespace

void Reports::prepare() {
    if (is_ready_.load(std::memory_order_acquire)) [[likely]] {
        return;
    }
    const std::lock_guard lock(making_);
    if (is_ready_.load(std::memory_order_relaxed)) {
        return;
    }
    stride_bytes_ = std::max(kSlotBytes, device_.capabilities().storage_alignment_bytes);
    buffer_ = device_.create_buffer(kSlots * stride_bytes_, MemoryKind::kReadback);
    std::memset(buffer_.mapped, 0, kSlots * stride_bytes_);
    device_.set_name(buffer_, "reports");
    is_ready_.store(true, std::memory_order_release);
}

Binding Reports::next_slot() noexcept {
    const std::uint32_t slot = next_++ % kSlots;
    return {&buffer_, slot * stride_bytes_, kSlotBytes};
}

volatile std::uint32_t* Reports::words_of(std::uint32_t slot) const noexcept {
    return reinterpret_cast<volatile std::uint32_t*>(buffer_.mapped + slot * stride_bytes_);
}

bool Reports::has_any() const noexcept {
    std::uint32_t any = 0;
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        any |= *words_of(slot);
    }
    return any != 0;
}

Report Reports::take() noexcept {
    Report report;
    for (std::uint32_t i = 0; i < kSlots; ++i) {
        volatile std::uint32_t* const words = words_of((next_ + i) % kSlots);
        if (words[0] == 0) {
            continue;
        }
        if (report.code == 0) {
            report = {
                .code = words[0], .index = static_cast<std::int32_t>(words[1]), .extent = words[2]};
        } else {
            ++report.others;
        }
        words[0] = 0;
    }
    return report;
}

}  // namespace pumice::vk
