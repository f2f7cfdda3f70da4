// SPDX-License-Identifier: Apache-2.0
#include "support/kernels_made.h"

#include "vk/device.h"
#include "vk/kernels.h"
#include "vk/vulkan.h"

#include <map>
#include <mutex>
#include <set>

namespace pumice::test {
namespace {

struct Counts {
    std::mutex mutex;
    const vk::Device* device = nullptr;
    PFN_vkCreateShaderModule create_module = nullptr;
    PFN_vkCreateComputePipelines create_pipelines = nullptr;
    std::map<VkShaderModule, std::string> modules;  ///< the last one made under a handle
    std::set<std::string> kernels;
    std::size_t pipelines = 0;
};

Counts counts;

std::string name_of(const std::uint32_t* code) {
    for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(vk::KernelId::kCount); ++i) {
        const vk::KernelInfo& info = vk::kernel_info(static_cast<vk::KernelId>(i));
        if (info.code == code) {
            return info.name;
        }
    }
    return "runtime";
}

VKAPI_ATTR VkResult VKAPI_CALL create_module(VkDevice device,
                                             const VkShaderModuleCreateInfo* info,
                                             const VkAllocationCallbacks* allocator,
                                             VkShaderModule* module) {
    const VkResult result = counts.create_module(device, info, allocator, module);
    if (result == VK_SUCCESS) {
        const std::lock_guard lock(counts.mutex);
        counts.modules[*module] = name_of(info->pCode);
    }
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(VkDevice device,
                                                VkPipelineCache cache,
                                                std::uint32_t count,
                                                const VkComputePipelineCreateInfo* infos,
                                                const VkAllocationCallbacks* allocator,
                                                VkPipeline* pipelines) {
    {
        const std::lock_guard lock(counts.mutex);
        counts.pipelines += count;
        for (std::uint32_t i = 0; i < count; ++i) {
            counts.kernels.insert(counts.modules[infos[i].stage.module]);
        }
    }
    return counts.create_pipelines(device, cache, count, infos, allocator, pipelines);
}

}  // namespace

void begin_count_of_kernels() {
    const std::lock_guard lock(counts.mutex);
    counts.pipelines = 0;
    counts.kernels.clear();
    vk::Device* device = vk::device_if_made();
    if (device == nullptr || counts.device == device) {
        return;
    }
    counts.device = device;
    VolkDeviceTable& table = device->table();
    counts.create_module = table.vkCreateShaderModule;
    counts.create_pipelines = table.vkCreateComputePipelines;
    table.vkCreateShaderModule = &create_module;
    table.vkCreateComputePipelines = &create_pipelines;
}

std::size_t pipelines_made() {
    const std::lock_guard lock(counts.mutex);
    return counts.pipelines;
}

std::string kernels_made() {
    const std::lock_guard lock(counts.mutex);
    std::string names;
    for (const std::string& name : counts.kernels) {
        names += (names.empty() ? "" : " ") + name;
    }
    return names;
}

}  // namespace pumice::test
