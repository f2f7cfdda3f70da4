// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/error.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unistd.h>

namespace pumice::fuzz {

/// A file of these bytes, where memory holds it.
inline std::string file_of(std::string_view bytes) {
    static const std::string path = "/dev/shm/pumice_fuzz." + std::to_string(::getpid());
    std::FILE* const file = std::fopen(path.c_str(), "wb");
    if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) {
        std::abort();
    }
    std::fclose(file);
    return path;
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// Runs it; what it refuses must be an error of Pumice, with a text that a terminal can hold.
template <class F>
void may_refuse(F&& run) {
    constexpr std::size_t kMostBytes = 4000;
    try {
        run();
    } catch (const InternalError&) {
        std::abort();
    } catch (const Error& error) {
        if (std::string_view(error.what()).size() > kMostBytes) {
            std::abort();
        }
    }
}

inline void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

}  // namespace pumice::fuzz
