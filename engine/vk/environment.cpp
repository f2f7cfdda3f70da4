// SPDX-License-Identifier: Apache-2.0
#include "vk/environment.h"

#include <cstdlib>

namespace pumice::vk {

std::string environment_value(const char* name) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): Pumice never sets the environment
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

}  // namespace pumice::vk
