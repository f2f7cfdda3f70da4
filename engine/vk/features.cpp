// SPDX-License-Identifier: Apache-2.0
// Which features of a device are asked for.
#include "vk/features.h"

#include "vk/kernels.h"

#include <array>

namespace pumice::vk {
namespace {

struct NamedFeature {
    KernelFeature bit;
    const char* name;
};

constexpr std::array kFeatures = {
    NamedFeature{KernelFeature::kFp16, "fp16"},
    NamedFeature{KernelFeature::kBf16, "bf16"},
    NamedFeature{KernelFeature::kInt8, "int8"},
    NamedFeature{KernelFeature::kInt16, "int16"},
    NamedFeature{KernelFeature::kInt64, "int64"},
    NamedFeature{KernelFeature::kStorage16, "storage16"},
    NamedFeature{KernelFeature::kStorage8, "storage8"},
    NamedFeature{KernelFeature::kSubgroupArithmetic, "subgroup_arithmetic"},
    NamedFeature{KernelFeature::kSubgroupShuffle, "subgroup_shuffle"},
    NamedFeature{KernelFeature::kInt8Dot, "int8_dot"},
    NamedFeature{KernelFeature::kCoopmat, "coopmat"},
};

}  // namespace

FeatureChain::FeatureChain(std::uint32_t api_version) noexcept {
    core_.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    core_.pNext = &v11_;
    v11_.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
    v11_.pNext = &v12_;
    v12_.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
    v12_.pNext = api_version >= VK_API_VERSION_1_3 ? &dot_ : nullptr;
    dot_.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
}

void FeatureChain::enable_from(const FeatureChain& available) noexcept {
    core_.features.shaderInt16 = available.core_.features.shaderInt16;
    core_.features.shaderInt64 = available.core_.features.shaderInt64;
    v11_.storageBuffer16BitAccess = available.v11_.storageBuffer16BitAccess;
    v11_.uniformAndStorageBuffer16BitAccess = available.v11_.uniformAndStorageBuffer16BitAccess;
    v12_.timelineSemaphore = available.v12_.timelineSemaphore;
    v12_.shaderFloat16 = available.v12_.shaderFloat16;
    v12_.shaderInt8 = available.v12_.shaderInt8;
    v12_.storageBuffer8BitAccess = available.v12_.storageBuffer8BitAccess;
    v12_.uniformAndStorageBuffer8BitAccess = available.v12_.uniformAndStorageBuffer8BitAccess;
    v12_.shaderSubgroupExtendedTypes = available.v12_.shaderSubgroupExtendedTypes;
    dot_.shaderIntegerDotProduct = available.dot_.shaderIntegerDotProduct;
}

std::uint32_t FeatureChain::kernel_features(
    const VkPhysicalDeviceSubgroupProperties& subgroup) const noexcept {
    std::uint32_t features = 0;
    const auto add = [&features](KernelFeature bit, bool is_on) {
        features |= is_on ? static_cast<std::uint32_t>(bit) : 0U;
    };
    const auto has_subgroup = [&subgroup](VkSubgroupFeatureFlags operations) {
        return (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0 &&
               (subgroup.supportedOperations & operations) == operations;
    };
    add(KernelFeature::kFp16, v12_.shaderFloat16 == VK_TRUE);
    add(KernelFeature::kInt8, v12_.shaderInt8 == VK_TRUE);
    add(KernelFeature::kInt16, core_.features.shaderInt16 == VK_TRUE);
    add(KernelFeature::kInt64, core_.features.shaderInt64 == VK_TRUE);
    add(KernelFeature::kStorage16, v11_.storageBuffer16BitAccess == VK_TRUE);
    add(KernelFeature::kStorage8, v12_.storageBuffer8BitAccess == VK_TRUE);
    add(KernelFeature::kSubgroupArithmetic, has_subgroup(VK_SUBGROUP_FEATURE_ARITHMETIC_BIT));
    add(KernelFeature::kSubgroupShuffle,
        has_subgroup(VK_SUBGROUP_FEATURE_SHUFFLE_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_RELATIVE_BIT));
    add(KernelFeature::kInt8Dot, dot_.shaderIntegerDotProduct == VK_TRUE);
    // bf16 and coopmat need extensions that the headers of Debian 12 do not know.
    return features;
}

std::vector<std::pair<std::string, bool>> feature_tiers(std::uint32_t features) {
    std::vector<std::pair<std::string, bool>> tiers;
    tiers.reserve(kFeatures.size());
    for (const NamedFeature& feature : kFeatures) {
        tiers.emplace_back(feature.name, (features & static_cast<std::uint32_t>(feature.bit)) != 0);
    }
    return tiers;
}

std::string feature_names(std::uint32_t features) {
    std::string names;
    for (const auto& [name, is_on] : feature_tiers(features)) {
        if (is_on) {
            names += (names.empty() ? "" : ", ") + name;
        }
    }
    return names;
}

}  // namespace pumice::vk
