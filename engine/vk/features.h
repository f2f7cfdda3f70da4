// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/vulkan.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace pumice::vk {

/// The feature structs that Pumice reads and enables, in one chain. Not copyable: it points into
/// itself.
class FeatureChain {
public:
    /// Integer dot product is in core 1.3; before that it is left out of the chain.
    explicit FeatureChain(std::uint32_t api_version) noexcept;
    ~FeatureChain() = default;
    FeatureChain(const FeatureChain&) = delete;
    FeatureChain& operator=(const FeatureChain&) = delete;
    FeatureChain(FeatureChain&&) = delete;
    FeatureChain& operator=(FeatureChain&&) = delete;

    VkPhysicalDeviceFeatures2* head() noexcept { return &core_; }

    /// Switches on what Pumice uses out of what `available` has, and nothing else.
    void enable_from(const FeatureChain& available) noexcept;

    [[nodiscard]] bool has_timeline() const noexcept { return v12_.timelineSemaphore == VK_TRUE; }

    /// KernelFeature bits; `subgroup` says which operators compute shaders may use.
    [[nodiscard]] std::uint32_t kernel_features(
        const VkPhysicalDeviceSubgroupProperties& subgroup) const noexcept;

private:
    VkPhysicalDeviceFeatures2 core_{};
    VkPhysicalDeviceVulkan11Features v11_{};
    VkPhysicalDeviceVulkan12Features v12_{};
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot_{};
};

/// Names of the KernelFeature bits, each with whether `features` has it.
std::vector<std::pair<std::string, bool>> feature_tiers(std::uint32_t features);

/// "fp16, storage16": the names of the bits that are set.
std::string feature_names(std::uint32_t features);

}  // namespace pumice::vk
