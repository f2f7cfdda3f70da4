// SPDX-License-Identifier: Apache-2.0
#include "support/programs.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <filesystem>

namespace pumice::test {

namespace {

std::filesystem::path lower_bound_program() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "lower_bound";
}

}  // namespace

bool has_lower_bound() {
    return std::filesystem::exists(lower_bound_program());
}

ProgramResult run_lower_bound(const std::string& trace_path) {
    const std::string command = lower_bound_program().string() + " '" + trace_path + "' 2>&1";
    ProgramResult result;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 256> piece{};
    while (std::fgets(piece.data(), static_cast<int>(piece.size()), pipe) != nullptr) {
        result.output += piece.data();
    }
    result.exit_status = ::pclose(pipe) / 256;
    return result;
}

}  // namespace pumice::test
