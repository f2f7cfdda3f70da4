// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/device.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace pumice::vk {

/// Index into `devices` of the one that tensors run on.
///
/// `wanted` is what `PUMICE_DEVICE` says: an index, a part of a name in any case, or a UUID (with
/// or without dashes). Among several that fit, and when `wanted` is empty, usable devices come
/// first, then discrete before integrated, virtual and software ones, then the lower index.
/// @throws DeviceError without a device, when `wanted` names none, or when none of those is usable
std::size_t choose_device(std::span<const DeviceInfo> devices, std::string_view wanted);

}  // namespace pumice::vk
