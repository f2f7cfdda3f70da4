// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace forecaster {

/// A text as gnuplot's string: quoted, on one line.
std::string gnuplot_text(const std::string& text);

/// Runs gnuplot on the script, which must not set an output, and writes the SVG that it draws.
/// @throws pumice::UnsupportedError if gnuplot is not installed; pumice::FileError, leaving no
///         picture, if it fails or the file cannot be written
void run_gnuplot(const std::string& picture_path, const std::string& script);

}  // namespace forecaster
