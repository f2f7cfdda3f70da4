// SPDX-License-Identifier: Apache-2.0
// The Vulkan instance: its extensions, and the devices behind it.
#include "vk/instance.h"

#include "pumice/error.h"

#include "vk/check.h"
#include "vk/choice.h"
#include "vk/device.h"
#include "vk/environment.h"
#include "vk/queue.h"
#include "vk/validation.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace pumice::vk {
namespace {

bool has_instance_extension(std::string_view name) {
    std::uint32_t count = 0;
    PUMICE_VK_CHECK(vkEnumerateInstanceExtensionProperties(nullptr, &count, nullptr),
                    "vkEnumerateInstanceExtensionProperties");
    std::vector<VkExtensionProperties> found(count);
    PUMICE_VK_CHECK(vkEnumerateInstanceExtensionProperties(nullptr, &count, found.data()),
                    "vkEnumerateInstanceExtensionProperties");
    return std::any_of(found.begin(), found.end(), [name](const VkExtensionProperties& each) {
        return name == each.extensionName;
    });
}

bool wants_debug_utils() {
    return validation_layer().is_present ||
           environment_value("ENABLE_VULKAN_RENDERDOC_CAPTURE") == "1";
}

std::vector<VkPhysicalDevice> physical_devices(VkInstance instance) {
    std::uint32_t count = 0;
    const VkResult result = vkEnumeratePhysicalDevices(instance, &count, nullptr);
    if (result == VK_ERROR_INITIALIZATION_FAILED) {
        return {};  // what the loader says when no driver has a device
    }
    PUMICE_VK_CHECK(result, "vkEnumeratePhysicalDevices");
    std::vector<VkPhysicalDevice> handles(count);
    PUMICE_VK_CHECK(vkEnumeratePhysicalDevices(instance, &count, handles.data()),
                    "vkEnumeratePhysicalDevices");
    handles.resize(count);
    return handles;
}

// Nothing where no device can be chosen: a list has the reasons, each beside its device.
std::optional<std::uint32_t> chosen_index(const Instance& instance) {
    // What tensors run on is settled when the device is made, whatever the variable says later.
    if (const Device* made = device_if_made(); made != nullptr) {
        return made->info().index;
    }
    try {
        return instance.chosen().info.index;
    } catch (const DeviceError&) {
        return std::nullopt;
    }
}

std::vector<DeviceInfo> infos(const std::vector<PhysicalDevice>& devices) {
    std::vector<DeviceInfo> result;
    result.reserve(devices.size());
    for (const PhysicalDevice& each : devices) {
        result.push_back(each.info);
    }
    return result;
}

}  // namespace

const Instance& Instance::get() {
    static const auto* const kMade = new Instance;
    return *kMade;
}

Instance::Instance() {
    if (volkInitialize() != VK_SUCCESS) {
        throw DeviceError("vulkan",
                          "no Vulkan loader (libvulkan.so.1) found; install libvulkan1 and a "
                          "driver such as mesa-vulkan-drivers");
    }
    if (volkGetInstanceVersion() < VK_API_VERSION_1_2) {
        throw DeviceError("vulkan",
                          "the Vulkan loader is too old; wanted 1.2 or later, install a newer "
                          "libvulkan1");
    }
    create();
    std::uint32_t index = 0;
    for (VkPhysicalDevice each : physical_devices(handle_)) {
        devices_.push_back(describe_device(each, index));
        ++index;
    }
}

void Instance::create() {
    has_debug_utils_ =
        wants_debug_utils() && has_instance_extension(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
    const char* const extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    const VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info();

    VkApplicationInfo application{};
    application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
    application.pEngineName = "Pumice";
    application.apiVersion = std::min(volkGetInstanceVersion(), VK_API_VERSION_1_3);
    VkInstanceCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
    info.pApplicationInfo = &application;
    if (has_debug_utils_) {
        info.pNext = &messenger;
        info.enabledExtensionCount = 1;
        info.ppEnabledExtensionNames = &extension;
    }
    const VkResult result = vkCreateInstance(&info, nullptr, &handle_);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
        throw DeviceError(
            "vulkan",
            "no Vulkan driver found (VK_ERROR_INCOMPATIBLE_DRIVER); install one, such "
            "as mesa-vulkan-drivers");
    }
    PUMICE_VK_CHECK(result, "vkCreateInstance");
    volkLoadInstanceOnly(handle_);
    if (has_debug_utils_) {
        PUMICE_VK_CHECK(vkCreateDebugUtilsMessengerEXT(handle_, &messenger, nullptr, &messenger_),
                        "vkCreateDebugUtilsMessengerEXT");
    }
}

const PhysicalDevice& Instance::chosen() const {
    return devices_[choose_device(infos(devices_), environment_value("PUMICE_DEVICE"))];
}

}  // namespace pumice::vk

namespace pumice {

std::vector<DeviceInfo> list_devices() {
    const vk::Instance& instance = vk::Instance::get();
    const std::optional<std::uint32_t> chosen = vk::chosen_index(instance);
    std::vector<DeviceInfo> result = vk::infos(instance.devices());
    for (DeviceInfo& each : result) {
        each.is_chosen = each.index == chosen;
    }
    return result;
}

void synchronize() {
    if (vk::Device* made = vk::device_if_made(); made != nullptr) {
        made->queue().wait(made->queue().flush());
    }
}

}  // namespace pumice
