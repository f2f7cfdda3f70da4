// SPDX-License-Identifier: Apache-2.0
// What the validation layer said, counted.
#include "vk/validation.h"

#include "vk/environment.h"

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string_view>

namespace pumice::vk {
namespace {

constexpr std::size_t kKeptMessages = 16;
constexpr const char* kLayerName = "VK_LAYER_KHRONOS_validation";

struct Messages {
    std::atomic<std::uint64_t> count{0};
    std::mutex mutex;
    std::deque<std::string> last;
};

/// Leaked: the layer may speak up while the process's statics die.
Messages& messages() {
    static auto* const kMade = new Messages;
    return *kMade;
}

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT /*severity*/,
                                          VkDebugUtilsMessageTypeFlagsEXT /*types*/,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data,
                                          void* /*user*/) {
    // The loader reports ICDs it cannot load, and the layer what it changes of its own settings,
    // under the same severity; neither is a fault of ours.
    const std::string_view id = data->pMessageIdName == nullptr ? "" : data->pMessageIdName;
    if (id == "Loader Message" || id == "WARNING-Setting-Limit-Adjusted") {
        return VK_FALSE;
    }
    Messages& all = messages();
    all.count.fetch_add(1, std::memory_order_relaxed);
    try {
        const std::lock_guard lock(all.mutex);
        all.last.emplace_back(data->pMessage == nullptr ? "" : data->pMessage);
        if (all.last.size() > kKeptMessages) {
            all.last.pop_front();
        }
    } catch (...) {  // counted already, and C code is calling
    }
    return VK_FALSE;
}

}  // namespace

ValidationLayer validation_layer() {
    ValidationLayer layer;
    const std::string asked = environment_value("VK_INSTANCE_LAYERS") + ":" +
                              environment_value("VK_LOADER_LAYERS_ENABLE");
    layer.is_asked_for = asked.find("validation") != std::string::npos;
    if (volkGetInstanceVersion() == 0 && volkInitialize() != VK_SUCCESS) {
        return layer;
    }
    std::uint32_t count = 0;
    if (vkEnumerateInstanceLayerProperties(&count, nullptr) < 0) {
        return layer;
    }
    std::vector<VkLayerProperties> found(count);
    vkEnumerateInstanceLayerProperties(&count, found.data());
    for (const VkLayerProperties& each : found) {
        if (std::string_view(each.layerName) != kLayerName) {
            continue;
        }
        layer.is_present = layer.is_asked_for;
        layer.spec_version = std::to_string(VK_API_VERSION_MAJOR(each.specVersion)) + "." +
                             std::to_string(VK_API_VERSION_MINOR(each.specVersion)) + "." +
                             std::to_string(VK_API_VERSION_PATCH(each.specVersion));
        layer.implementation_version = each.implementationVersion;
    }
    return layer;
}

std::uint64_t validation_message_count() noexcept {
    return messages().count.load(std::memory_order_relaxed);
}

std::vector<std::string> validation_messages() {
    Messages& all = messages();
    const std::lock_guard lock(all.mutex);
    return {all.last.begin(), all.last.end()};
}

VkDebugUtilsMessengerCreateInfoEXT messenger_info() noexcept {
    VkDebugUtilsMessengerCreateInfoEXT info{};
    info.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT;
    info.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
    info.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT;
    info.pfnUserCallback = on_message;
    return info;
}

}  // namespace pumice::vk
