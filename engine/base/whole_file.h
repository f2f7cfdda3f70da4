// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace pumice {

/// Writes a file that appears whole or not at all: a draft beside it is written, brought to the
/// disk and renamed. A file that is there keeps its permissions, a link points to what it did; a
/// pipe or a device is written as it is. Safe from several threads.
/// @throws FileError with the system's reason; the draft is gone then, what was there is as it was
void write_whole_file(const std::string& path, std::string_view bytes);

}  // namespace pumice
