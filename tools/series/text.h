// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace pumice::series {

/// A file's text, and what was done to have it.
struct Text {
    std::string utf8;
    std::vector<std::string> notes;
};

/// Reads a file of text: UTF-8, UTF-16 with a byte-order mark, else Latin-1; packed with gzip or
/// not.
/// @throws FileError for a file that cannot be read, is damaged, or is no text
Text read_text(const std::string& path);

}  // namespace pumice::series
