// SPDX-License-Identifier: Apache-2.0
#include "differential/compare.h"

#include <algorithm>
#include <set>
#include <utility>

namespace differential {

namespace {

// Without one instruction and all that needs its results.
Program without(const Program& program, std::size_t place) {
    Program left;
    left.slot_count = program.slot_count;
    std::set<int> gone;
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
        const Instruction& step = program.steps[i];
        const bool needs_gone =
            std::any_of(step.operands.begin(), step.operands.end(), [&gone](int operand) {
                return gone.count(operand) > 0;
            });
        if (i == place || needs_gone) {
            gone.insert(step.results.begin(), step.results.end());
        } else {
            left.steps.push_back(step);
        }
    }
    return left;
}

// With its operand in place of what one instruction makes.
Program bypassed(const Program& program, std::size_t place) {
    Program left = program;
    const Instruction step = program.steps[place];
    if (step.results.size() != 1 || step.operands.empty()) {
        return program;
    }
    left.steps.erase(left.steps.begin() + static_cast<std::ptrdiff_t>(place));
    for (Instruction& other : left.steps) {
        std::replace(
            other.operands.begin(), other.operands.end(), step.results[0], step.operands[0]);
    }
    return left;
}

Program in_grad_mode(const Program& program, std::size_t place) {
    Program left = program;
    left.steps[place].mode = Mode::kGrad;
    return left;
}

}  // namespace

Program shrink(Program program, const std::function<bool(const Program&)>& differs) {
    bool is_smaller = true;
    const auto take = [&](const Program& candidate) {
        if (!differs(candidate)) {
            return false;
        }
        program = candidate;
        is_smaller = true;
        return true;
    };
    while (is_smaller) {
        is_smaller = false;
        for (std::size_t i = program.steps.size(); i-- > 0;) {
            if (take(without(program, i))) {
                i = std::min(i, program.steps.size());
                continue;
            }
            if (bypassed(program, i).steps.size() < program.steps.size() &&
                take(bypassed(program, i))) {
                continue;
            }
            if (program.steps[i].mode != Mode::kGrad) {
                take(in_grad_mode(program, i));
            }
        }
    }
    return program;
}

}  // namespace differential
