// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pumice::vk {

/// The text with each line `#include "NAME"` replaced by the text of shaders/include/NAME, and
/// those within it too, each file once. @throws InternalError for a name that is not there
std::string expand_includes(std::string_view text);

/// A compute shader's SPIR-V 1.5 for Vulkan 1.2, by libglslang. Thread-safe.
/// @throws InternalError with the compiler's messages
std::vector<std::uint32_t> compile_glsl(const std::string& text);

/// Which compiler that is, for keys of stored modules.
std::string glsl_compiler_version();

}  // namespace pumice::vk
