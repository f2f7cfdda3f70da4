// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace pumice::test {

/// What a program printed, and how it ended.
struct ProgramResult {
    int exit_status = -1;
    std::string output;
};

/// Whether tools/lower_bound was built beside the tests.
bool has_lower_bound();

/// Runs tools/lower_bound on a dumped trace.
ProgramResult run_lower_bound(const std::string& trace_path);

}  // namespace pumice::test
