// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pumice::vk {

/// Value of an environment variable, empty when unset.
std::string environment_value(const char* name);

/// Value of an environment variable that must be one of `allowed`; unset and empty give "".
/// @throws ArgumentError that names the allowed values
std::string_view environment_choice(const char* name, std::span<const std::string_view> allowed);

/// Whether the variable is set to that, its only value. @throws ArgumentError for another one
bool environment_says(const char* name, std::string_view only_value);

}  // namespace pumice::vk
