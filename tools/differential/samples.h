// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "differential/program.h"

#include <string>
#include <vector>

namespace differential {

/// A program and what LibTorch made of it.
struct Sample {
    Program program;
    Outcome outcome;
};

/// The samples as JSON, one a line, values to seven digits.
std::string write(const std::vector<Sample>& samples);
/// What `write` wrote. Throws what nlohmann's parser throws.
std::vector<Sample> read(const std::string& text);

}  // namespace differential
