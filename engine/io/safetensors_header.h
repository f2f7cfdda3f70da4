// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/io.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pumice::io {

/// What the header of a safetensors file says.
struct SafetensorsHeader {
    std::vector<SafetensorsEntry> entries;  ///< ordered by their place in the data section
    std::unordered_map<std::string, std::size_t> index_of;  ///< of an entry, by its name
    std::map<std::string, std::string> metadata;
    std::uint64_t data_begin_bytes = 0;  ///< from the start of the file
};

/// The header's key for its metadata.
inline constexpr const char* kMetadataKey = "__metadata__";

/// The metadata's key for the names of tensors that require grad.
inline constexpr const char* kRequiresGradKey = "pumice.requires_grad";

/// The format's own bound on a header, which keeps forged lengths out of memory.
inline constexpr std::uint64_t kMostHeaderBytes = 100'000'000;

/// Parses and checks the header against the file's length, in time linear in its own. Pure; `path`
/// is for error texts. @throws FileError
SafetensorsHeader parse_header(const std::string& path, std::string_view file);

/// Checks a name or metadata text that is to be written; `what` says which.
/// @throws ArgumentError unless it is UTF-8
void check_text(const std::string& path, std::string_view what, const std::string& text);

/// The header for entries whose offsets are set, padded to eight bytes, with its length in front.
/// All texts must be UTF-8. @throws FileError for one of more than kMostHeaderBytes
std::string write_header(const std::string& path,
                         const std::vector<SafetensorsEntry>& entries,
                         const std::map<std::string, std::string>& metadata);

}  // namespace pumice::io
