// SPDX-License-Identifier: Apache-2.0
#include "differential/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

namespace differential {

namespace {

// Part of a text of one or both engines, and the kind of error.
constexpr std::array<std::pair<const char*, const char*>, 24> kKinds = {{
    {"some elements of the input tensor and the written-to", "operand overlaps target"},
    {"has been modified by an inplace operation", "saved tensor modified"},
    {"a view of a leaf Variable", "leaf written"},
    {"leaf Variable that requires grad", "leaf written"},
    {"Inplace update to inference tensor", "inference tensor written"},
    {"Inference tensors cannot be saved", "inference tensor saved"},
    {"second time", "second walk"},
    {"does not have a grad_fn", "no history"},
    {"moved into the graph interior", "leaf became interior"},
    {"change requires_grad flags of leaf", "flag of a non-leaf"},
    {"Can't detach views", "detach_ of a view"},
    {"functions with out=", "out while recording"},
    {"single memory location", "overlapping target"},
    {"several elements in one place", "overlapping target"},
    {"cannot register a hook", "hook without gradient"},
    {"can't retain_grad", "retain without gradient"},
    {"differentiated Tensors does not require grad", "input without gradient"},
    {"Setting requires_grad=True on inference", "inference tensor tracked"},
    {"A view was created", "view refused"},
    {"view was created inside a custom Function", "view refused"},
    {"is a view and", "view refused"},
    {"is a view of a view", "view refused"},
    {"view is the output of a function", "view refused"},
    {"view that is one of several outputs", "view refused"},
}};

bool is_close(float a, float b) {
    if (std::isnan(a) || std::isnan(b) || std::isinf(a) || std::isinf(b)) {
        return std::isfinite(a) == std::isfinite(b);
    }
    return std::abs(a - b) <= 1e-4F * std::max({1.0F, std::abs(a), std::abs(b)});
}

bool are_close(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), is_close);
}

std::string text_of(const std::vector<float>& values) {
    std::string text;
    for (const float value : values) {
        text += (text.empty() ? "" : " ") + std::to_string(value);
    }
    return "{" + text + "}";
}

// Slots that may share memory have the same group.
std::vector<int> alias_groups(const Program& program) {
    std::vector<int> groups(static_cast<std::size_t>(program.slot_count));
    std::iota(groups.begin(), groups.end(), 0);
    for (const Instruction& step : program.steps) {
        const bool aliases =
            views(step.op) || (step.op >= Op::kScaleDirty && step.op <= Op::kReturnInput);
        for (const int result : step.results) {
            if (aliases) {
                groups[static_cast<std::size_t>(result)] =
                    groups[static_cast<std::size_t>(step.operands[0])];
            }
        }
    }
    return groups;
}

// Whether the instruction reads, beside its target, something that may share the target's memory.
bool reads_target(const Instruction& step, const std::vector<int>& groups) {
    if (!writes(step.op)) {
        return false;
    }
    const int group = groups[static_cast<std::size_t>(step.operands[0])];
    return std::any_of(step.operands.begin() + 1, step.operands.end(), [&](int operand) {
        return operand != step.operands[0] && groups[static_cast<std::size_t>(operand)] == group;
    });
}

// Where PyTorch has moved on from LibTorch 1.13, and Pumice with it (docs/libtorch.md).
class Hooks {
public:
    explicit Hooks(const Program& program)
        : groups_(alias_groups(program)), same_(static_cast<std::size_t>(program.slot_count)) {
        std::iota(same_.begin(), same_.end(), 0);
        for (const Instruction& step : program.steps) {
            look_at(step);
        }
    }

    bool retained_grad_moved(int slot) const { return moved_.count(tensor(slot)) > 0; }

    bool walks_differ() const { return walks_differ_; }

private:
    void look_at(const Instruction& step) {
        if (step.op == Op::kScaleDirty) {
            same_[static_cast<std::size_t>(step.results[0])] = tensor(step.operands[0]);
        }
        if (step.op == Op::kRetainGrad) {
            note(retained_, tensor(step.operands[0]));
        } else if (step.op == Op::kHook) {
            note(hooked_, tensor(step.operands[0]));
        } else if (step.op == Op::kGrad) {
            const int captured = tensor(step.operands[1]);
            walks_differ_ = walks_differ_ || hooked_.count(captured) > 0;
            if (retained_.count(captured) > 0) {
                moved_.insert(captured);
            }
        } else if (writes(step.op) || step.op == Op::kDetachInPlace) {
            const int group = groups_[static_cast<std::size_t>(step.operands[0])];
            for (const std::set<int>* slots : {&retained_, &hooked_}) {
                for (const int slot : *slots) {
                    if (groups_[static_cast<std::size_t>(slot)] == group) {
                        moved_.insert(slot);
                    }
                }
            }
        }
    }

    void note(std::set<int>& slots, int slot) {
        // Both at one tensor: 1.13 runs them in the order of their registration.
        const bool is_second = retained_.count(slot) + hooked_.count(slot) > 0;
        if (is_second) {
            // 1.13 adds a hook to those of the value before the write.
            walks_differ_ = walks_differ_ || (&slots == &hooked_ && moved_.count(slot) > 0);
            moved_.insert(slot);
        }
        slots.insert(slot);
    }

    // The slot that a Function wrote and gave back as another.
    int tensor(int slot) const { return same_[static_cast<std::size_t>(slot)]; }

    std::vector<int> groups_;
    std::vector<int> same_;
    std::set<int> retained_;
    std::set<int> hooked_;
    std::set<int> moved_;
    bool walks_differ_ = false;
};

class Comparison {
public:
    Comparison(const Program& program,
               const Outcome& mine,
               const Outcome& theirs,
               std::vector<std::string>& known)
        : program_(program),
          mine_(mine),
          theirs_(theirs),
          known_(known),
          hooks_(program),
          groups_(alias_groups(program)) {
        find_own_versions();
    }

    std::vector<std::string> run() {
        compare_errors();
        if (mine_.tensors.size() != theirs_.tensors.size()) {
            note("other tensors are defined", "", "");
            return found_;
        }
        for (std::size_t i = 0; i < mine_.tensors.size(); ++i) {
            compare(mine_.tensors[i], theirs_.tensors[i]);
        }
        if (splits_in_grad()) {
            known_.emplace_back("parts of a split");
        } else if (!failed_in_walk()) {
            compare_hooks();
        }
        return found_;
    }

private:
    void note(const std::string& what, const std::string& mine, const std::string& theirs) {
        found_.push_back(what + ": " + mine + ", LibTorch " + theirs);
    }

    template <class T>
    void check(int slot, const char* what, T mine, T theirs) {
        if (mine != theirs) {
            note("t" + std::to_string(slot) + " " + what,
                 std::to_string(mine),
                 std::to_string(theirs));
        }
    }

    // LibTorch's counts begin where its own operators left them in what is made of inference
    // tensors, and a Function that is refused has counted its write.
    void find_own_versions() {
        std::set<int> inference;
        for (const TensorState& state : theirs_.tensors) {
            if (state.is_inference) {
                inference.insert(state.slot);
            }
        }
        for (std::size_t i = 0; i < program_.steps.size(); ++i) {
            const Instruction& step = program_.steps[i];
            writes_view_ = writes_view_ || (writes(step.op) && step.op != Op::kAddOut);
            if (writes_view_ && step.op == Op::kGrad) {
                leaks_.insert(step.operands[1]);
            }
            const bool is_refused =
                step.op == Op::kScaleDirty && static_cast<int>(i) == mine_.failed_at;
            const bool reads_inference =
                std::any_of(step.operands.begin(), step.operands.end(), [&](int operand) {
                    return inference.count(operand) > 0;
                });
            if (is_refused) {
                has_own_version_.insert(groups_[static_cast<std::size_t>(step.operands[0])]);
            }
            for (const int result : step.results) {
                if (step.op == Op::kGrad) {
                    from_walk_.insert(groups_[static_cast<std::size_t>(result)]);
                    has_own_version_.insert(groups_[static_cast<std::size_t>(result)]);
                }
                if (reads_inference) {
                    has_own_version_.insert(groups_[static_cast<std::size_t>(result)]);
                }
            }
        }
    }

    Op failed_op() const {
        return mine_.failed_at < 0 ? Op::kLeaf
                                   : program_.steps[static_cast<std::size_t>(mine_.failed_at)].op;
    }

    bool failed_in_walk() const { return failed_op() == Op::kBackward || failed_op() == Op::kGrad; }

    void compare_errors() {
        if (mine_.failed_at != theirs_.failed_at) {
            note("ends at another instruction",
                 std::to_string(mine_.failed_at) + " " + mine_.error,
                 std::to_string(theirs_.failed_at) + " " + theirs_.error);
        } else if (error_kind(mine_.error) != error_kind(theirs_.error)) {
            // Both are there to be found; which comes first is nobody's promise.
            static const std::set<std::string> kOfWalks = {"saved tensor modified",
                                                           "second walk",
                                                           "leaf became interior",
                                                           "view refused",
                                                           "leaf written"};
            if ((failed_in_walk() || failed_op() == Op::kScaleDirty) &&
                kOfWalks.count(error_kind(mine_.error)) > 0 &&
                kOfWalks.count(error_kind(theirs_.error)) > 0) {
                known_.emplace_back("several errors in one call");
            } else {
                note("another error", mine_.error, theirs_.error);
            }
        }
    }

    void compare(const TensorState& mine, const TensorState& theirs) {
        const std::string name = "t" + std::to_string(mine.slot);
        if (mine.slot != theirs.slot || mine.sizes != theirs.sizes) {
            note(name, "another tensor or shape", "");
            return;
        }
        // LibTorch has written already when it refuses (D2).
        const bool may_be_written = error_kind(mine_.error) == "inference tensor written" ||
                                    error_kind(mine_.error) == "overlapping target";
        if (!may_be_written && !are_close(mine.values, theirs.values)) {
            note(name, text_of(mine.values), text_of(theirs.values));
        }
        check(mine.slot, "requires_grad", mine.requires_grad, theirs.requires_grad);
        // LibTorch looks at histories for the text of its error.
        if (!failed_in_walk() || !mine.is_view) {
            check(mine.slot, "is_leaf", mine.is_leaf, theirs.is_leaf);
        }
        check(mine.slot, "is_inference", mine.is_inference, theirs.is_inference);
        if (from_walk_.count(groups_[static_cast<std::size_t>(mine.slot)]) == 0) {
            check(mine.slot, "is_view", mine.is_view, theirs.is_view);
        }
        if (!has_own_version_.count(groups_[static_cast<std::size_t>(mine.slot)])) {
            check(mine.slot, "version", mine.version, theirs.version);
        }
        compare_grads(name, mine, theirs);
    }

    void compare_grads(const std::string& name,
                       const TensorState& mine,
                       const TensorState& theirs) {
        if (failed_in_walk()) {
            return;
        }
        if (hooks_.retained_grad_moved(mine.slot)) {
            known_.emplace_back("retain_grad beside writes or hooks");
            return;
        }
        if (leaks_.count(mine.slot) > 0 && theirs.has_grad) {
            known_.emplace_back("grad() that fills a leaf's grad");
            return;
        }
        check(mine.slot, "has a gradient", mine.has_grad, theirs.has_grad);
        if (mine.has_grad && theirs.has_grad && !are_close(mine.grad, theirs.grad)) {
            note(name + " grad", text_of(mine.grad), text_of(theirs.grad));
        }
    }

    // LibTorch's parts of a split are one node, which is reached for each of them.
    bool splits_in_grad() const {
        const auto has = [this](Op op) {
            return std::any_of(program_.steps.begin(),
                               program_.steps.end(),
                               [op](const Instruction& step) { return step.op == op; });
        };
        return has(Op::kSplit) && has(Op::kGrad) && has(Op::kHook);
    }

    // The order of the walk is nobody's promise: the gradients that a hook saw are sorted.
    void compare_hooks() {
        for (const auto& [place, values] : mine_.hook_log) {
            std::vector<float> mine = values;
            const auto found = theirs_.hook_log.find(place);
            std::vector<float> theirs =
                found == theirs_.hook_log.end() ? std::vector<float>() : found->second;
            std::sort(mine.begin(), mine.end());
            std::sort(theirs.begin(), theirs.end());
            if (!are_close(mine, theirs)) {
                note("hook at " + std::to_string(place), text_of(mine), text_of(theirs));
            }
        }
        for (const auto& [place, values] : theirs_.hook_log) {
            if (mine_.hook_log.count(place) == 0) {
                note("hook at " + std::to_string(place), "not called", text_of(values));
            }
        }
    }

    const Program& program_;
    const Outcome& mine_;
    const Outcome& theirs_;
    std::vector<std::string>& known_;
    Hooks hooks_;
    std::vector<int> groups_;
    bool writes_view_ = false;
    std::set<int> leaks_;            ///< inputs of grad(), which LibTorch's CopySlices gives a grad
    std::set<int> from_walk_;        ///< groups of gradients, which may be views of anything
    std::set<int> has_own_version_;  ///< groups whose versions are not compared
    std::vector<std::string> found_;
};

Program first_steps(const Program& program, int count) {
    Program cut = program;
    cut.steps.resize(static_cast<std::size_t>(count));
    return cut;
}

bool is_view(const Program& program, int slot) {
    return std::any_of(program.steps.begin(), program.steps.end(), [slot](const Instruction& step) {
        return views(step.op) &&
               std::find(step.results.begin(), step.results.end(), slot) != step.results.end();
    });
}

bool is_view_in(const Outcome& outcome, int slot) {
    return std::any_of(outcome.tensors.begin(),
                       outcome.tensors.end(),
                       [slot](const TensorState& x) { return x.slot == slot && x.is_view; });
}

const TensorState* find_state(const Outcome& outcome, int slot) {
    const auto found = std::find_if(outcome.tensors.begin(),
                                    outcome.tensors.end(),
                                    [slot](const TensorState& x) { return x.slot == slot; });
    return found == outcome.tensors.end() ? nullptr : &*found;
}

bool is_tracked_by(const Outcome& outcome, int slot) {
    const auto found = outcome.walk_tracked.find(slot);
    return found != outcome.walk_tracked.end() && found->second;
}

// The rule by which one instruction gives something else, though neither engine refuses it.
std::string other_result(const Instruction& step, const Outcome& mine, const Outcome& theirs) {
    if (step.results.empty()) {
        return "";
    }
    if (step.op == Op::kGrad && is_tracked_by(theirs, step.results[0]) &&
        !is_tracked_by(mine, step.results[0])) {
        return "second derivatives that are constant";
    }
    const TensorState* const my = find_state(mine, step.results[0]);
    const TensorState* const their = find_state(theirs, step.results[0]);
    if (my == nullptr || their == nullptr) {
        return "";
    }
    if (step.op == Op::kScaleDirty && their->is_view && !is_view_in(theirs, step.operands[0])) {
        return "Functions that write without being recorded";
    }
    if (step.op == Op::kData && my->is_inference && !their->is_inference) {
        return "detach() and data() of inference tensors";
    }
    return "";
}

// The rule that lets one engine end where the other goes on, or none.
std::string early_end(const Program& program, const Outcome& mine, const Outcome& theirs) {
    if (error_kind(mine.error) == "overlapping target" &&
        error_kind(theirs.error) != "overlapping target") {
        return "writes through views that overlap themselves";
    }
    if (theirs.failed_at >= 0 && mine.failed_at != theirs.failed_at &&
        error_kind(theirs.error) == "leaf written" &&
        is_view(program, program.steps[static_cast<std::size_t>(theirs.failed_at)].operands[0])) {
        return "writes into views whose base got a history";
    }
    if (theirs.failed_at >= 0 && mine.failed_at != theirs.failed_at &&
        error_kind(theirs.error) == "second walk") {
        return "second walk where nothing was saved";
    }
    if (mine.failed_at >= 0 && mine.failed_at != theirs.failed_at &&
        error_kind(mine.error) == "inference tensor written" &&
        std::any_of(program.steps.begin(), program.steps.end(), [](const Instruction& step) {
            return step.op >= Op::kDetach && step.op <= Op::kTensorData;
        })) {
        return "detach() and data() of inference tensors";
    }
    if (theirs.error.find("INTERNAL ASSERT") != std::string::npos ||
        theirs.error.find("dependency not found for") != std::string::npos ||
        theirs.error.find("Expected a proper Tensor but got None") != std::string::npos) {
        return "LibTorch's own failures";
    }
    if (mine.failed_at >= 0 && mine.failed_at != theirs.failed_at &&
        error_kind(mine.error) == "leaf written" &&
        program.steps[static_cast<std::size_t>(mine.failed_at)].op == Op::kScaleDirty) {
        return "Functions that write a view of a leaf";
    }
    return "";
}

bool cut_at_other_result(Program& program,
                         const Outcome& mine,
                         const Outcome& theirs,
                         Verdict& verdict) {
    for (std::size_t i = 0; i < program.steps.size(); ++i) {
        const std::string rule = other_result(program.steps[i], mine, theirs);
        if (!rule.empty()) {
            verdict.known.push_back(rule);
            program = first_steps(program, static_cast<int>(i));
            return true;
        }
    }
    return false;
}

}  // namespace

std::string error_kind(const std::string& text) {
    for (const auto& [part, kind] : kKinds) {
        if (text.find(part) != std::string::npos) {
            return kind;
        }
    }
    return text.empty() ? "" : "other";
}

std::vector<std::string> differences(const Program& program,
                                     const Outcome& mine,
                                     const Outcome& theirs,
                                     std::vector<std::string>& known) {
    return Comparison(program, mine, theirs, known).run();
}

Verdict judge(const Program& program, const Run& run_mine, const Run& run_theirs) {
    Verdict verdict;
    if (Hooks(program).walks_differ()) {
        verdict.known.emplace_back("hooks of captured or written tensors");
        return verdict;
    }
    Program part = program;
    const std::vector<int> groups = alias_groups(program);
    const auto overlapping =
        std::find_if(part.steps.begin(), part.steps.end(), [&groups](const Instruction& step) {
            return reads_target(step, groups);
        });
    if (overlapping != part.steps.end()) {
        verdict.known.emplace_back("operands that overlap the written tensor");
        part.steps.erase(overlapping, part.steps.end());
    }
    while (true) {
        const Outcome mine = run_mine(part);
        const Outcome theirs = run_theirs(part);
        if (cut_at_other_result(part, mine, theirs, verdict)) {
            continue;
        }
        const std::string rule = early_end(part, mine, theirs);
        if (rule.empty()) {
            verdict.differences = differences(part, mine, theirs, verdict.known);
            return verdict;
        }
        verdict.known.push_back(rule);
        const int end =
            mine.failed_at < 0 || (theirs.failed_at >= 0 && theirs.failed_at < mine.failed_at)
                ? theirs.failed_at
                : mine.failed_at;
        part = first_steps(part, end);
    }
}

}  // namespace differential
