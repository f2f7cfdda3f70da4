// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace pumice::memory {

/// Value of an environment variable that must be one of `allowed`; unset and empty give "".
/// @throws ArgumentError that names the allowed values
std::string_view environment_choice(const char* name, std::span<const std::string_view> allowed);

}  // namespace pumice::memory
