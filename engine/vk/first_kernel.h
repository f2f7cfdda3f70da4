// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pumice::vk {

class Device;

/// Runs a kernel that was never compiled before and waits for it, so that the driver's compiler
/// has made whatever it makes once. See Note [End of the process] in device.cpp.
/// @throws DeviceError, OutOfMemoryError
void run_first_kernel(Device& device);

}  // namespace pumice::vk
