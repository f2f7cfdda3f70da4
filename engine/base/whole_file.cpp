// SPDX-License-Identifier: Apache-2.0
#include "base/whole_file.h"

#include "pumice/error.h"

#include <filesystem>
#include <fstream>
#include <system_error>
#include <unistd.h>

namespace pumice {

void write_whole_file(const std::string& path, std::string_view bytes) {
    const std::string draft = path + ".tmp" + std::to_string(::getpid());
    std::ofstream file(draft, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    std::error_code error;
    if (file.fail()) {
        std::filesystem::remove(draft, error);
        throw FileError(path, "cannot write beside it, to " + draft);
    }
    std::filesystem::rename(draft, path, error);
    if (error) {
        const std::string reason = error.message();
        std::filesystem::remove(draft, error);
        throw FileError(path, "cannot rename what was written to it: " + reason);
    }
}

}  // namespace pumice
