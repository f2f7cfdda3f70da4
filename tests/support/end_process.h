// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace pumice::test {

/// Like std::exit, but not under GPU-assisted validation: layer 1.4.364 aborts in its exit handlers
/// when the device still exists then, as it does in every process of the engine (vk/device.cpp,
/// Note [End of the process]).
[[noreturn]] inline void end_process(int status) {
    const char* gpuav = std::getenv("VK_LAYER_GPUAV_ENABLE");
    if (gpuav != nullptr && std::string_view(gpuav) == "1") {
        std::fflush(nullptr);
        std::_Exit(status);
    }
    std::exit(status);  // NOLINT(concurrency-mt-unsafe): called by main alone
}

}  // namespace pumice::test
