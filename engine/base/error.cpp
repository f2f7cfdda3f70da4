// SPDX-License-Identifier: Apache-2.0
// What an error says, and how long it may be.
#include "pumice/error.h"

#include <fmt/format.h>

#include <string>

namespace pumice {

namespace {

// Messages quote files (a line, the names of all columns), which may be of any length.
constexpr std::size_t kMostMessageBytes = 2000;

std::string shortened(std::string_view message) {
    if (message.size() <= kMostMessageBytes) {
        return std::string(message);
    }
    std::size_t kept = kMostMessageBytes;
    while (kept > 0 && (static_cast<unsigned char>(message[kept]) & 0xC0U) == 0x80U) {
        --kept;  // not within a character of UTF-8
    }
    return fmt::format("{} ... ({} more bytes)", message.substr(0, kept), message.size() - kept);
}

}  // namespace

Error::Error(std::string_view where, std::string_view message, SourceLocation location)
    : where_(where),
      text_(fmt::format("[{}] {}", where, shortened(message))),
      location_(location) {}

const char* Error::what() const noexcept {
    return text_.c_str();
}

const char* Error::what_without_backtrace() const noexcept {
    return text_.c_str();
}

const std::string& Error::where() const noexcept {
    return where_;
}

void Error::set_where(std::string_view where) {
    text_.replace(1, where_.size(), where);
    where_ = where;
}

const SourceLocation& Error::location() const noexcept {
    return location_;
}

OutOfMemoryError::OutOfMemoryError(std::string_view where,
                                   std::uint64_t asked_bytes,
                                   std::uint64_t free_bytes,
                                   std::uint64_t largest_hole_bytes,
                                   SourceLocation location)
    : Error(where,
            fmt::format("out of device memory: asked for {} bytes; {} bytes are free, the largest "
                        "hole has {} bytes",
                        asked_bytes,
                        free_bytes,
                        largest_hole_bytes),
            location),
      asked_bytes_(asked_bytes),
      free_bytes_(free_bytes),
      largest_hole_bytes_(largest_hole_bytes) {}

std::uint64_t OutOfMemoryError::asked_bytes() const noexcept {
    return asked_bytes_;
}

std::uint64_t OutOfMemoryError::free_bytes() const noexcept {
    return free_bytes_;
}

std::uint64_t OutOfMemoryError::largest_hole_bytes() const noexcept {
    return largest_hole_bytes_;
}

}  // namespace pumice
