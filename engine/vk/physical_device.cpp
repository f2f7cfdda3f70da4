// SPDX-License-Identifier: Apache-2.0
// What Pumice wants to know of a device before anything is made on it.
#include "vk/physical_device.h"

#include "vk/environment.h"
#include "vk/features.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace pumice::vk {
namespace {

std::string version_text(std::uint32_t version) {
    return std::to_string(VK_API_VERSION_MAJOR(version)) + "." +
           std::to_string(VK_API_VERSION_MINOR(version)) + "." +
           std::to_string(VK_API_VERSION_PATCH(version));
}

std::string hex_text(const std::uint8_t* bytes, std::size_t count) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += kDigits[bytes[i] >> 4U];
        text += kDigits[bytes[i] & 15U];
    }
    return text;
}

const char* type_text(VkPhysicalDeviceType type) {
    switch (type) {
        case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return "discrete";
        case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return "integrated";
        case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return "virtual";
        case VK_PHYSICAL_DEVICE_TYPE_CPU: return "cpu";
        default: return "other";
    }
}

bool has_extension(VkPhysicalDevice device, std::string_view name) {
    std::uint32_t count = 0;
    if (vkEnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr) < 0) {
        return false;
    }
    std::vector<VkExtensionProperties> found(count);
    if (vkEnumerateDeviceExtensionProperties(device, nullptr, &count, found.data()) < 0) {
        return false;
    }
    return std::any_of(found.begin(), found.end(), [name](const VkExtensionProperties& each) {
        return name == each.extensionName;
    });
}

std::vector<VkQueueFamilyProperties> queue_families(VkPhysicalDevice device) {
    std::uint32_t count = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
    std::vector<VkQueueFamilyProperties> families(count);
    vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families.data());
    return families;
}

/// A family with compute; one that can take timestamps is preferred, for the profiler.
std::optional<std::uint32_t> compute_family(const std::vector<VkQueueFamilyProperties>& families) {
    std::optional<std::uint32_t> best;
    for (std::uint32_t i = 0; i < families.size(); ++i) {
        if ((families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) == 0) {
            continue;
        }
        if (families[i].timestampValidBits > 0) {
            return i;
        }
        best = best.value_or(i);
    }
    return best;
}

void fill_limits(PhysicalDevice& device) {
    const VkPhysicalDeviceLimits& limits = device.properties.limits;
    Capabilities& caps = device.capabilities;
    caps.storage_alignment_bytes =
        std::max<std::uint64_t>(limits.minStorageBufferOffsetAlignment, 4);
    caps.max_storage_range_bytes = limits.maxStorageBufferRange;
    std::copy_n(limits.maxComputeWorkGroupCount, 3, caps.max_group_count.begin());
    caps.max_group_invocations = limits.maxComputeWorkGroupInvocations;
    caps.max_shared_memory_bytes = limits.maxComputeSharedMemorySize;
    caps.max_push_bytes = limits.maxPushConstantsSize;
    caps.is_cpu = device.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
}

// Where it pays: lavapipe reads texels 8 to 24 times faster than storage buffers, hardware does
// not, and SwiftShader's views are too small (docs/measurements.md). Every range that can be bound
// as storage must have a view.
void fill_reads(PhysicalDevice& device) {
    static constexpr std::array<std::string_view, 2> kWays = {"words", "texels"};
    const VkPhysicalDeviceLimits& limits = device.properties.limits;
    Capabilities& caps = device.capabilities;
    const std::uint64_t most_bytes =
        sizeof(std::uint32_t) * std::uint64_t{limits.maxTexelBufferElements};
    const bool can = most_bytes >= caps.max_storage_range_bytes &&
                     limits.minTexelBufferOffsetAlignment <= caps.storage_alignment_bytes;
    const std::string_view wanted = environment_choice("PUMICE_READS", kWays);
    caps.reads_texels = can && (wanted.empty() ? caps.is_cpu : wanted == "texels");
}

void fill_memory(PhysicalDevice& device) {
    VkPhysicalDeviceMemoryProperties memory{};
    vkGetPhysicalDeviceMemoryProperties(device.handle, &memory);
    device.capabilities.has_unified_memory = true;
    for (std::uint32_t i = 0; i < memory.memoryTypeCount; ++i) {
        if ((memory.memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) == 0) {
            device.capabilities.has_unified_memory = false;
        }
    }
    for (std::uint32_t i = 0; i < memory.memoryHeapCount; ++i) {
        device.info.heaps.emplace_back(
            memory.memoryHeaps[i].size,
            (memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0);
    }
}

/// Everything that a driver older than Vulkan 1.2 cannot answer.
bool fill_from_1_2(PhysicalDevice& device) {
    FeatureChain features(device.api_version);
    vkGetPhysicalDeviceFeatures2(device.handle, features.head());

    VkPhysicalDeviceMaintenance4Properties buffers{};
    buffers.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES;
    VkPhysicalDeviceSubgroupProperties subgroup{};
    subgroup.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES;
    subgroup.pNext = device.api_version >= VK_API_VERSION_1_3 ? &buffers : nullptr;
    VkPhysicalDeviceMaintenance3Properties allocation{};
    allocation.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
    allocation.pNext = &subgroup;
    VkPhysicalDeviceDriverProperties driver{};
    driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;
    driver.pNext = &allocation;
    VkPhysicalDeviceIDProperties identity{};
    identity.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES;
    identity.pNext = &driver;
    VkPhysicalDeviceProperties2 all{};
    all.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
    all.pNext = &identity;
    vkGetPhysicalDeviceProperties2(device.handle, &all);

    device.info.uuid = hex_text(identity.deviceUUID, VK_UUID_SIZE);
    device.info.driver = std::string(driver.driverName) + " " + driver.driverInfo;
    device.capabilities.subgroup_size = std::max(subgroup.subgroupSize, 1U);
    device.capabilities.features = features.kernel_features(subgroup);
    device.capabilities.has_push_descriptors =
        has_extension(device.handle, VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME);
    device.has_memory_budget = has_extension(device.handle, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    device.max_buffer_bytes = allocation.maxMemoryAllocationSize;
    if (buffers.maxBufferSize != 0) {
        device.max_buffer_bytes = std::min(device.max_buffer_bytes, buffers.maxBufferSize);
    }
    return features.has_timeline();
}

void fill_lists(PhysicalDevice& device) {
    const Capabilities& caps = device.capabilities;
    device.info.tiers = feature_tiers(caps.features);
    device.info.tiers.emplace_back("push_descriptors", caps.has_push_descriptors);
    device.info.tiers.emplace_back("unified_memory", caps.has_unified_memory);
    device.info.tiers.emplace_back("memory_budget", device.has_memory_budget);
    device.info.limits = {
        {"storage_alignment_bytes", caps.storage_alignment_bytes},
        {"max_storage_range_bytes", caps.max_storage_range_bytes},
        {"max_buffer_bytes", device.max_buffer_bytes},
        {"max_group_count_x", caps.max_group_count[0]},
        {"max_group_count_y", caps.max_group_count[1]},
        {"max_group_count_z", caps.max_group_count[2]},
        {"max_group_invocations", caps.max_group_invocations},
        {"max_shared_memory_bytes", caps.max_shared_memory_bytes},
        {"max_push_bytes", caps.max_push_bytes},
        {"subgroup_invocations", caps.subgroup_size},
        {"timestamp_bits", device.timestamp_bits},
    };
}

}  // namespace

PhysicalDevice describe_device(VkPhysicalDevice handle, std::uint32_t index) {
    PhysicalDevice device;
    device.handle = handle;
    device.info.index = index;
    vkGetPhysicalDeviceProperties(handle, &device.properties);
    device.api_version = device.properties.apiVersion;
    device.info.name = device.properties.deviceName;
    device.info.type = type_text(device.properties.deviceType);
    device.info.api_version = version_text(device.api_version);
    fill_limits(device);
    fill_reads(device);
    fill_memory(device);
    const std::vector<VkQueueFamilyProperties> families = queue_families(handle);
    const std::optional<std::uint32_t> family = compute_family(families);
    device.queue_family = family.value_or(0);
    device.timestamp_bits = family ? families[*family].timestampValidBits : 0;
    if (device.api_version < VK_API_VERSION_1_2) {
        device.info.refusal = "Vulkan " + device.info.api_version + "; wanted 1.2";
    } else if (!fill_from_1_2(device)) {
        device.info.refusal = "no timeline semaphores";
    } else if (!family) {
        device.info.refusal = "no compute queue";
    }
    device.info.is_usable = device.info.refusal.empty();
    fill_lists(device);
    return device;
}

}  // namespace pumice::vk
