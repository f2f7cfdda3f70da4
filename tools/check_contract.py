#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that engine/ hands kernels their constants by name only.

The structs of generated/vk/kernels/*.h are the one way: no push struct of one's own, no list of
specialization constants, none read or written by its number. Prints every violation as
file:line: error: ..., and exits 1 if there was one.
"""
import re
import sys
from pathlib import Path

# These write the words themselves: the one from the structs, the other beside the line of GLSL that
# declares the constant.
WRITERS = ("engine/dispatch/program.h", "engine/graph/chain.cpp")

OWN_PUSH = re.compile(r"\b(?:struct|class)\s+\w*Push\w*\s*(?:final\s*)?(?::[^;{]*)?\{")
APPENDED = re.compile(r"\bspec_?(?:\.|->)(?:push_back|emplace_back|insert)\s*\(|\bpush_spec\s*\(")
LISTED = re.compile(
    r"(?:<\s*(?:std::)?uint32_t\b[^;=(){}]*>|\buint32_t|\bauto)\s+\w*spec\w*\s*"
    r"(?:\[\d*\]\s*)?(?:=\s*)?(?:std::array\w*\s*)?\{\s*[^}\s]|\.spec\s*=\s*(?:std::\w+[^;,]*)?\{")
NUMBERED = re.compile(r"\bspec_?(?:\(\))?\s*\[\s*(?:\d|k[A-Z]|[\w:]+::)")
UNSET = re.compile(r"\b[A-Z]\w*Spec(?:\s+\w+)?\s*(?:=\s*)?(?:\{\s*\}|\(\s*\))")
POSITIONAL = re.compile(
    r"(?<!struct )(?<!class )\b[A-Z]\w*(?:Spec|Push)(?:\s+\w+)?\s*(?:=\s*)?\{\s*[^.}\s]")
SET_CALL = re.compile(r"\.set\s*\(")

RULES = (
    (OWN_PUSH, "a push struct of one's own; vk/kernels/*.h has one for each kernel"),
    (APPENDED, "a specialization constant without its name; use Step::set"),
    (LISTED, "a list of specialization constants; use the struct of vk/kernels/*.h"),
    (NUMBERED, "a specialization constant by its number; keep the struct"),
    (UNSET, "specialization constants without values; name each field"),
    (POSITIONAL, "fields without their names; use designated initialisers"),
)

COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def _blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def _unnamed_lists(code):
    """Where a call of set() has a brace list without names for an argument."""
    for call in SET_CALL.finditer(code):
        depth, at = 1, call.end()
        while depth and at < len(code):
            if code[at] in "({":
                is_list = code[at] == "{" and depth == 1
                if is_list and not re.match(r"\{\s*\.", code[at:]):
                    yield at
                depth += 1
            elif code[at] in ")}":
                depth -= 1
            at += 1


def violations(name, text):
    """The messages about one file."""
    code = COMMENT_OR_TEXT.sub(_blank, text)
    found = []
    for rule, message in RULES:
        if name in WRITERS and rule in (APPENDED, NUMBERED):
            continue
        found += [(match.start(), message) for match in rule.finditer(code)]
    found += [(at, RULES[-1][1]) for at in _unnamed_lists(code)]
    lines = sorted({(code.count("\n", 0, at) + 1, message) for at, message in found})
    return [f"{name}:{line}: error: {message}" for line, message in lines]


def main(root=Path(__file__).resolve().parents[1]):
    files = sorted(p for p in (root / "engine").glob("**/*") if p.suffix in (".h", ".cpp", ".inc"))
    found = [v for p in files for v in violations(p.relative_to(root).as_posix(), p.read_text())]
    print("\n".join([*found, f"{len(files)} files, {len(found)} violations"]))
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
