# SPDX-License-Identifier: Apache-2.0
"""How often the loops of a kernel run: the //@iterations lines of shaders/ (see build_shaders.py) as
C++, and shaders that count their loops themselves."""
import re

# More passes through the loops of one invocation than this no kernel may make: drivers stop
# invocations that run for long, lavapipe 22.3 after 65,535 passes without a word.
MOST_ITERATIONS = 30000

LINE = re.compile(r"//@iterations\s+(.+)$")
MORE = re.compile(r"//@\s{2,}(\S.*)$")
FUNCTION = re.compile(r"(\w+)\(([\w, ]+)\) = (.+)$")
TOKEN = re.compile(
    r"\s*([A-Za-z_]\w*(?:\.[xyzw]|\[\d\])?|\d+(?:\.\d+)?|&&|\|\||[<>=!]=|[-+*/()?:<>,!])")
BUILTIN = ("ceil", "min", "max")

HEADER = """\
// SPDX-License-Identifier: Apache-2.0
// Written by tools/build_shaders.py from the //@iterations lines of shaders/; do not edit.
#pragma once

#include "vk/kernels.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pumice::vk {

/// What the loops of one invocation may run, all together: passes through their conditions, so that
/// a loop that ends at once counts 1. Drivers stop invocations that run for long.
inline constexpr double kMostIterations = %(most)d;

/// What they run at most in a call with these specialization and push constants.
using IterationBound = double (*)(std::span<const std::uint32_t> spec,
                                  std::span<const std::byte> push) noexcept;

/// By KernelId.
extern const std::array<IterationBound, static_cast<std::size_t>(KernelId::kCount)> kIterationBounds;

/// Null for kernels that have no loops but such as always end soon.
inline IterationBound iteration_bound(KernelId id) noexcept {
    return kIterationBounds[static_cast<std::size_t>(id)];
}

/// What the lines of shaders/include say, for plans that must keep the bound.
namespace iterations {

constexpr double min(double a, double b) noexcept { return a < b ? a : b; }
constexpr double max(double a, double b) noexcept { return a < b ? b : a; }
constexpr double ceil(double a) noexcept {
    const auto whole = static_cast<double>(static_cast<std::int64_t>(a));
    return whole < a ? whole + 1 : whole;
}

%(functions)s
}  // namespace iterations
}  // namespace pumice::vk
"""

SOURCE = """\
// SPDX-License-Identifier: Apache-2.0
// Written by tools/build_shaders.py from the //@iterations lines of shaders/; do not edit.
#include "vk/iterations.h"

#include <cstring>

namespace pumice::vk {
namespace {

// NOLINTBEGIN: generated
using namespace iterations;  // what the expressions call

[[maybe_unused]] double spec_at(std::span<const std::uint32_t> spec,
                                std::size_t id,
                                double otherwise) noexcept {
    return id < spec.size() ? spec[id] : otherwise;
}

[[maybe_unused]] double push_at(std::span<const std::byte> push,
                                std::size_t offset_bytes) noexcept {
    std::uint32_t word = 0;
    std::memcpy(&word, push.data() + offset_bytes, sizeof(word));
    return word;
}

%(bounds)s// NOLINTEND
}  // namespace

const std::array<IterationBound, static_cast<std::size_t>(KernelId::kCount)> kIterationBounds = {
%(rows)s};

}  // namespace pumice::vk
"""


class BoundError(Exception):
    """A message about an expression, without its place."""


def read_lines(text):
    """The expressions of a file's //@iterations lines, which go on in lines of `//@` and spaces."""
    found, is_open = [], False
    for line in text.splitlines():
        stripped = line.strip()
        if match := LINE.match(stripped):
            found.append(match[1])
            is_open = True
        elif is_open and (match := MORE.match(stripped)):
            found[-1] += " " + match[1]
        else:
            is_open = False
    return found


def is_bound_line(line):
    return bool(LINE.match(line.strip()) or MORE.match(line.strip()))


def _translate(expression, names, functions):
    """C++ for an expression; names: name -> C++ for it."""
    out, at = [], 0
    while at < len(expression.rstrip()):
        match = TOKEN.match(expression, at)
        if not match:
            raise BoundError(f"not understood: {expression[at:].strip()}")
        token, at = match[1], match.end()
        is_call = expression[at:].lstrip().startswith("(")
        if is_call and re.match(r"[A-Za-z_]", token):
            if token not in (*BUILTIN, *functions):
                raise BoundError(f"unknown function {token}")
            out.append(token)
        elif re.match(r"[A-Za-z_]", token):
            if token not in names:
                raise BoundError(f"unknown name {token}")
            out.append(names[token])
        else:
            out.append(token)
    return " ".join(out)


def _enumerators(enums):
    prefixed = {}
    for enum in enums:
        for name, value in enum.members:
            prefixed[f"k{enum.name.removesuffix('Op')}{name}"] = str(value)
    return prefixed


def _names(shader, enums):
    """What an expression of this file may name; specs of a variant that lacks one have the
    default."""
    names = _enumerators(enums)
    for kernel in shader.kernels:
        if kernel.reflection is None:
            continue
        if kernel.reflection.local_size_ids:
            names["LOCAL_SIZE"] = "spec_at(spec, 0, 1)"
        for spec in kernel.reflection.specs:
            if spec.name and spec.type_name != "float":
                default = {"true": "1", "false": "0"}.get(spec.default, spec.default)
                names[spec.name] = f"spec_at(spec, {spec.spec_id}, {default})"
        for member in kernel.reflection.push_members:
            for i in range(member.size_bytes // 4):
                word = f"push_at(push, {member.offset_bytes + 4 * i})"
                names[f"{member.name}[{i}]"] = word
                if i < 4:
                    names[f"{member.name}.{'xyzw'[i]}"] = word
            names[member.name] = f"push_at(push, {member.offset_bytes})"
    return names


class Bounds:
    """The //@iterations lines of all files."""

    def __init__(self, includes, enums):
        """includes: name -> text of shaders/include."""
        self.enums = enums
        self.functions = {}  # name -> (parameters, expression)
        for name, text in sorted(includes.items()):
            for line in read_lines(text):
                if match := FUNCTION.match(line):
                    if match[1] in self.functions or match[1] in BUILTIN:
                        raise BoundError(f"{name}: {match[1]} appears twice")
                    self.functions[match[1]] = ([p.strip() for p in match[2].split(",")], match[3])

    @staticmethod
    def terms(texts):
        """The expressions of a kernel's files, which add up."""
        lines = [line for text in texts for line in read_lines(text)]
        return [line for line in lines if not FUNCTION.match(line)]

    def _functions(self):
        rows, done = [], {}
        names = _enumerators(self.enums)
        waiting = dict(self.functions)
        while waiting:
            ready = [n for n, (_, e) in waiting.items()
                     if not any(re.search(rf"\b{o}\(", e) for o in waiting if o != n)]
            if not ready:
                raise BoundError(f"functions call each other: {', '.join(waiting)}")
            for name in ready:
                parameters, expression = waiting.pop(name)
                done[name] = parameters
                inner = names | {p: p for p in parameters}
                body = _translate(expression, inner, done)
                head = ", ".join(f"double {p}" for p in parameters)
                rows.append(f"constexpr double {name}({head}) noexcept {{\n    return {body};\n}}\n")
        return "\n".join(rows)

    def write(self, shaders, texts_of):
        """The texts of (iterations.h, iterations.cpp). texts_of(shader): its file's and includes'."""
        bounds, rows = [], []
        for shader in shaders:
            terms = self.terms(texts_of(shader))
            if not terms:
                rows += [f"    nullptr,  // {k.name}\n" for k in shader.kernels]
                continue
            names = _names(shader, self.enums)
            try:
                parts = [f"({_translate(term, names, self.functions)})" for term in terms]
            except BoundError as error:
                raise BoundError(f"{shader.path}:1: error: //@iterations: {error}") from error
            total = " +\n           ".join(parts)
            if "spec_at" not in total and "push_at" not in total:
                bounds.append(f"static_assert({total} <= kMostIterations, \"{shader.name}\");\n")
                rows += [f"    nullptr,  // {k.name}\n" for k in shader.kernels]
                continue
            spec = "spec" if "spec_at" in total else "/*spec*/"
            push = "push" if "push_at" in total else "/*push*/"
            bounds.append(f"double bound_{shader.name}(std::span<const std::uint32_t> {spec},\n"
                          f"    std::span<const std::byte> {push}) noexcept {{\n"
                          f"    return {total};\n}}\n")
            rows += [f"    bound_{shader.name},  // {k.name}\n" for k in shader.kernels]
        header = HEADER % {"most": MOST_ITERATIONS, "functions": self._functions()}
        return header, SOURCE % {"bounds": "\n".join(bounds), "rows": "".join(rows)}


LOOP = re.compile(r"\b(for|while) \(")
BUFFER = re.compile(r"^layout\([^)]*\)\s*(\w*)\s*buffer \w+ \{\s*(\w+) (\w+)\[\];", re.MULTILINE)
COUNTER = """\
#ifndef COUNTED_LOOPS
#define COUNTED_LOOPS
uint loop_passes = 0u;
bool counted(bool goes_on) {
    ++loop_passes;
    return goes_on;
}
#endif
"""
TRAP = """
void main() {
    counted_main();
    if (loop_passes > %(most)du) {
        uint own = gl_GlobalInvocationID.x;
        if (own < uint(%(buffer)s.length())) {
            %(buffer)s[own] = %(type)s(%(poison)s);
        }
        %(buffer)s[0] = %(type)s(%(poison)s);
    }
}
"""


def _closing(text, opening):
    depth = 0
    for at in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise BoundError("a loop's condition does not end")


def _count_loops(text):
    at = 0
    while match := LOOP.search(text, at):
        opening = match.end() - 1
        at = closing = _closing(text, opening)
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if "[[unroll]]" in line or "//" in line:
            continue
        inside = text[opening + 1 : closing]
        parts = inside.split(";") if match[1] == "for" else ["", inside]
        if parts[1].strip():
            parts[1] = f" counted({parts[1].strip()})"
        inside = ";".join(parts) if match[1] == "for" else parts[1].strip()
        text = text[: opening + 1] + inside + text[closing:]
        at = opening + 1 + len(inside)
    return text


def with_counters(name, text, included=""):
    """The file's text with loops that count their passes, and a main that spoils a result where
    there are more than may be; `included` is searched for the result as well."""
    text = _count_loops(text)
    if name.endswith(".glsl"):
        guard = re.search(r"^#define PUMICE_\w+_GLSL\n", text, re.MULTILINE)
        start = guard.end() if guard else 0
    else:
        start = re.search(r"^(layout|#include|#define)", text, re.MULTILINE).start()
    text = text[:start] + COUNTER + text[start:]
    if "void main() {" not in text:
        return text
    buffers = [m for m in BUFFER.finditer(text + included) if m[1] != "readonly"]
    kind, target = (buffers[0][2], buffers[0][3]) if buffers else ("uint", "output_words")
    is_word = kind in ("uint", "uvec2", "uvec4", "int")
    poison = "0x7fc12345u" if is_word else "uintBitsToFloat(0x7fc12345u)"
    trap = TRAP % {"most": MOST_ITERATIONS, "buffer": target, "type": kind, "poison": poison}
    text = text.replace("void main() {", "void counted_main() {")
    end = text.rfind("#endif") if name.endswith(".glsl") else len(text)
    return text[:end] + trap + text[end:]
