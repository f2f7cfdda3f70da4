// SPDX-License-Identifier: Apache-2.0
#include "pumice/error.h"
#include "pumice/io.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace pumice::io {

namespace {

std::string last_error() {
    return std::error_code(errno, std::generic_category()).message();
}

}  // namespace

void write_file(const std::string& path, const std::string& bytes) {
    const std::string sibling = fmt::format("{}.{}.tmp", path, ::getpid());
    std::ofstream out(sibling, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    std::error_code failure;
    if (out) {
        std::filesystem::rename(sibling, path, failure);
        if (!failure) {
            return;
        }
    }
    const std::string reason = failure ? failure.message() : last_error();
    std::filesystem::remove(sibling, failure);
    throw FileError(path, fmt::format("cannot be written: {}", reason));
}

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
