// SPDX-License-Identifier: Apache-2.0
// Opening and reading files, with errors that name them.
#include "pumice/error.h"
#include "pumice/io.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace pumice::io {

namespace {

std::string last_error() {
    return std::error_code(errno, std::generic_category()).message();
}

}  // namespace

std::string read_file(const std::string& path) {
    std::error_code error;
    const auto type = std::filesystem::status(path, error).type();
    if (type == std::filesystem::file_type::directory) {
        throw FileError(path, "cannot be read: is a directory");
    }
    if (type == std::filesystem::file_type::character ||
        type == std::filesystem::file_type::block) {
        throw FileError(path, "cannot be read: is a device");
    }
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw FileError(path, fmt::format("cannot be read: {}", last_error()));
    }
    std::ostringstream content;
    content << in.rdbuf();
    if (in.bad() || content.bad()) {
        throw FileError(path, fmt::format("cannot be read: {}", last_error()));
    }
    return std::move(content).str();
}

}  // namespace pumice::io
