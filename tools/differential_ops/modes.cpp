// SPDX-License-Identifier: Apache-2.0
#include "modes.h"

#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "compare.h"
#include "machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pumice::differential {

namespace {

enum class Mode : std::uint8_t { kGrad, kRecorded, kNoGrad, kInference };

constexpr const char* kModeNames[] = {"grad mode", "recorded", "no_grad", "inference mode"};

const char* name_of(Mode mode) {
    return kModeNames[static_cast<std::size_t>(mode)];
}

struct Outcome {
    std::string error;  ///< its kind, or nothing
    std::string text;
    std::size_t step = 0;  ///< that threw
    std::vector<Tensor> results;
};

template <class F>
void run_in(Mode mode, F&& body) {
    if (mode == Mode::kNoGrad) {
        no_grad(body);
    } else if (mode == Mode::kInference) {
        inference_mode(body);
    } else {
        body();
    }
}

std::vector<std::size_t> last_uses(const Program& program) {
    std::vector<std::size_t> last(program.value_count, 0);
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
        for (const std::size_t operand : program.steps[i].operands) {
            last[operand] = i;
        }
    }
    for (const std::size_t result : program.results) {
        last[result] = program.steps.size();
    }
    return last;
}

// Calls all operators; `values` has the arguments and the states. A value dies in its last call.
std::vector<Tensor> call_all(const Program& program, std::vector<Tensor> values, std::size_t& at) {
    for (const Input& input : program.inputs) {
        if (input.role == Input::Role::kConstant) {
            values[input.number] = make_tensor(input, 0);
        }
    }
    const std::vector<std::size_t> last = last_uses(program);
    for (at = 0; at < program.steps.size(); ++at) {
        const Step& step = program.steps[at];
        std::vector<Tensor> operands;
        for (const std::size_t number : step.operands) {
            operands.push_back(values[number]);
        }
        for (const std::size_t number : step.operands) {
            if (last[number] == at) {
                values[number].reset();
            }
        }
        Tensor result = step.row->call(operands, step);
        if (step.row->makes_result) {
            values[step.result] = std::move(result);
        }
    }
    std::vector<Tensor> results;
    for (const std::size_t number : program.results) {
        results.push_back(values[number]);
    }
    return results;
}

// The inputs that outlive a run, by number.
class States {
public:
    States(const Program& program, Mode mode) : program_(program), mode_(mode) {}

    // Values for a run: made first, then written in place, but before the second run left as the
    // first one left them.
    void prepare(std::uint64_t run) {
        tensors_.resize(program_.value_count);
        for (const Input& input : program_.inputs) {
            if (input.role != Input::Role::kState || run == 1) {
                continue;
            }
            Tensor fresh = made(input, run);
            Tensor& own = tensors_[input.number];
            if (own.defined()) {
                const NoGradGuard guard;
                own.copy_(fresh);
            } else {
                own = std::move(fresh);
            }
        }
    }

    // With the arguments of a run.
    [[nodiscard]] std::vector<Tensor> values(std::uint64_t run) const {
        std::vector<Tensor> all = tensors_;
        for (const Input& input : program_.inputs) {
            if (input.role == Input::Role::kArgument) {
                all[input.number] = made(input, run);
            }
        }
        return all;
    }

    [[nodiscard]] const std::vector<Tensor>& tensors() const { return tensors_; }

private:
    [[nodiscard]] Tensor made(const Input& input, std::uint64_t run) const {
        return make_tensor(input, run, mode_ == Mode::kRecorded);
    }

    const Program& program_;
    Mode mode_;
    std::vector<Tensor> tensors_;
};

Outcome run_eagerly(const Program& program, const States& states, std::uint64_t run) {
    Outcome outcome;
    manual_seed(program.seed + run);
    try {
        outcome.results = call_all(program, states.values(run), outcome.step);
        // A state that indexes may have left its range: what a kernel reports is thrown here.
        static_cast<void>(ones({1}).item<float>());
    } catch (const Error& error) {
        check_legal(error);
        outcome.error = kind_of(error);
        outcome.text = error.what();
    }
    return outcome;
}

void compare_tensors(const std::string& where,
                     const std::vector<Tensor>& got,
                     const std::vector<Tensor>& wanted,
                     const std::string& what) {
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (!got[i].defined()) {
            continue;
        }
        const std::string difference = differing_bits(got[i], wanted[i]);
        if (!difference.empty()) {
            throw Finding(fmt::format("{}: {} {}: {}", where, what, i, difference));
        }
    }
}

void compare_errors(const std::string& where, const Outcome& got, const Outcome& wanted) {
    if (got.error != wanted.error || (!got.error.empty() && got.step != wanted.step)) {
        throw Finding(
            fmt::format("{}: {}; eager: {}",
                        where,
                        got.error.empty() ? "no error" : got.error + " " + got.text,
                        wanted.error.empty() ? "no error" : wanted.error + " " + wanted.text));
    }
}

struct Run {
    Outcome outcome;
    std::vector<Tensor> states;  ///< afterwards
};

Run eager_run(const Program& program, Mode mode) {
    Run run;
    run_in(mode, [&] {
        States states(program, mode);
        states.prepare(0);
        run.outcome = run_eagerly(program, states, 0);
        run.states = states.tensors();
    });
    return run;
}

// What a recorded call refuses and another does not: out forms, parts of split.
bool may_be_refused(const Program& program) {
    return std::any_of(program.steps.begin(), program.steps.end(), [](const Step& step) {
        return step.row->is_out_form || step.row->refuses_parts;
    });
}

void check_mode(const Program& program, Mode mode, const Run& wanted) {
    const Run got = eager_run(program, mode);
    if (mode == Mode::kRecorded && got.outcome.error == "GradModeError" &&
        may_be_refused(program)) {
        return;
    }
    compare_errors(name_of(mode), got.outcome, wanted.outcome);
    compare_tensors(name_of(mode), got.outcome.results, wanted.outcome.results, "result");
    compare_tensors(name_of(mode), got.states, wanted.states, "state");
}

std::vector<Tensor> arguments_of(const Program& program, const std::vector<Tensor>& values) {
    std::vector<Tensor> arguments;
    for (const Input& input : program.inputs) {
        if (input.role == Input::Role::kArgument) {
            arguments.push_back(values[input.number]);
        }
    }
    return arguments;
}

// A program's calls as a function of its arguments, to be captured.
class Captured {
public:
    Captured(const Program& program, Mode mode, const CaptureOptions& options)
        : program_(program), states_(program, mode) {
        states_.prepare(0);
        const auto fn = [this](std::span<const Tensor> arguments) {
            std::vector<Tensor> values = states_.tensors();
            std::size_t next = 0;
            for (const Input& input : program_.inputs) {
                if (input.role == Input::Role::kArgument) {
                    values[input.number] = arguments[next++];
                }
            }
            return call_all(program_, std::move(values), step_);
        };
        plan_ = capture(fn, arguments_of(program, states_.values(0)), options);
    }

    std::vector<Tensor> replay(std::uint64_t run) {
        if (run > 0) {
            states_.prepare(run);
        }
        manual_seed(program_.seed + run);
        return plan_.replay(arguments_of(program_, states_.values(run)));
    }

    [[nodiscard]] const States& states() const { return states_; }

private:
    const Program& program_;
    States states_;
    std::size_t step_ = 0;
    Plan plan_;
};

struct Variant {
    const char* name;
    CaptureOptions options;
};

// The pass that recognises attention is left out: it alone changes bits.
constexpr Variant kVariants[] = {
    {"captured", {.recognise_attention = false}},
    {"captured without passes",
     {.eliminate_dead_code = false,
      .fold_constants = false,
      .eliminate_common_subexpressions = false,
      .recognise_attention = false,
      .fuse_elementwise = false,
      .fuse_into_kernels = false}},
};

bool reads_host(const Program& program) {
    return std::any_of(program.steps.begin(), program.steps.end(), [](const Step& step) {
        return step.row->reads_host;
    });
}

// Eager results may be views of states, which later runs write; a plan's are copies.
std::vector<Tensor> copies(const std::vector<Tensor>& tensors) {
    const NoGradGuard guard;
    std::vector<Tensor> out;
    for (const Tensor& tensor : tensors) {
        out.push_back(clone(tensor));
    }
    return out;
}

void check_replays(const Program& program, Mode mode, const Variant& variant) {
    Captured captured(program, mode, variant.options);
    States states(program, mode);
    // What the host read of a state at the capture is the plan's for good.
    const std::uint64_t replays = reads_host(program) ? 1 : 3;
    std::vector<std::vector<Tensor>> all_got;
    std::vector<std::vector<Tensor>> all_wanted;
    for (std::uint64_t run = 0; run < replays; ++run) {
        const std::string where =
            fmt::format("{} in {}, replay {}", variant.name, name_of(mode), run);
        states.prepare(run);
        const Outcome wanted = run_eagerly(program, states, run);
        if (!wanted.error.empty()) {
            return;  // values that only some arguments have, such as those of a mask
        }
        all_got.push_back(captured.replay(run));
        all_wanted.push_back(copies(wanted.results));
        compare_tensors(where, all_got.back(), wanted.results, "result");
        compare_tensors(where, captured.states().tensors(), states.tensors(), "state");
    }
    for (std::uint64_t run = 0; run < replays; ++run) {
        const std::string where = fmt::format("{}, replay {}, after the others", variant.name, run);
        compare_tensors(where, all_got[run], all_wanted[run], "result");
    }
}

void check_captured(const Program& program, const Outcome& eager) {
    constexpr Mode kModes[] = {Mode::kGrad, Mode::kNoGrad, Mode::kInference};
    const Mode mode = kModes[program.seed % 3];
    for (const Variant& variant : kVariants) {
        Outcome outcome;
        try {
            run_in(mode, [&] { check_replays(program, mode, variant); });
        } catch (const Error& error) {
            check_legal(error);
            outcome.error = kind_of(error);
            outcome.text = error.what();
        }
        if (reads_host(program) && outcome.error == "GradModeError") {
            continue;
        }
        outcome.step = eager.step;
        compare_errors(variant.name, outcome, eager);
    }
}

}  // namespace

void check_modes(const Program& program, bool captures) {
    const Run wanted = eager_run(program, Mode::kGrad);
    check_mode(program, Mode::kNoGrad, wanted);
    check_mode(program, Mode::kInference, wanted);
    if (captures) {
        check_captured(program, wanted.outcome);
    }
    if (is_capturing() || !is_grad_enabled() || is_inference_mode_enabled()) {
        throw Finding("the mode is another one after the program");
    }
}

void check_recorded(const Program& program) {
    check_mode(program, Mode::kRecorded, eager_run(program, Mode::kGrad));
}

void check_program(const Program& program, bool captures) {
    Machine machine;
    try {
        for (const Input& input : program.inputs) {
            machine.add(input);
        }
        for (const Step& step : program.steps) {
            machine.run(step);
        }
    } catch (const Error& error) {
        check_legal(error);
    }
    machine.check_state();
    check_modes(program, captures);
    check_recorded(program);
}

}  // namespace pumice::differential
