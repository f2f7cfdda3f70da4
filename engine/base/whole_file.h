// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace pumice {

/// Writes a file that appears whole or not at all: it is written beside `path` and then renamed.
/// @throws FileError
void write_whole_file(const std::string& path, std::string_view bytes);

}  // namespace pumice
