// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "program.h"

namespace pumice::differential {

/// Runs a program eagerly in grad mode with each call held against float64, then in all modes:
/// recorded, without grad, in inference mode with dying operands moved in, and captured with all
/// passes and with none, three replays each. All must agree bit for bit, and throw the same kinds
/// of errors. @throws Finding
void check_program(const Program& program, bool captures);

/// The same without float64 and the recorded mode. @throws Finding
void check_modes(const Program& program, bool captures);

/// The recorded mode against grad mode. @throws Finding
void check_recorded(const Program& program);

}  // namespace pumice::differential
