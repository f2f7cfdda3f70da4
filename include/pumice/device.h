// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace PUMICE_API pumice {

/// One Vulkan device as the driver describes it.
struct DeviceInfo {
    std::uint32_t index = 0;  ///< position among all devices, as `PUMICE_DEVICE` counts
    std::string name;         ///< as the driver calls it
    std::string driver;       ///< driver name and version text
    std::string uuid;         ///< 32 hexadecimal digits
    std::string type;         ///< discrete, integrated, virtual, cpu or other
    std::string api_version;  ///< e.g. "1.3.238"
    bool is_usable = false;   ///< Vulkan 1.2 with timeline semaphores and a compute queue
    bool is_chosen = false;   ///< what tensors run on (or would)
    std::string refusal;      ///< what a device that is not usable lacks
    std::vector<std::pair<std::string, bool>> tiers;            ///< optional features, on or off
    std::vector<std::pair<std::string, std::uint64_t>> limits;  ///< units in the names
    std::vector<std::pair<std::uint64_t, bool>> heaps;          ///< bytes, device-local
};

/// All devices of all drivers, usable or not. `PUMICE_DEVICE` (index, part of the name, or UUID)
/// chooses; without it a discrete GPU comes before an integrated, a virtual and a software one.
/// If the variable fits no device, or none that is usable, none is chosen, and the first tensor
/// throws DeviceError. @throws DeviceError without a Vulkan loader or driver
std::vector<DeviceInfo> list_devices();

/// Blocks until everything that any thread recorded so far has run; returns at once where there is
/// no device yet. @throws DeviceError if the device is lost
void synchronize();

}  // namespace pumice
