// SPDX-License-Identifier: Apache-2.0
#include "libtorch_overhead.h"

#include "pumice/error.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace pumice::command {

nlohmann::ordered_json libtorch_overhead(std::int64_t calls) {
    const std::filesystem::path program =
        std::filesystem::canonical("/proc/self/exe").parent_path() / "overhead_libtorch";
    if (!std::filesystem::exists(program)) {
        return nullptr;
    }
    FILE* pipe = ::popen(fmt::format("'{}' {}", program.string(), calls).c_str(), "r");
    std::string text;
    std::array<char, 256> buffer{};
    while (pipe != nullptr && std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
        text += buffer.data();
    }
    if (pipe == nullptr || ::pclose(pipe) != 0) {
        throw UnsupportedError("bench", fmt::format("{} failed", program.string()));
    }
    return nlohmann::ordered_json::parse(text);
}

}  // namespace pumice::command
