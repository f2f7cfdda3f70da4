// SPDX-License-Identifier: Apache-2.0
#include "shrink.h"

#include "pumice/error.h"

#include "machine.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

namespace pumice::differential {

namespace {

bool reads(const Step& step, std::size_t number) {
    return std::count(step.operands.begin(), step.operands.end(), number) > 0;
}

// Without a call and all that needs its result.
Program without_step(const Program& program, std::size_t index) {
    Program shorter = program;
    std::vector<bool> is_gone(program.value_count, false);
    shorter.steps.clear();
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
        const Step& step = program.steps[i];
        const bool needs_gone = std::any_of(step.operands.begin(),
                                            step.operands.end(),
                                            [&](std::size_t operand) { return is_gone[operand]; });
        if (i != index && !needs_gone) {
            shorter.steps.push_back(step);
        } else if (step.row->makes_result) {
            is_gone[step.result] = true;
        }
    }
    std::erase_if(shorter.results, [&](std::size_t result) { return is_gone[result]; });
    return shorter;
}

Program without_unused_inputs(Program program) {
    std::erase_if(program.inputs, [&](const Input& input) {
        return std::none_of(program.steps.begin(), program.steps.end(), [&](const Step& step) {
            return reads(step, input.number);
        });
    });
    return program;
}

// The result of a call as a state, which may be written, with the values that the call gave.
std::optional<Program> with_input_for(const Program& program, std::size_t index) {
    const Step& step = program.steps[index];
    if (!step.row->makes_result) {
        return std::nullopt;
    }
    Machine machine;
    try {
        for (const Input& input : program.inputs) {
            machine.add(input);
        }
        for (std::size_t i = 0; i <= index; ++i) {
            machine.run(program.steps[i]);
        }
    } catch (const std::exception&) {
        return std::nullopt;
    }
    const HostArray& array = machine.array(step.result);
    Program cut = program;
    cut.inputs.push_back({.number = step.result,
                          .role = Input::Role::kState,
                          .dtype = array.dtype,
                          .sizes = array.sizes,
                          .values = array.values()});
    cut.steps.erase(cut.steps.begin() + static_cast<std::ptrdiff_t>(index));
    std::erase(cut.results, step.result);
    return cut;
}

// Plainer inputs, one change each.
std::vector<Program> plainer(const Program& program) {
    std::vector<Program> all;
    const auto change = [&](std::size_t index, const auto& edit) {
        Program changed = program;
        edit(changed.inputs[index]);
        all.push_back(std::move(changed));
    };
    for (std::size_t i = 0; i < program.inputs.size(); ++i) {
        const Input& input = program.inputs[i];
        if (input.kind == Kind::kSpecial) {
            change(i, [](Input& one) { one.kind = Kind::kOrdinary; });
        }
        if (input.is_transposed) {
            change(i, [](Input& one) { one.is_transposed = false; });
        }
        const std::vector<double> values = input.values_of(0);
        const bool is_plain =
            std::all_of(values.begin(), values.end(), [](double value) { return value == 1.0; });
        if (!is_plain) {
            change(i, [&](Input& one) { one.values.assign(values.size(), 1.0); });
        }
    }
    for (const std::size_t result : program.results) {
        if (program.results.size() > 1) {
            all.push_back(program);
            all.back().results = {result};
        }
    }
    return all;
}

class Shrinker {
public:
    Shrinker(const Check& check, double seconds)
        : check_(check),
          end_(std::chrono::steady_clock::now() +
               std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                   std::chrono::duration<double>(seconds))) {}

    // Takes the candidate if it fails too.
    bool try_one(Program candidate, Program& best) {
        candidate = without_unused_inputs(std::move(candidate));
        if (is_over() || candidate.steps.empty() || check_(candidate).empty()) {
            return false;
        }
        best = std::move(candidate);
        return true;
    }

    bool drop_steps(Program& best) {
        bool has_changed = false;
        for (std::size_t i = best.steps.size(); i-- > 0;) {
            if (i < best.steps.size()) {
                has_changed = try_one(without_step(best, i), best) || has_changed;
            }
        }
        return has_changed;
    }

    bool cut_inputs(Program& best) {
        for (std::size_t i = best.steps.size(); i-- > 0;) {
            auto cut = with_input_for(best, i);
            if (cut && try_one(std::move(*cut), best)) {
                return true;
            }
        }
        return false;
    }

    bool make_plainer(Program& best) {
        for (Program& candidate : plainer(best)) {
            if (try_one(std::move(candidate), best)) {
                return true;
            }
        }
        return false;
    }

    [[nodiscard]] bool is_over() const { return std::chrono::steady_clock::now() > end_; }

private:
    const Check& check_;
    std::chrono::steady_clock::time_point end_;
};

}  // namespace

Program shrink(Program program, const Check& check, double seconds) {
    Shrinker shrinker(check, seconds);
    while (!shrinker.is_over() && (shrinker.drop_steps(program) || shrinker.cut_inputs(program) ||
                                   shrinker.make_plainer(program))) {
    }
    return program;
}

}  // namespace pumice::differential
