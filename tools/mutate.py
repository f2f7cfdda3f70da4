#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that the tests of the grad-mode layer bite: breaks one rule at a time and runs them.

Each mutant is one replacement of source text: a row of decide() inverted, a throw of E1 to E20 taken
away. It is compiled in a copy of the tree under build/mutate, and the tests of modes, autograd and
torch.h are run on lavapipe. A mutant that fails none of them survived, and the script fails.

    tools/mutate.py             all mutants (about half a minute each)
    tools/mutate.py --list      their names
    tools/mutate.py NAME...     these
"""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "build" / "mutate"
FILTER = "*G[0-9]*,G*,E*,*InferenceMode*,*GradMode*,*AutogradTest*,*AutogradAPI*,section*,decide*,*compile: G*"

DECIDE_H = "engine/dispatch/decide.h"
DECIDE = "engine/dispatch/decide.cpp"
STATE = "engine/dispatch/state.cpp"
TENSOR = "engine/autograd/tensor_autograd.cpp"
BACKWARD = "engine/autograd/backward.cpp"
SAVED = "engine/autograd/saved_tensor.cpp"
REPLAY = "engine/graph/replay.cpp"
CAPTURE = "engine/graph/capture.cpp"

# name: (file, text, replacement). The text must stand in the file exactly once.
MUTANTS = {
    # Rows of decide().
    "record_ignores_grad_mode": (DECIDE_H, "state.grad && traits.has_normal_operand &&",
                                 "traits.has_normal_operand &&"),
    "record_without_normal_operand": (DECIDE_H, "state.grad && traits.has_normal_operand &&",
                                      "state.grad &&"),
    "record_without_r": (DECIDE_H, "traits.has_normal_operand && traits.has_differentiable_r;",
                         "traits.has_normal_operand;"),
    "view_kind_from_mode": (DECIDE_H, "decision.output_is_inference = traits.target_is_inference;  // G22",
                            "decision.output_is_inference = state.inference;"),
    "view_record_on_inference": (DECIDE_H, "decision.makes_view_record = !traits.target_is_inference;",
                                 "decision.makes_view_record = true;"),
    "no_view_record": (DECIDE_H, "decision.makes_view_record = !traits.target_is_inference;", ""),
    "creation_not_inference": (DECIDE_H, "made = CreationMeta::kInferenceMode;", ""),
    "creation_not_no_grad": (DECIDE_H, "made = CreationMeta::kNoGradMode;", ""),
    "creation_not_multi_output": (DECIDE_H, "made = CreationMeta::kMultiOutputNode;", ""),
    "creation_forgets_default": (DECIDE_H, "made == CreationMeta::kDefault ||", "false ||"),
    "creation_forgets_inference": (DECIDE_H,
                                   "|| traits.target_creation == CreationMeta::kInferenceMode", ""),
    "write_unchecked": (DECIDE_H, "check_write(op, traits, state);\n            decision",
                        "static_cast<void>(op);\n            decision"),
    "write_bumps_nothing": (DECIDE_H, "decision.bumps_version = !traits.target_is_inference;  // G34", ""),
    "write_bumps_inference": (DECIDE_H, "decision.bumps_version = !traits.target_is_inference;  // G34",
                              "decision.bumps_version = true;"),
    "in_place_not_recorded": (DECIDE_H, "check_write(op, traits, state);\n            decision",
                              "check_write(op, traits, state);\n            "
                              "decision.record = false;\n            decision"),
    "output_kind_normal": (DECIDE_H, "decision.output_is_inference = state.inference;  // G21", ""),
    "output_kind_inference": (DECIDE_H, "decision.output_is_inference = state.inference;  // G21",
                              "decision.output_is_inference = true;"),
    "transient_never": (DECIDE_H, "decision.storage = memory::StorageClass::kTransient;  // G65", ""),
    "transient_under_guard": (DECIDE_H, "state.inference && !is_persistent_forced",
                              "state.inference && (!is_persistent_forced || true)"),
    "captured_takes_memory": (DECIDE_H, "if (is_captured) {", "if (false) {"),
    "transient_in_normal_modes": (DECIDE_H, "state.inference && !is_persistent_forced",
                                  "!is_persistent_forced"),
    # Throws.
    "E1": (STATE, "if (enabled && state.inference) {", "if (false) {"),
    "E2": (DECIDE, "if (!state.inference) {", "if (false) {"),
    "E3": (SAVED, "if (impl.is_inference) {", "if (false) {"),
    "E4": ("engine/tensor/tensor.cpp", "if (!counter_) {", "if (!counter_) { return 0; }\n    if (false) {"),
    "E5": (TENSOR, "if (impl.is_inference && !is_inference_mode_enabled()) {\n        throw GradModeError(\"set_requires_grad\"",
           "if (false) {\n        throw GradModeError(\"set_requires_grad\""),
    "E6_E8": (DECIDE, "traits.target_is_view && traits.target_creation != CreationMeta::kDefault", "false"),
    "E6_E8_indirect": ("engine/autograd/meta.cpp", "if (impl.view->creation != CreationMeta::kDefault) {",
                       "if (false) {"),
    "E7": ("engine/tensor/tensor.cpp", "if (impl.is_inference) {", "if (false) {"),
    "E9": (SAVED, "if (impl.version && impl.version->value() != version_) {", "if (false) {"),
    "E10": (DECIDE, "if (!traits.target_requires_grad || !is_leaf) {", "if (true) {"),
    "E10_order": (DECIDE, "    if (traits.target_is_view) {\n        throw", "    if (false) {\n        throw"),
    "E11": (DECIDE, "traits.form == Form::kOut && state.grad && traits.has_any_r", "false"),
    "E12": (BACKWARD, "if (!edge.node) {\n            throw GradModeError(\n                op,",
            "if (!edge.node) { continue; }\n        if (false) {\n            throw GradModeError(\n                op,"),
    "E13_hook": (TENSOR, "if (!impl.tracks_grad()) {\n        throw GradModeError(\"register_hook\"",
                 "if (false) {\n        throw GradModeError(\"register_hook\""),
    "E13_retain": (TENSOR, "if (!impl.tracks_grad()) {\n        throw GradModeError(\"retain_grad\"",
                   "if (false) {\n        throw GradModeError(\"retain_grad\""),
    "E14": (TENSOR, "if (impl.is_inference != from.is_inference) {", "if (false) {"),
    "E16": (BACKWARD, "if (is_inference_mode_enabled()) {\n        throw GradModeError(op",
            "if (false) {\n        throw GradModeError(op"),
    "E17": ("engine/autograd/function.cpp", "if (is_differentiable(output) && output.is_inference()) {",
            "if (false) {"),
    "E18": ("engine/optim/optimizer.cpp", "if (parameter.is_inference()) {", "if (false) {"),
    "E19": (REPLAY, "if (current_grad_mode() != mode_) {", "if (false) {"),
    "capture_in_two_classes": (CAPTURE, "if (dispatch::thread_state.autograd.inference != state_.inference) {",
                               "if (false) {"),
    "capture_leaves_a_mode": (CAPTURE, "if (dispatch::thread_state.autograd != before) {", "if (false) {"),
    "replay_bumps_nothing": (REPLAY, "        bump.version->bump(bump.count);", ""),
    "replay_leaves_aliases": (REPLAY, "        storage->overwrite();", ""),
    "plans_of_any_mode": ("engine/graph/plan_cache.cpp", "static_cast<std::int64_t>(current_grad_mode())", "0"),
    "E20": (BACKWARD, "if (is_inference_mode_enabled()) {\n        throw GradModeError(\"make_dual\"",
            "if (false) {\n        throw GradModeError(\"make_dual\""),
    # Entering and leaving.
    "inference_keeps_grad": (STATE, ".grad = !enabled, .inference", ".grad = true, .inference"),
    "inference_keeps_fw_grad": (STATE, ".fw_grad = !enabled}", ".fw_grad = true}"),
    "guard_restores_nothing": (STATE, "thread_state.autograd = previous_;", ""),
    "guard_out_of_order_silent": (STATE, "guard_error_handler.load()(\n", "static_cast<void>(\n"),
    "persistent_guard_keeps_inference": (STATE, "state.inference = false;\n    state.grad = false;",
                                         "state.grad = false;"),
    "flow_keeps_its_mode": ("include/pumice/task.h", "            is_entered_ = false;\n            swap_flow_state(own_);",
                            "            is_entered_ = false;"),
    "post_without_modes": ("include/pumice/parallel.h", "auto call = bind_mode(std::move(fn));",
                           "auto call = std::move(fn);"),
    "gradient_of_inference_kept": ("engine/autograd/meta.cpp", "if (takes && !incoming.is_inference()) {",
                                   "if (takes) {"),
    "walk_in_callers_mode": ("engine/autograd/walk.cpp", "{.grad = request.create_graph, .inference = false",
                             "{.grad = true, .inference = false"),
}


def run(command, **options):
    return subprocess.run(command, cwd=COPY, capture_output=True, text=True, check=False, **options)


def refresh_copy():
    """Makes the copy's tracked and new files those of the tree; build folders stay."""
    COPY.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, listed):
        source, target = ROOT / name, COPY / name
        if not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy2(source, target)
            target.touch()
    drivers = COPY / "build" / "drivers"
    if not drivers.exists():
        shutil.copytree(ROOT / "build" / "drivers", drivers)


def build():
    # Some tests run lower_bound.
    result = run(["cmake", "--build", "--preset", "dev", "--target", "pumice_tests", "lower_bound"])
    return result.returncode == 0, result.stdout[-2000:]


def failed_tests():
    """Test cases that fail; one made-up name where the process died."""
    result = run(["tools/with-driver", "lavapipe", "build/dev/bin/pumice_tests", f"-tc={FILTER}"],
                 timeout=600)
    names = re.findall(r"^TEST CASE:\s+(.*)$", result.stdout, re.MULTILINE)
    return sorted(set(names)) or (["the process died"] if result.returncode else [])


def check_texts():
    for name, (path, text, _) in MUTANTS.items():
        count = (ROOT / path).read_text().count(text)
        if count != 1:
            sys.exit(f"mutant {name}: its text stands in {path} {count} times, wanted once")


def test_mutant(name):
    """A line about the mutant, and whether a test found it."""
    path, text, replacement = MUTANTS[name]
    target = COPY / path
    original = target.read_text()
    target.write_text(original.replace(text, replacement))
    try:
        is_built, output = build()
        if not is_built:
            return f"{name}: does not compile\n{output}", False
        failed = failed_tests()
        return f"{name}: {len(failed)} failed" + (f", as '{failed[0]}'" if failed else ": SURVIVED"), bool(failed)
    finally:
        target.write_text(original)


def main():
    names = sys.argv[1:]
    if names == ["--list"]:
        print("\n".join(MUTANTS))
        return
    unknown = [name for name in names if name not in MUTANTS]
    if unknown:
        sys.exit(f"no such mutant: {', '.join(unknown)}")
    check_texts()
    refresh_copy()
    # A mutant may leave names unused.
    configured = run(["cmake", "--preset", "dev",
                      "-DCMAKE_CXX_FLAGS=-Wno-unused-parameter -Wno-unused-variable"])
    if configured.returncode:
        sys.exit(configured.stderr)
    is_built, output = build()
    if not is_built:
        sys.exit("the tree itself does not build:\n" + output)
    if failed := failed_tests():
        sys.exit("the tree itself fails: " + ", ".join(failed))
    survivors = []
    for name in names or MUTANTS:
        line, is_found = test_mutant(name)
        print(line, flush=True)
        if not is_found:
            survivors.append(name)
    print(f"{len(names or MUTANTS)} mutants, {len(survivors)} survived {' '.join(survivors)}")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
