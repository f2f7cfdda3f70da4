// SPDX-License-Identifier: Apache-2.0
// Buffers and their memory, and those that wait for the device before they die.
#include "vk/buffer_store.h"

#include "pumice/error.h"

#include "vk/check.h"
#include "vk/environment.h"

#include <algorithm>
#include <string>

namespace pumice::vk {
namespace {

constexpr VkMemoryPropertyFlags kHostCoherent =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr const char* kWhere = "device memory";

std::atomic<std::uint32_t> next_id{1};

/// Flags that a type must have for the kind.
VkMemoryPropertyFlags needed_flags(MemoryKind kind) {
    return kind == MemoryKind::kDevice ? VkMemoryPropertyFlags{VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT}
                                       : kHostCoherent;
}

/// How well a type serves the kind; higher is better.
std::uint64_t rank(MemoryKind kind, VkMemoryPropertyFlags flags, std::uint64_t heap_bytes) {
    const bool is_local = (flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) != 0;
    const bool is_cached = (flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT) != 0;
    switch (kind) {
        case MemoryKind::kDevice:
            // A mapped window of 256 MiB (no resizable BAR) is a small heap of its own: size first.
            return 2 * heap_bytes + ((flags & kHostCoherent) == kHostCoherent ? 1 : 0);
        case MemoryKind::kUpload: return (is_local ? 0U : 2U) + (is_cached ? 0U : 1U);
        case MemoryKind::kReadback: return (is_cached ? 2U : 0U) + (is_local ? 0U : 1U);
    }
    return 0;
}

}  // namespace

BufferStore::BufferStore(const PhysicalDevice& physical,
                         const DeviceHandles& handles,
                         const VolkDeviceTable& table,
                         TexelViews& views)
    : physical_(physical), handles_(handles), table_(table), views_(views) {
    vkGetPhysicalDeviceMemoryProperties(physical.handle, &memory_);
    is_staging_forced_ = environment_says("PUMICE_STAGING", "force");
    retired_.reserve(256);
}

BufferStore::~BufferStore() {
    collect(UINT64_MAX);
}

std::uint32_t BufferStore::pick_type(MemoryKind kind, std::uint32_t allowed) const {
    constexpr std::uint32_t kNone = UINT32_MAX;
    const auto best_with = [&](VkMemoryPropertyFlags needed) {
        std::uint32_t best = kNone;
        std::uint64_t best_rank = 0;
        for (std::uint32_t i = 0; i < memory_.memoryTypeCount; ++i) {
            const VkMemoryPropertyFlags flags = memory_.memoryTypes[i].propertyFlags;
            if ((allowed & (1U << i)) == 0 || (flags & needed) != needed) {
                continue;
            }
            const std::uint64_t heap_bytes =
                memory_.memoryHeaps[memory_.memoryTypes[i].heapIndex].size;
            const std::uint64_t its_rank = rank(kind, flags, heap_bytes);
            if (best == kNone || its_rank > best_rank) {
                best = i;
                best_rank = its_rank;
            }
        }
        return best;
    };
    std::uint32_t type = best_with(needed_flags(kind));
    if (type == kNone && kind == MemoryKind::kDevice) {
        type = best_with(0);  // the specification promises a device-local type, but not for buffers
    }
    if (type == kNone) {
        throw DeviceError("vulkan", "no memory type for a storage buffer of that kind");
    }
    return type;
}

std::uint64_t BufferStore::heap_free_bytes(std::uint32_t heap) const {
    std::uint64_t total = memory_.memoryHeaps[heap].size;
    std::uint64_t used = used_bytes_[heap].load(std::memory_order_relaxed);
    if (physical_.has_memory_budget) {
        VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{};
        budget.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT;
        VkPhysicalDeviceMemoryProperties2 memory{};
        memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
        memory.pNext = &budget;
        vkGetPhysicalDeviceMemoryProperties2(physical_.handle, &memory);
        total = std::min(total, budget.heapBudget[heap]);
        used = std::max(used, budget.heapUsage[heap]);
    }
    return total - std::min(total, used);
}

std::uint64_t BufferStore::free_bytes() const {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < memory_.memoryHeapCount; ++i) {
        if ((memory_.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0) {
            sum += heap_free_bytes(i);
        }
    }
    return sum;
}

Buffer BufferStore::create(std::uint64_t size_bytes, MemoryKind kind) {
    if (size_bytes == 0) {
        throw InternalError("vulkan", "a buffer of 0 bytes was asked for; wanted at least 1");
    }
    if (size_bytes > physical_.max_buffer_bytes) {
        throw OutOfMemoryError(kWhere, size_bytes, free_bytes(), physical_.max_buffer_bytes);
    }
    VkBufferCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
    info.size = size_bytes;
    info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    if (physical_.capabilities.reads_texels) {
        info.usage |= VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT;
    }
    info.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
    VkBuffer made = VK_NULL_HANDLE;
    const VkResult result = table_.vkCreateBuffer(handles_.device, &info, nullptr, &made);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) {
        throw OutOfMemoryError(kWhere, size_bytes, free_bytes(), free_bytes());
    }
    PUMICE_VK_CHECK(result, "vkCreateBuffer");
    Buffer buffer;
    buffer.handle = from_handle(made);
    buffer.size_bytes = size_bytes;
    buffer.id = next_id.fetch_add(1, std::memory_order_relaxed);
    try {
        bind_new_memory(buffer, kind);
    } catch (...) {
        destroy(buffer);
        throw;
    }
    return buffer;
}

void BufferStore::bind_new_memory(Buffer& buffer, MemoryKind kind) {
    const auto handle = to_handle<VkBuffer>(buffer.handle);
    VkMemoryRequirements needs{};
    table_.vkGetBufferMemoryRequirements(handles_.device, handle, &needs);
    const std::uint32_t type = pick_type(kind, needs.memoryTypeBits);
    const std::uint32_t heap = memory_.memoryTypes[type].heapIndex;
    VkMemoryAllocateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
    info.allocationSize = needs.size;
    info.memoryTypeIndex = type;
    VkDeviceMemory memory = VK_NULL_HANDLE;
    const VkResult result = needs.size > memory_.memoryHeaps[heap].size
                                ? VK_ERROR_OUT_OF_DEVICE_MEMORY
                                : table_.vkAllocateMemory(handles_.device, &info, nullptr, &memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY ||
        result == VK_ERROR_TOO_MANY_OBJECTS) {
        const std::uint64_t free = heap_free_bytes(heap);
        throw OutOfMemoryError(kWhere, buffer.size_bytes, free, free);
    }
    PUMICE_VK_CHECK(result, "vkAllocateMemory");
    buffer.memory = from_handle(memory);
    used_bytes_[heap].fetch_add(buffer.size_bytes, std::memory_order_relaxed);
    buffer.heap = static_cast<std::uint8_t>(heap);
    PUMICE_VK_CHECK(table_.vkBindBufferMemory(handles_.device, handle, memory, 0),
                    "vkBindBufferMemory");
    const VkMemoryPropertyFlags flags = memory_.memoryTypes[type].propertyFlags;
    const bool is_hidden = kind == MemoryKind::kDevice && is_staging_forced_;
    if ((flags & kHostCoherent) == kHostCoherent && !is_hidden) {
        void* mapped = nullptr;
        PUMICE_VK_CHECK(table_.vkMapMemory(handles_.device, memory, 0, VK_WHOLE_SIZE, 0, &mapped),
                        "vkMapMemory");
        buffer.mapped = static_cast<std::byte*>(mapped);
    }
}

void BufferStore::destroy(const Buffer& buffer) noexcept {
    views_.forget(buffer.id);
    table_.vkDestroyBuffer(handles_.device, to_handle<VkBuffer>(buffer.handle), nullptr);
    if (buffer.memory != 0) {
        table_.vkFreeMemory(handles_.device, to_handle<VkDeviceMemory>(buffer.memory), nullptr);
        used_bytes_[buffer.heap].fetch_sub(buffer.size_bytes, std::memory_order_relaxed);
    }
}

void BufferStore::retire(const Buffer& buffer, std::uint64_t value) noexcept {
    if (buffer.handle == 0) {
        return;
    }
    try {
        const std::lock_guard lock(mutex_);
        retired_.push_back({buffer, value});
        retired_count_.fetch_add(1, std::memory_order_relaxed);
    } catch (...) {  // no host memory for the list: the buffer leaks
    }
}

void BufferStore::collect(std::uint64_t completed_value) noexcept {
    const std::lock_guard lock(mutex_);
    const auto is_done = [this, completed_value](const Retired& each) {
        if (each.value > completed_value) {
            return false;
        }
        destroy(each.buffer);
        return true;
    };
    const std::size_t count = std::erase_if(retired_, is_done);
    retired_count_.fetch_sub(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
}

void BufferStore::set_name(const Buffer& buffer, std::string_view name) const {
    if (!handles_.has_debug_utils || buffer.handle == 0) {
        return;
    }
    const std::string text(name);
    VkDebugUtilsObjectNameInfoEXT info{};
    info.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT;
    info.objectType = VK_OBJECT_TYPE_BUFFER;
    info.objectHandle = buffer.handle;
    info.pObjectName = text.c_str();
    vkSetDebugUtilsObjectNameEXT(handles_.device, &info);
}

}  // namespace pumice::vk
