// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "program.h"

#include <functional>
#include <string>

namespace pumice::differential {

/// What is wrong with a program, or nothing.
using Check = std::function<std::string(const Program&)>;

/// The shortest program found that still fails: fewer calls, inputs in place of what calls made,
/// plainer values. Tries for `seconds` at most.
Program shrink(Program program, const Check& check, double seconds);

}  // namespace pumice::differential
