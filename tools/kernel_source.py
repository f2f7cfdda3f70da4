# SPDX-License-Identifier: Apache-2.0
"""The text of vk/kernels.h and vk/kernels.cpp, from reflected kernels and the texts of
shaders/include (see build_shaders.py)."""
import re
import struct

HEADER = """\
// SPDX-License-Identifier: Apache-2.0
// Written by tools/build_shaders.py from shaders/; do not edit.
#pragma once

#include <cstdint>
#include <string_view>

namespace pumice::vk {

/// One compiled shader variant: <family>_<algorithm>[_<variant value>...].
enum class KernelId : std::uint16_t {
%(ids)s    kCount
};

/// What a device must have for a kernel: the bits of KernelInfo::features.
enum class KernelFeature : std::uint32_t {
%(features)s};

/// One SPIR-V module.
struct KernelCode {
    const std::uint32_t* words;
    std::uint32_t word_count;
};

/// A kernel as the host launches it. code is null and word_count 0 for a variant that the shader
/// compiler of this build could not make.
struct KernelInfo {
    const char* name;
    const std::uint32_t* code;
    std::uint32_t word_count;
    std::uint8_t binding_count;  ///< storage buffers of set 0, bindings 0 .. binding_count - 1
    std::uint8_t written_mask;   ///< bit i: binding i is not readonly
    std::uint8_t read_mask;      ///< bit i: binding i is not writeonly
    std::uint8_t push_size_bytes;
    std::uint8_t spec_count;  ///< highest specialization constant id + 1
    std::uint32_t features;   ///< KernelFeature bits, or'ed
    bool reports = false;     ///< has one binding more, which the queue fills (vk/reports.h)
    /// The module that reads operands as texels (shaders/include/reads.glsl), and which bindings are
    /// uniform texel buffers in it; null and 0 where the kernel has no other one.
    KernelCode texel_code{};
    std::uint8_t texel_mask = 0;
};

/// @throws nothing; id must be below KernelId::kCount.
const KernelInfo& kernel_info(KernelId id) noexcept;

/// The text of shaders/include/<name>, for kernels that are written at run time; empty for a name
/// that is not there.
std::string_view include_text(std::string_view name) noexcept;

/// A kernel that can be compiled again around chains of maps (//@hook; shaders/include/hooks.glsl).
struct HostText {
    std::string_view text;      ///< of its file
    std::string_view defines;   ///< its variant's macros, each `#define NAME 1` and a line's end
    int result_binding;         ///< whose elements pass through hooked_result(); -1: none
    int operand_binding;        ///< of an operand whose elements pass through operand_word(); -1: none
    std::uint8_t operand_mask;  ///< bindings where that operand may lie: this one, and others as well
    std::uint8_t operand_reads; ///< of each of its elements
};

/// Null for kernels that cannot.
const HostText* host_text(KernelId id) noexcept;

// Constants shared with GLSL (//@enum in shaders/include).
%(enums)s
/// What an operator computes, as GLSL (//@formulas in shaders/include). `integer` is empty where only
/// floats are defined.
struct Formula {
    std::string_view real;
    std::string_view integer;
};

%(formula_declarations)s
}  // namespace pumice::vk
"""

SOURCE = """\
// SPDX-License-Identifier: Apache-2.0
// Written by tools/build_shaders.py from shaders/; do not edit.
#include "vk/kernels.h"

#include <array>
#include <cstddef>

namespace pumice::vk {
namespace {

%(codes)s
constexpr std::array<KernelInfo, %(count)d> kKernels = {{
%(rows)s}};

struct IncludeText {
    std::string_view name;
    std::string_view text;
};

constexpr std::array<IncludeText, %(include_count)d> kIncludeTexts = {{
%(includes)s}};

%(host_texts)s
}  // namespace

const KernelInfo& kernel_info(KernelId id) noexcept {
    return kKernels[static_cast<std::size_t>(id)];
}

std::string_view include_text(std::string_view name) noexcept {
    for (const IncludeText& each : kIncludeTexts) {
        if (each.name == name) {
            return each.text;
        }
    }
    return {};
}

const HostText* host_text(KernelId id) noexcept {
    switch (id) {
%(host_cases)s        default: return nullptr;
    }
}
%(formulas)s
}  // namespace pumice::vk
"""


def camel(name):
    """tile_m, TILE_M, tileM and kTileM all give TileM."""
    if re.match(r"k[A-Z]", name):
        name = name[1:]
    parts = [p for p in name.split("_") if p]
    return "".join((p.capitalize() if p.isupper() else p[0].upper() + p[1:]) for p in parts)


def _mask(reflection, attribute):
    return sum(1 << i for i, b in reflection.bindings.items() if getattr(b, attribute))


def _reflection(shader, kernel):
    """A variant that was left out borrows from a sibling."""
    siblings = (k.reflection for k in shader.kernels if k.reflection)
    return kernel.reflection or next(siblings, None)


def _feature_bits(kernel, features):
    return sum(1 << bit for bit, name in enumerate(features) if name in kernel.features)


def _row(shader, kernel, features):
    out = _reflection(shader, kernel)
    bits = _feature_bits(kernel, features)
    if out is None:
        return f'    {{"{kernel.name}", nullptr, 0, 0, 0, 0, 0, 0, {bits}, false}},\n'
    code = f"kCode{camel(kernel.name)}.data()" if kernel.spirv else "nullptr"
    numbers = [len(kernel.spirv) // 4, len(out.bindings), _mask(out, "is_written")]
    numbers += [_mask(out, "is_read"), out.push_size_bytes]
    numbers += [max((s.spec_id + 1 for s in out.specs), default=0), bits]
    numbers += ["true" if out.reports else "false"]
    if kernel.texel_spirv:
        code_of_texels = f"kTexelCode{camel(kernel.name)}.data()"
        numbers += [f"{{{code_of_texels}, {len(kernel.texel_spirv) // 4}}}"]
        numbers += [_mask(kernel.texel_reflection, "is_texels")]
    return f'    {{"{kernel.name}", {code}, {", ".join(map(str, numbers))}}},\n'


def _code(name, spirv):
    words = struct.unpack(f"<{len(spirv) // 4}I", spirv)
    lines = [f"constexpr std::array<std::uint32_t, {len(words)}> {name} = {{"]
    for at in range(0, len(words), 12):
        lines.append("    " + ",".join(f"{w:#x}" for w in words[at : at + 12]) + ",")
    return "\n".join(lines) + "\n};\n"


def _enum(enum):
    members = "".join(f"    k{name} = {value},\n" for name, value in enum.members)
    return f"enum class {enum.name} : std::uint32_t {{\n{members}}};\n"


def _without_comments(text):
    """They would only make the library larger."""
    lines = [re.sub(r"\s*//.*", "", line) for line in text.splitlines()]
    return "\n".join(line for line in lines if line.strip()) + "\n"


def _include_row(name, text):
    return f'    {{"{name}", R"glsl({_without_comments(text)})glsl"}},\n'


def _host_text(shader):
    text = _without_comments(shader.path.read_text())
    return f'constexpr std::string_view kText{camel(shader.name)} = R"glsl({text})glsl";\n'


def _host_case(shader, kernel):
    """Returns from a static, one a variant."""
    defines = "".join(f"#define {d.removeprefix('-D').replace('=', ' ')}\\n" for d in kernel.defines)
    result = shader.hooks.get("result", [-1])[0]
    operands = shader.hooks.get("operand", [])
    mask = sum(1 << binding for binding in operands)
    return (f"        case KernelId::k{camel(kernel.name)}: {{\n"
            f'            static constexpr HostText kHost{{kText{camel(shader.name)}, "{defines}",'
            f" {result}, {operands[0] if operands else -1}, {mask}, {shader.operand_reads}}};\n"
            "            return &kHost;\n        }\n")


def _formula_function(enum, formulas):
    rows = []
    for name, _ in enum.members:
        texts = [formulas[name].get(kind, "") for kind in ("float", "int")]
        rows.append(f'        case {enum.name}::k{name}: return {{"{texts[0]}", "{texts[1]}"}};\n')
    return (f"\nFormula formula_of({enum.name} op) noexcept {{\n    switch (op) {{\n"
            + "".join(rows) + "    }\n    return {};\n}\n")


def write_interface(shaders, enums, features, includes, formulas):
    """The texts of (kernels.h, kernels.cpp); includes: name -> text; formulas: enum's name ->
    member -> float or int -> expression."""
    computed = [enum for enum in enums if enum.name in formulas]
    pairs = [(shader, kernel) for shader in shaders for kernel in shader.kernels]
    bits = enumerate(features)
    header = HEADER % {
        "ids": "".join(f"    k{camel(k.name)},\n" for _, k in pairs),
        "features": "".join(f"    k{camel(name)} = 1U << {bit}U,\n" for bit, name in bits),
        "count": len(pairs),
        "enums": "\n".join(map(_enum, enums)),
        "formula_declarations": "".join(
            f"Formula formula_of({enum.name} op) noexcept;\n" for enum in computed),
    }
    source = SOURCE % {
        "codes": "\n".join(
            [_code(f"kCode{camel(k.name)}", k.spirv) for _, k in pairs if k.spirv]
            + [_code(f"kTexelCode{camel(k.name)}", k.texel_spirv) for _, k in pairs if k.texel_spirv]),
        "count": len(pairs),
        "rows": "".join(_row(s, k, features) for s, k in pairs),
        "formulas": "".join(_formula_function(e, formulas[e.name]) for e in computed),
        "include_count": len(includes),
        "includes": "".join(_include_row(*item) for item in sorted(includes.items())),
        "host_texts": "".join(_host_text(s) for s in shaders if s.hooks),
        "host_cases": "".join(_host_case(s, k) for s, k in pairs if s.hooks),
    }
    return header, source
