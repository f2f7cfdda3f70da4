// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "differential/program.h"

namespace differential {

/// Runs a program on Pumice.
Outcome run_on_pumice(const Program& program);
/// Runs it on LibTorch; only where that was found.
Outcome run_on_libtorch(const Program& program);

}  // namespace differential
