// SPDX-License-Identifier: Apache-2.0
// Which views of buffers are kept, and when one that is not kept any more may die.
#include "vk/texel_views.h"

#include "base/invariant.h"
#include "vk/check.h"

#include <algorithm>

namespace pumice::vk {

namespace {

// The caller's range is what storage buffers bind: offset and size are multiples of 4.
VkBufferViewCreateInfo info_of(const Binding& range, TexelWidth width) noexcept {
    VkBufferViewCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO;
    info.buffer = to_handle<VkBuffer>(range.buffer->handle);
    info.format = width == TexelWidth::kWord ? VK_FORMAT_R32_UINT : VK_FORMAT_R32G32B32A32_UINT;
    info.offset = range.offset_bytes;
    info.range = range.size_bytes;
    return info;
}

std::size_t hash_of(const Binding& range) noexcept {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
    std::uint64_t hash = (range.offset_bytes ^ range.size_bytes << 32U) + range.buffer->id;
    hash *= kOdd;
    return static_cast<std::size_t>(hash >> 40U);
}

}  // namespace

TexelViews::TexelViews(const DeviceHandles& handles, const VolkDeviceTable& table) noexcept
    : handles_(handles), table_(table) {}

TexelViews::~TexelViews() {
    for (const auto& set : sets_) {
        for (const Kept& kept : set) {
            destroy(kept.view);
        }
    }
    for (const Retired& each : retired_) {
        destroy(each.view);
    }
}

VkBufferView TexelViews::make(const Binding& range, TexelWidth width) const {
    const auto texel_bytes = sizeof(std::uint32_t) * static_cast<std::uint64_t>(width);
    PUMICE_INVARIANT(range.size_bytes % texel_bytes == 0);
    const VkBufferViewCreateInfo info = info_of(range, width);
    VkBufferView made = VK_NULL_HANDLE;
    PUMICE_VK_CHECK(table_.vkCreateBufferView(handles_.device, &info, nullptr, &made),
                    "vkCreateBufferView");
    return made;
}

void TexelViews::destroy(VkBufferView view) const noexcept {
    table_.vkDestroyBufferView(handles_.device, view, nullptr);
}

VkBufferView TexelViews::get(const Binding& range,
                             TexelWidth width,
                             std::uint64_t value,
                             std::uint64_t completed) {
    const std::lock_guard lock(mutex_);
    if (sets_.empty()) {
        sets_.resize(kSetCount);
    }
    auto& set = sets_[hash_of(range) % kSetCount];
    for (Kept& kept : set) {
        if (kept.buffer_id == range.buffer->id && kept.offset_bytes == range.offset_bytes &&
            kept.size_bytes == range.size_bytes && kept.width == width &&
            kept.view != VK_NULL_HANDLE) {
            kept.value = value;
            return kept.view;
        }
    }
    Kept& oldest = *std::min_element(
        set.begin(), set.end(), [](const Kept& a, const Kept& b) { return a.value < b.value; });
    if (oldest.view != VK_NULL_HANDLE) {
        retire(oldest, completed);
        oldest = {};
    }
    oldest = {.view = make(range, width),
              .buffer_id = range.buffer->id,
              .width = width,
              .offset_bytes = range.offset_bytes,
              .size_bytes = range.size_bytes,
              .value = value};
    return oldest.view;
}

void TexelViews::retire(const Kept& kept, std::uint64_t completed) {
    std::erase_if(retired_, [&](const Retired& each) {
        if (each.value > completed) {
            return false;
        }
        destroy(each.view);
        return true;
    });
    if (kept.value <= completed) {
        destroy(kept.view);
    } else {
        retired_.push_back({kept.view, kept.value});
    }
}

void TexelViews::forget(std::uint32_t buffer_id) noexcept {
    const std::lock_guard lock(mutex_);
    for (auto& set : sets_) {
        for (Kept& kept : set) {
            if (kept.buffer_id == buffer_id && kept.view != VK_NULL_HANDLE) {
                destroy(kept.view);
                kept = {};
            }
        }
    }
}

}  // namespace pumice::vk
