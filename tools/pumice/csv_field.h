// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace pumice::command {

/// A field of a CSV that we write, in quotes where it needs them (RFC 4180).
std::string csv_field(const std::string& text);

}  // namespace pumice::command
