// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace pumice::vk {

/// Value of an environment variable, empty when unset.
std::string environment_value(const char* name);

}  // namespace pumice::vk
