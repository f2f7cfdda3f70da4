# SPDX-License-Identifier: Apache-2.0
"""The text of vk/kernels/*.h: what the host hands to each kernel, as structs whose fields have the
names that the shader gives them (see build_shaders.py)."""
import re
from dataclasses import dataclass

from kernel_source import camel
from spirv_reflect import ReflectError

OWN_BLOCK = "Push"  # the name of a push block that one file alone has
SHARED = "shared"  # the header of what several files have

INCLUDED_CONSTANT = re.compile(r"^layout\(constant_id = \d+\) const \w+ (\w+)", re.MULTILINE)
INCLUDED_LOCAL_SIZE = re.compile(r"^layout\(local_size_x_id = 0\) in;", re.MULTILINE)

HEADER = """\
// SPDX-License-Identifier: Apache-2.0
// Written by tools/build_shaders.py from %(origin)s; do not edit.
#pragma once

%(own_includes)s#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace pumice::vk {

%(structs)s}  // namespace pumice::vk
"""

PUSH = """\
/// Push constants of %(origin)s.
struct %(name)s {
%(fields)s};

%(checks)s
"""

SPEC = """\
/// Specialization constants of %(origin)s.
struct %(name)s {
%(head)s%(fields)s
    [[nodiscard]] constexpr std::array<std::uint32_t, %(count)d> by_id() const noexcept {
        return {
%(words)s        };
    }
};

"""

# In the struct of a kernel's constants.
KERNEL = """\
    using Push = %(push)s;
    static constexpr std::size_t kPushBytes = %(push_bytes)d;
    static constexpr KernelId kFirstKernel = KernelId::k%(first)s;
    /// How many of by_id() each variant has, from kFirstKernel on.
    static constexpr std::array<std::uint8_t, %(variants)d> kWordCounts = {%(word_counts)s};

"""


@dataclass
class Constant:
    """A specialization constant as a field."""

    field: str
    spec_id: int
    type_name: str  # of GLSL
    default: str
    is_everywhere: bool  # in all variants


def snake(name):
    """TILE_ROWS, tileRows and kTileRows all give tile_rows."""
    if re.match(r"k[A-Z]", name):
        name = name[1:]
    if "_" not in name and not name.isupper():
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return name.lower()


def built_kernels(shader):
    return [kernel for kernel in shader.kernels if kernel.reflection]


def constants_of(shader):
    """Those of all variants, by id. An id has one name, the workgroup size where it has no other."""
    kernels, found = built_kernels(shader), {}
    for kernel in kernels:
        named = {spec.spec_id: spec for spec in kernel.reflection.specs if spec.name}
        sizes = zip(("local_size", "local_size_y", "local_size_z"), kernel.reflection.local_size_ids)
        rows = [(i, field, "uint", "1") for field, i in sizes if i is not None and i not in named]
        rows += [(s.spec_id, snake(s.name), s.type_name, s.default) for s in named.values()]
        for spec_id, *row in rows:
            known = found.setdefault(spec_id, [row, 0])
            if known[0] != row:
                raise ReflectError(f"constant_id {spec_id} is {' '.join(known[0])} in one variant, "
                                   f"{' '.join(row)} in another")
            known[1] += 1
    rows = [Constant(row[0], spec_id, row[1], row[2], count == len(kernels))
            for spec_id, (row, count) in sorted(found.items())]
    names = [row.field for row in rows]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ReflectError(f"two specialization constants are called {sorted(twice)[0]}")
    return rows


def included_constants(text):
    """The fields that an included file declares."""
    names = [snake(name) for name in INCLUDED_CONSTANT.findall(text)]
    return (["local_size"] if INCLUDED_LOCAL_SIZE.search(text) else []) + names


def _is_dtype(constant):
    return constant.type_name == "uint" and re.fullmatch(r"(\w+_)?dtype", constant.field)


def _type_of(constant):
    names = {"uint": "std::uint32_t", "int": "std::int32_t", "float": "float", "bool": "bool"}
    return "DType" if _is_dtype(constant) else names[constant.type_name]


def _default_of(constant):
    if constant.is_everywhere:
        return ""  # a call that forgets it does not compile
    text = constant.default + {"uint": "U", "float": "F"}.get(constant.type_name, "")
    return f" = static_cast<DType>({text})" if _is_dtype(constant) else f" = {text}"


def _word_of(constant, path):
    if constant.type_name == "float":
        return f"std::bit_cast<std::uint32_t>({path})"
    return path if _type_of(constant) == "std::uint32_t" else f"static_cast<std::uint32_t>({path})"


def _spec_struct(name, origin, constants, parts, head):
    """parts: field of an included file's constants -> (its type, names)."""
    part_of = {field: part for part, (_, names) in parts.items() for field in names}
    lines, words, seen = [], {}, set()
    for constant in constants:
        part = part_of.get(constant.field)
        path = f"{part}.{constant.field}" if part else constant.field
        words[constant.spec_id] = _word_of(constant, path)
        if not part:
            lines.append(f"    {_type_of(constant)} {constant.field}{_default_of(constant)};\n")
        elif part not in seen:
            lines.append(f"    {parts[part][0]} {part};\n")
            seen.add(part)
    count = max(words) + 1
    return SPEC % {
        "name": name, "origin": origin, "head": head, "fields": "".join(lines), "count": count,
        "words": "".join(f"            {words.get(i, '0U')},\n" for i in range(count)),
    }  # fmt: skip


def _push_type(member):
    name = {"uint": "std::uint32_t", "int": "std::int32_t", "float": "float"}[member.scalar]
    for extent in reversed(member.extents):
        name = f"std::array<{name}, {extent}>"
    return name


def _push_struct(name, origin, reflection):
    """Gaps of the layout are fields, so that the struct ends where the block does."""
    lines, checks, at = [], [], 0
    for member in reflection.push_members:
        if member.offset_bytes > at:
            lines.append(f"    std::array<std::byte, {member.offset_bytes - at}> gap_at_{at}{{}};\n")
        lines.append(f"    {_push_type(member)} {member.name};\n")
        checks.append(f"static_assert(offsetof({name}, {member.name}) == {member.offset_bytes});\n")
        at = member.offset_bytes + member.size_bytes
    size = f"static_assert(sizeof({name}) == {at});\n" if lines else ""
    return PUSH % {"name": name, "origin": origin, "fields": "".join(lines),
                   "checks": "".join(checks) + size}


def push_name(shader, reflection):
    """A block that several files include says so by a name of its own."""
    is_own = reflection.push_block in ("", OWN_BLOCK)
    return f"{camel(shader.name)}Push" if is_own else reflection.push_block


class Contract:
    """The headers of all kernels."""

    def __init__(self, includes):
        """includes: name -> text of shaders/include."""
        self.parts = {name: fields for name, text in includes.items()
                      if (fields := included_constants(text))}
        self.shared = {}  # struct -> (what it was made of, text)
        self.headers = {}  # file's stem -> text

    def add(self, shader, included, origin):
        """included: names of the files of shaders/include that the shader has."""
        kernels = built_kernels(shader)
        if not kernels:
            return
        reflection = kernels[0].reflection
        constants = constants_of(shader)
        parts = self._parts(constants, included)
        structs, push = "", push_name(shader, reflection)
        if push == f"{camel(shader.name)}Push":
            structs += _push_struct(push, origin, reflection)
        else:
            text = _push_struct(push, "several kernels", reflection)
            self._share(push, reflection.push_members, text)
        counts = [max(s.spec_id for s in k.reflection.specs) + 1 if k.reflection else 0
                  for k in shader.kernels]
        head = KERNEL % {
            "push": push, "push_bytes": reflection.push_size_bytes,
            "first": camel(shader.kernels[0].name), "variants": len(shader.kernels),
            "word_counts": ", ".join(map(str, counts)),
        }  # fmt: skip
        structs += _spec_struct(f"{camel(shader.name)}Spec", origin, constants, parts, head)
        own = ['"vk/kernels.h"']
        if parts or not push.startswith(camel(shader.name)):
            own.append(f'"vk/kernels/{SHARED}.h"')
        self.headers[shader.name] = _header(origin, constants, own, structs)

    def _parts(self, constants, included):
        """field -> (type, names) of the included files that declare constants."""
        by_field, parts = {c.field: c for c in constants}, {}
        for name in sorted(self.parts.keys() & set(included)):
            fields = self.parts[name]
            if missing := [f for f in fields if f not in by_field]:
                raise ReflectError(f"{name} declares {missing[0]}, which this kernel lacks")
            stem = re.sub(r"\W", "_", name.removesuffix(".glsl"))
            type_name = f"{camel(stem)}Spec"
            own = [by_field[f] for f in fields]
            text = _spec_struct(type_name, f"shaders/include/{name}", own, {}, "")
            self._share(type_name, own, text)
            parts[stem] = (type_name, fields)
        return parts

    def _share(self, name, made_of, text):
        known = self.shared.setdefault(name, (made_of, text))
        if known[0] != made_of:
            raise ReflectError(f"{name} differs from that of another kernel")

    def texts(self):
        """Header's stem -> text."""
        structs = "".join(text for _, (_, text) in sorted(self.shared.items()))
        constants = [c for made_of, _ in self.shared.values() for c in made_of
                     if isinstance(c, Constant)]
        shared = _header("shaders/include", constants, [], structs)
        return {**self.headers, SHARED: shared}


def _header(origin, constants, own, structs):
    if any(_is_dtype(constant) for constant in constants):
        own = ['"pumice/dtype.h"', *own]
    lines = "".join(f"#include {name}\n" for name in own)
    return HEADER % {"origin": origin, "own_includes": lines + "\n" if lines else "",
                     "structs": structs}
