// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "differential/program.h"

#include <functional>
#include <string>
#include <vector>

namespace differential {

using Run = std::function<Outcome(const Program& program)>;

/// What came of comparing one program.
struct Verdict {
    std::vector<std::string> differences;  ///< none: the engines agree
    std::vector<std::string> known;        ///< the rules of docs/libtorch.md that were needed
};

/// A short name for an error text of either engine, the same for the same mistake.
std::string error_kind(const std::string& text);

/// Where two outcomes of a program differ: values and gradients by more than 1e-4 of the larger
/// one (or of 1), flags, versions, the place and the kind of an error. `known` gets the rule
/// behind each difference that is left out.
std::vector<std::string> differences(const Program& program,
                                     const Outcome& mine,
                                     const Outcome& theirs,
                                     std::vector<std::string>& known);

/// Runs both and compares; where a known difference ends one side early, only what is before it.
Verdict judge(const Program& program, const Run& run_mine, const Run& run_theirs);

/// The shortest program that still differs, which may differ in another way.
Program shrink(Program program, const std::function<bool(const Program&)>& differs);

}  // namespace differential
