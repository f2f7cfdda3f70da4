// SPDX-License-Identifier: Apache-2.0
// Which device runs Pumice.
#include "vk/choice.h"

#include "pumice/error.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>

namespace pumice::vk {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return result;
}

bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 6 &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

bool is_named(const DeviceInfo& device, std::string_view wanted) {
    if (wanted.empty()) {
        return true;
    }
    if (is_number(wanted) && device.index == std::stoul(std::string(wanted))) {
        return true;
    }
    const std::string text = lower(wanted);
    std::string uuid = text;
    std::erase(uuid, '-');
    return uuid == lower(device.uuid) || lower(device.name).find(text) != std::string::npos;
}

std::size_t rank(const DeviceInfo& device) {
    constexpr std::array<std::string_view, 4> kPreferred = {
        "discrete", "integrated", "virtual", "cpu"};
    const auto* found = std::find(kPreferred.begin(), kPreferred.end(), device.type);
    return static_cast<std::size_t>(found - kPreferred.begin());
}

std::string describe(std::span<const DeviceInfo> devices) {
    std::string text;
    for (const DeviceInfo& device : devices) {
        text += text.empty() ? "" : ", ";
        text += std::to_string(device.index) + ": " + device.name;
        if (!device.is_usable) {
            text += " (" + device.refusal + ")";
        }
    }
    return text;
}

}  // namespace

std::size_t choose_device(std::span<const DeviceInfo> devices, std::string_view wanted) {
    if (devices.empty()) {
        throw DeviceError("vulkan",
                          "no Vulkan device found; install a driver, such as mesa-vulkan-drivers");
    }
    std::optional<std::size_t> best;
    bool is_any_named = false;
    for (std::size_t i = 0; i < devices.size(); ++i) {
        if (!is_named(devices[i], wanted)) {
            continue;
        }
        is_any_named = true;
        // An index says exactly which: "1" is never a part of some name that has a 1 in it.
        if (is_number(wanted) && devices[i].index == std::stoul(std::string(wanted))) {
            best = devices[i].is_usable ? std::optional(i) : std::nullopt;
            break;
        }
        if (devices[i].is_usable && (!best || rank(devices[i]) < rank(devices[*best]))) {
            best = i;
        }
    }
    if (best) {
        return *best;
    }
    if (!is_any_named) {
        throw DeviceError("vulkan",
                          "PUMICE_DEVICE names no device; got \"" + std::string(wanted) +
                              "\", found " + describe(devices));
    }
    const std::string subject =
        wanted.empty() ? "no device" : "no device named by PUMICE_DEVICE=" + std::string(wanted);
    throw DeviceError("vulkan",
                      subject + " is usable; wanted Vulkan 1.2 with timeline semaphores, found " +
                          describe(devices) +
                          "; install a newer driver, such as mesa-vulkan-drivers");
}

}  // namespace pumice::vk
