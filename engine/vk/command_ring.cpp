// SPDX-License-Identifier: Apache-2.0
// Command buffers, used again in the order of their submits.
#include "vk/command_ring.h"

#include "vk/check.h"

#include <algorithm>
#include <array>
#include <bit>

namespace pumice::vk {
namespace {

constexpr std::uint32_t kSetsPerPool = 64;

}  // namespace

SetPool::SetPool(const DeviceHandles& handles, const VolkDeviceTable& table) noexcept
    : handles_(handles), table_(table) {}

SetPool::~SetPool() {
    for (VkDescriptorPool pool : pools_) {
        table_.vkDestroyDescriptorPool(handles_.device, pool, nullptr);
    }
}

VkDescriptorSet SetPool::take(const BindingLayout& layout) {
    if (layout.number >= layouts_.size()) {
        layouts_.resize(layout.number + 1);
    }
    OfLayout& its = layouts_[layout.number];
    if (its.used_count == its.sets.size()) {
        grow(layout);
    }
    return its.sets[its.used_count++];
}

void SetPool::grow(const BindingLayout& layout) {
    const auto texel_count = static_cast<std::uint32_t>(std::popcount(layout.texel_mask));
    const std::uint32_t storage_count = layout.binding_count - texel_count;
    // A pool may not ask for none of a kind.
    const std::array<VkDescriptorPoolSize, 2> counts = {{
        {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, kSetsPerPool * std::max(storage_count, 1U)},
        {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, kSetsPerPool * std::max(texel_count, 1U)},
    }};
    VkDescriptorPoolCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
    info.maxSets = kSetsPerPool;
    info.poolSizeCount = static_cast<std::uint32_t>(counts.size());
    info.pPoolSizes = counts.data();
    pools_.reserve(pools_.size() + 1);
    VkDescriptorPool pool = VK_NULL_HANDLE;
    PUMICE_VK_CHECK(table_.vkCreateDescriptorPool(handles_.device, &info, nullptr, &pool),
                    "vkCreateDescriptorPool");
    pools_.push_back(pool);

    std::array<VkDescriptorSetLayout, kSetsPerPool> layouts{};
    layouts.fill(layout.set);
    std::array<VkDescriptorSet, kSetsPerPool> made{};
    VkDescriptorSetAllocateInfo allocation{};
    allocation.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
    allocation.descriptorPool = pool;
    allocation.descriptorSetCount = kSetsPerPool;
    allocation.pSetLayouts = layouts.data();
    PUMICE_VK_CHECK(table_.vkAllocateDescriptorSets(handles_.device, &allocation, made.data()),
                    "vkAllocateDescriptorSets");
    std::vector<VkDescriptorSet>& sets = layouts_[layout.number].sets;
    sets.insert(sets.end(), made.begin(), made.end());
}

CommandSlot::CommandSlot(const DeviceHandles& its_handles, const VolkDeviceTable& its_table)
    : handles(its_handles), table(its_table), sets(its_handles, its_table) {
    VkCommandPoolCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
    info.flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT;
    info.queueFamilyIndex = handles.queue_family;
    PUMICE_VK_CHECK(table.vkCreateCommandPool(handles.device, &info, nullptr, &pool),
                    "vkCreateCommandPool");
    VkCommandBufferAllocateInfo allocation{};
    allocation.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
    allocation.commandPool = pool;
    allocation.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
    allocation.commandBufferCount = 1;
    const VkResult result = table.vkAllocateCommandBuffers(handles.device, &allocation, &buffer);
    if (result < 0) {
        table.vkDestroyCommandPool(handles.device, pool, nullptr);
        throw_result(result, "vkAllocateCommandBuffers");
    }
}

CommandSlot::~CommandSlot() {
    table.vkDestroyCommandPool(handles.device, pool, nullptr);
}

void CommandSlot::begin(VkCommandBufferUsageFlags usage) {
    PUMICE_VK_CHECK(table.vkResetCommandPool(handles.device, pool, 0), "vkResetCommandPool");
    sets.reset();
    VkCommandBufferBeginInfo info{};
    info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
    info.flags = usage;
    PUMICE_VK_CHECK(table.vkBeginCommandBuffer(buffer, &info), "vkBeginCommandBuffer");
}

CommandSlot& CommandRing::take(Timeline& timeline) {
    if (!slots_.empty() && slots_[next_]->value <= timeline.known()) {
        return *slots_[next_];
    }
    if (!slots_.empty()) {
        PUMICE_VK_CHECK(timeline.query(), "vkGetSemaphoreCounterValue");
        if (slots_[next_]->value <= timeline.known()) {
            return *slots_[next_];
        }
    }
    if (slots_.size() < kMaxSlots) {
        // Inserted before the oldest, so that the ring stays in the order of submits.
        const auto at = slots_.begin() + static_cast<std::ptrdiff_t>(next_);
        return **slots_.insert(at, std::make_unique<CommandSlot>(handles_, table_));
    }
    PUMICE_VK_CHECK(timeline.wait(slots_[next_]->value), "vkWaitSemaphores");
    return *slots_[next_];
}

CommandSlot& CommandRing::begin_next(Timeline& timeline) {
    CommandSlot& slot = take(timeline);
    slot.begin(VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT);
    next_ = (next_ + 1) % slots_.size();
    return slot;
}

}  // namespace pumice::vk
