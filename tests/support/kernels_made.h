// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace pumice::test {

/// Counts, from now on, what the process's device compiles. Puts counting entries into its table
/// when it finds the device for the first time: what the case compiles that makes the device is not
/// counted, nor what devices of a test's own do.
void begin_count_of_kernels();

/// Pipelines since then.
std::size_t pipelines_made();

/// Names of the kernels since then, each once, separated by spaces; `runtime` stands for all that
/// were written at run time.
std::string kernels_made();

}  // namespace pumice::test
