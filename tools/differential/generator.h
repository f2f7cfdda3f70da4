// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "differential/program.h"

namespace differential {

/// A program for the seed: equal for equal seeds, on every machine. Tensors have 0 to 24 elements.
/// Most instructions are allowed where they stand; some are drawn to be refused.
Program generate(std::uint64_t seed);

}  // namespace differential
