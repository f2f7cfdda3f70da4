#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles shaders/<family>/<algorithm>.comp and writes the typed C++ interface of the kernels.

Lines that this script reads in the head of a .comp file (everything else is plain GLSL):

    //@variant DTYPE = f32 f16     one build per value, with -DDTYPE_F32=1, -DDTYPE_F16=1; several
                                   axes make the cross product (at most 4 axes, 24 builds)
    //@requires fp16 storage16 if DTYPE=f16   what the device must have; `if` takes AXIS=a|b terms,
                                   all of which must hold; without `if` it is for every build
    //@hook result 2                what is stored through binding 2 passes through hooked_result()
    //@hook operand 0 2 (3 reads)   what is read of the operand passes through operand_word(), each
                                   element so often; it is bound at the first, and at the others
                                   only along with it (where another tensor there is not read)
                                   (both make the file's text part of the library; see hooks.glsl)

    //@iterations EXPRESSION      what the loops of one invocation run at most in a call, in passes
    //@    GOES ON                through their conditions; loops that are [[unroll]]ed count for
                                   nothing. Several lines add up. The numbers are specialization and
                                   push constants by name (sizes[2], shape.w), kEnumConstants, and
                                   the operators of GLSL with min, max and ceil, without integer
                                   division. A file with a loop must have one, or include one.

and in shaders/include/*.glsl, where `//@iterations NAME(A, B) = EXPRESSION` makes a function for such
lines, and a line without a name is for every kernel that includes the file; followed at once by the constants (prefix: the name less "Op"):

    //@enum UnaryOp                -> enum class UnaryOp : std::uint32_t { kNeg = 0, kExp = 1, };
    const uint kUnaryNeg = 0u;
    const uint kUnaryExp = 1u;

    //@formulas UnaryOp           -> formula_of(UnaryOp): of the function that begins in the next line,
    float f(uint op, float x) {    float or int, the expressions of its lines
        case kUnaryNeg: y = -x; break;      or `case kUnaryNeg: return -x;`

A kernel that reads operands by shaders/include/reads.glsl is compiled twice, the second time with
-DREADS_TEXELS=1. It is one kernel with one id; the host takes one module or the other for all of them.

Written to --out: vk/kernels.h (KernelId, enums) and
vk/kernels.cpp (the SPIR-V, and the texts of shaders/include and of the files with hooks), vk/iterations.h
and vk/iterations.cpp (the //@iterations lines), and vk/kernels/<family>_<algorithm>.h, one a file: its
push constants and specialization constants as structs, <Family><Algorithm>Push and ...Spec, whose fields
have the shader's names. Every field must be given, so that a forgotten one does not compile; a constant
that only some variants have keeps its default. Fields called dtype or ..._dtype are pumice::DTypes. A
push block that several files include has a name of its own (`uniform MapPush {`), and the constants of an
included file are one field (`map_frame`, a MapFrameSpec): both stand in vk/kernels/shared.h. With --count-loops all kernels count the passes
themselves, and spoil their results where there are too many: for a build that tests the lines. A kernel is
named <family>_<algorithm>[_<variant value>...]; the ids of one file are consecutive, the last axis
varying fastest.
"""
import argparse
import concurrent.futures
import hashlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from kernel_contract import Contract
from kernel_source import write_interface
from loop_bounds import BoundError, Bounds, is_bound_line, with_counters
from spirv_reflect import ReflectError, count_loops, reflect

MAX_AXES, MAX_VARIANTS, MAX_BINDINGS, MAX_PUSH_BYTES = 4, 24, 8, 128
TARGET = "vulkan1.2"

# Order = bit number of KernelFeature.
FEATURES = (
    "fp16", "bf16", "int8", "storage16", "storage8", "subgroup_arithmetic", "coopmat",
    "int16", "int64", "int8_dot", "subgroup_shuffle",
)  # fmt: skip

# SPIR-V capability -> the feature that the file must require; None: every device has it.
CAPABILITIES = {
    1: None,  # Shader
    46: None,  # SampledBuffer: uniform texel buffers, in every Vulkan
    50: None,  # ImageQuery, which glslang may add
    61: None,  # GroupNonUniform: basic operations, in Vulkan 1.1
    9: "fp16", 11: "int64", 22: "int16", 39: "int8",
    63: "subgroup_arithmetic", 65: "subgroup_shuffle", 66: "subgroup_shuffle",
    4433: "storage16", 4434: "storage16", 4448: "storage8", 4449: "storage8",
    6017: "int8_dot", 6018: "int8_dot", 6019: "int8_dot", 6016: "int8_dot",
    6022: "coopmat", 5345: "coopmat",  # cooperative matrices want the Vulkan memory model
}  # fmt: skip

AXIS_LINE = re.compile(r"//@variant\s+([A-Z][A-Z0-9_]*)\s*=\s*([a-z0-9_]+(?:\s+[a-z0-9_]+)*)\s*$")
REQUIRES_LINE = re.compile(r"//@requires\s+([a-z0-9_ ]+?)(?:\s+if\s+(.+?))?\s*$")
HOOK_LINE = re.compile(r"//@hook\s+(result|operand)((?:\s+\d)+)(?:\s+\((\d) reads?\))?\s*$")
INCLUDE_LINE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
ENUM_LINE = re.compile(r"//@enum\s+([A-Z]\w*)\s*$")
CONSTANT_LINE = re.compile(r"\s*const\s+uint\s+(\w+)\s*=\s*(\d+)u?\s*;")
FORMULAS_LINE = re.compile(r"//@formulas\s+([A-Z]\w*)\s*$")
FUNCTION_LINE = re.compile(r"(float|int) \w+\(uint op,")
CASE_LINE = re.compile(r"\s*case (\w+):\s*(?:y = |return )(.*?);(?: break;)?\s*$")
READ_LINE = re.compile(r"^READ_(?:WORDS|QUADS)\(\w+, \w+, \w+\);", re.MULTILINE)
GLSLANG_MESSAGE = re.compile(r"^(ERROR|WARNING): (?:(\S+?):(\d+): )?(.*)$")
FOLLOW_UP = re.compile(r"compilation errors|Missing entry point")
COOPMAT_PROBE = """#version 460
#extension GL_KHR_cooperative_matrix : require
layout(local_size_x_id = 0) in;
void main() {}
"""


class BuildError(Exception):
    """A message that starts with file:line where one is known."""


@dataclass
class Requirement:
    features: list
    conditions: dict  # axis -> accepted values

    def holds(self, values):
        return all(values[axis] in accepted for axis, accepted in self.conditions.items())


@dataclass
class Shader:
    path: Path
    name: str  # <family>_<algorithm>
    axes: dict  # axis -> values
    requirements: list
    hooks: dict = field(default_factory=dict)  # "result" or "operand" -> bindings
    operand_reads: int = 1
    kernels: list = field(default_factory=list)


@dataclass
class Kernel:
    """One build variant. spirv is empty when the compiler at hand cannot build it."""

    name: str
    defines: list
    features: set
    spirv: bytes = b""
    texel_spirv: bytes = b""  # that reads texels; empty where nothing is read so
    reflection: object = None
    texel_reflection: object = None
    loop_count: int = 0  # without those that are to be unrolled


@dataclass
class Enum:
    name: str
    members: list  # (name without its prefix, value)


def parse_shader(path, root):
    """Reads the //@ lines of one file."""
    family, stem = path.parent.name, path.stem
    if path.parent.parent != root or not re.fullmatch(r"[a-z]\w*", f"{family}_{stem}"):
        raise BuildError(f"{path}: shaders live at {root}/<family>/<algorithm>.comp, in snake_case")
    shader = Shader(path, f"{family}_{stem}", {}, [])
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.lstrip().startswith("//@") or is_bound_line(line):
            continue
        where = f"{path}:{number}"
        if match := AXIS_LINE.match(line):
            _add_axis(shader, where, match[1], match[2].split())
        elif match := REQUIRES_LINE.match(line):
            shader.requirements.append(_requirement(shader, where, match[1].split(), match[2]))
        elif match := HOOK_LINE.match(line):
            _add_hook(shader, where, match[1], [int(binding) for binding in match[2].split()])
            shader.operand_reads = int(match[3] or shader.operand_reads)
        else:
            raise BuildError(f"{where}: error: not understood: {line.strip()}")
    shader.kernels = [_kernel(shader, v) for v in itertools.product(*shader.axes.values())]
    if len(shader.kernels) > MAX_VARIANTS:
        raise BuildError(f"{path}:1: error: {len(shader.kernels)} variants; {MAX_VARIANTS} allowed")
    return shader


def _add_axis(shader, where, axis, values):
    if axis in shader.axes:
        raise BuildError(f"{where}: error: axis {axis} appears twice")
    if len(set(values)) != len(values):
        raise BuildError(f"{where}: error: a value of axis {axis} appears twice")
    if len(shader.axes) == MAX_AXES:
        raise BuildError(f"{where}: error: more than {MAX_AXES} axes")
    shader.axes[axis] = values


def _add_hook(shader, where, kind, bindings):
    if kind in shader.hooks or (kind == "result" and len(bindings) != 1):
        raise BuildError(f"{where}: error: one //@hook {kind} a file, and one binding of results")
    shader.hooks[kind] = bindings


def _requirement(shader, where, features, condition_text):
    for feature in features:
        if feature not in FEATURES:
            known = " ".join(FEATURES)
            raise BuildError(f"{where}: error: unknown feature {feature}; known: {known}")
    conditions = {}
    for term in (condition_text or "").split():
        axis, _, accepted = term.partition("=")
        values = accepted.split("|")
        if axis not in shader.axes:
            raise BuildError(f"{where}: error: no //@variant {axis} above this line")
        if unknown := [v for v in values if v not in shader.axes[axis]]:
            raise BuildError(f"{where}: error: axis {axis} has no value '{unknown[0]}'")
        conditions[axis] = values
    return Requirement(features, conditions)


def _kernel(shader, values):
    chosen = dict(zip(shader.axes, values))
    features = {f for r in shader.requirements if r.holds(chosen) for f in r.features}
    defines = [f"-D{axis}_{value.upper()}=1" for axis, value in chosen.items()]
    return Kernel("_".join((shader.name, *values)), defines, features)


def parse_enums(path):
    """The //@enum blocks of one include file."""
    enums, current, prefix = [], None, ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path}:{number}"
        if match := ENUM_LINE.match(line.strip()):
            current, prefix = Enum(match[1], []), "k" + match[1].removesuffix("Op")
            enums.append((where, current))
        elif FORMULAS_LINE.match(line.strip()):
            current = None
        elif line.lstrip().startswith("//@") and not is_bound_line(line):
            raise BuildError(f"{where}: error: not understood: {line.strip()}")
        elif current and (match := CONSTANT_LINE.match(line)):
            name = match[1].removeprefix(prefix)
            if name == match[1] or not name[:1].isupper():
                raise BuildError(f"{where}: error: {match[1]} must start with {prefix}")
            if name in dict(current.members) or int(match[2]) in dict(current.members).values():
                raise BuildError(f"{where}: error: {match[1]} = {match[2]} appears twice")
            current.members.append((name, int(match[2])))
        elif not line.lstrip().startswith("//"):
            current = None
    for where, enum in enums:
        if not enum.members:
            raise BuildError(f"{where}: error: enum {enum.name} has no constants below it")
    return [enum for _, enum in enums]


def parse_formulas(path, enums):
    """enum name -> member -> {"float": expression, "int": expression}, of one include file."""
    found, expressions, kind = {}, None, None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path}:{number}"
        if match := FORMULAS_LINE.match(line.strip()):
            enum = next((e for e in enums if e.name == match[1]), None)
            if enum is None:
                raise BuildError(f"{where}: error: no //@enum {match[1]}")
            expressions, kind = found.setdefault(enum.name, {}), None
            names = {f"k{enum.name.removesuffix('Op')}{name}": name for name, _ in enum.members}
        elif expressions is not None and kind is None:
            match = FUNCTION_LINE.match(line)
            if not match:
                raise BuildError(f"{where}: error: a function of op must follow //@formulas")
            kind = match[1]
        elif kind and line.startswith("}"):
            expressions = kind = None
        elif kind and "case " in line:
            match = CASE_LINE.match(line)
            if not match or match[1] not in names:
                raise BuildError(f"{where}: error: not understood: {line.strip()}")
            expressions.setdefault(names[match[1]], {})[kind] = match[2]
    return found


def collect_formulas(include_dir, enums):
    formulas = {}
    for path in sorted(include_dir.glob("**/*.glsl")):
        formulas.update(parse_formulas(path, enums))
    for enum in enums:
        for name, _ in enum.members if enum.name in formulas else []:
            if "float" not in formulas[enum.name].get(name, {}):
                raise BuildError(f"{include_dir}: {enum.name} {name} has no float formula")
    return formulas


def source_closure(path, include_dir, seen=None):
    """The file and everything it includes, each once, in order of first use."""
    seen = {} if seen is None else seen
    if path in seen:
        return seen
    text = path.read_text()
    seen[path] = text
    for number, line in enumerate(text.splitlines(), 1):
        if match := INCLUDE_LINE.match(line):
            options = [path.parent / match[1], include_dir / match[1]]
            found = next((o for o in options if o.is_file()), None)
            if found is None:
                raise BuildError(f"{path}:{number}: error: {match[1]} not found in {include_dir}")
            source_closure(found, include_dir, seen)
    return seen


def relay_messages(output, path):
    """glslang's messages in the file:line: form that editors follow."""
    lines = []
    for line in output.splitlines():
        match = GLSLANG_MESSAGE.match(line)
        if match and match[2]:
            lines.append(f"{match[2]}:{match[3]}: {match[1].lower()}: {match[4]}")
        elif match and not FOLLOW_UP.search(line):
            lines.append(f"{path}:1: {match[1].lower()}: {match[4]}")
    return "\n".join(lines) or f"{path}:1: error: {output.strip()}"


class Compiler:
    """glslangValidator and spirv-val behind a cache of files named by content."""

    def __init__(self, glslang, spirv_val, include_dir, cache_dir):
        self.glslang, self.spirv_val = glslang, spirv_val
        self.include_dir, self.cache_dir = include_dir, cache_dir
        self.versions = self._version(glslang) + self._version(spirv_val)
        cache_dir.mkdir(parents=True, exist_ok=True)
        self.has_coopmat = self._probe_coopmat()

    @staticmethod
    def _version(tool):
        try:
            return subprocess.run([tool, "--version"], capture_output=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise BuildError(f"{tool} does not run ({error}); tools/setup installs it") from error

    def _probe_coopmat(self):
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder) / "probe.comp"
            probe.write_text(COOPMAT_PROBE)
            command = [self.glslang, "--quiet", "--target-env", TARGET, "-V", str(probe), "-o"]
            return subprocess.run([*command, f"{probe}.spv"], capture_output=True).returncode == 0

    def compile(self, shader, kernel, more_defines=()):
        sources = source_closure(shader.path, self.include_dir)
        defines = [*kernel.defines, *more_defines]
        text = "\0".join([TARGET, *defines, *(f"{p.name}\0{t}" for p, t in sources.items())])
        key = hashlib.sha256(self.versions + text.encode()).hexdigest()
        cached = self.cache_dir / f"{key[:32]}.spv"
        if not cached.is_file():
            self._compile_to(cached, shader, kernel.name, defines)
        return cached.read_bytes()

    def _compile_to(self, cached, shader, name, defines):
        with tempfile.TemporaryDirectory(dir=self.cache_dir) as folder:
            spv = Path(folder) / "module.spv"
            command = [self.glslang, "--quiet", "--target-env", TARGET, "-V", *defines]
            command += [f"-I{self.include_dir}", str(shader.path), "-o", str(spv)]
            result = subprocess.run(command, capture_output=True, text=True)
            output = result.stdout + result.stderr
            if result.returncode or "WARNING:" in output:
                raise BuildError(f"{relay_messages(output, shader.path)}\n  in kernel {name}")
            command = [self.spirv_val, "--target-env", TARGET, str(spv)]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode:
                text = (result.stdout + result.stderr).strip()
                raise BuildError(f"{shader.path}:1: error: spirv-val, {name}: {text}")
            os.replace(spv, cached)


def line_of(path, pattern):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if re.search(pattern, line):
            return number
    return 1


def check_kernel(shader, kernel, out, has_bound):
    """The limits of CONTRIBUTING.md that reflection can see."""
    binding_count = len(out.bindings) + out.reports
    if binding_count > MAX_BINDINGS:
        raise ReflectError(f"{binding_count} bindings; {MAX_BINDINGS} allowed")
    if out.push_size_bytes > MAX_PUSH_BYTES:
        raise ReflectError(f"{out.push_size_bytes} push bytes; {MAX_PUSH_BYTES} allowed")
    for capability in sorted(out.capabilities):
        if capability not in CAPABILITIES:
            raise ReflectError(f"SPIR-V capability {capability} belongs to no known feature")
        feature = CAPABILITIES[capability]
        if feature and feature not in kernel.features:
            raise ReflectError(f"capability {capability} needs a line //@requires {feature}")
    for kind, bindings in shader.hooks.items():
        for binding in bindings:
            if binding not in out.bindings or out.bindings[binding].is_written != (kind == "result"):
                raise ReflectError(f"//@hook {kind} {binding}: no such binding")
    if kernel.loop_count > 0 and not has_bound:
        raise ReflectError(f"{kernel.loop_count} loops, but no line //@iterations")
    for spec in out.specs:
        if spec.spec_id > 254:
            raise ReflectError(f"constant_id {spec.spec_id} of {spec.name} is above 254")


def check_alike(shader):
    """One host struct and one set of spec ids serve all variants of a file."""
    built = [k for k in shader.kernels if k.reflection]
    ids = {}
    for kernel in built:
        if kernel.reflection.push_members != built[0].reflection.push_members:
            names = f"{built[0].name} and {kernel.name}"
            raise BuildError(f"{shader.path}:1: error: push constants differ between {names}")
        for spec in kernel.reflection.specs:
            if spec.name and ids.setdefault(spec.name, spec.spec_id) != spec.spec_id:
                raise BuildError(f"{shader.path}:1: error: {spec.name} has two constant_ids")


def reads_texels(closure):
    return any(READ_LINE.search(text) for text in closure.values())


def check_twins(kernel):
    """The host hands both modules the same."""
    for what in ("reports", "push_members", "specs", "local_size_ids"):
        if getattr(kernel.reflection, what) != getattr(kernel.texel_reflection, what):
            raise ReflectError(f"{what} differ where the kernel reads texels")
    for number, binding in kernel.reflection.bindings.items():
        twin = kernel.texel_reflection.bindings.get(number)
        if twin is None or (twin.is_read, twin.is_written) != (binding.is_read, binding.is_written):
            raise ReflectError(f"binding {number} differs where the kernel reads texels")


def build_kernel(compiler, shader, kernel):
    """Fills in one kernel; returns an error text or None."""
    if "coopmat" in kernel.features and not compiler.has_coopmat:
        return None
    try:
        closure = source_closure(shader.path, compiler.include_dir)
        has_bound = bool(Bounds.terms(closure.values()))
        kernel.spirv = compiler.compile(shader, kernel)
        kernel.reflection = reflect(kernel.spirv)
        kernel.loop_count = count_loops(kernel.spirv)
        check_kernel(shader, kernel, kernel.reflection, has_bound)
        if reads_texels(closure):
            kernel.texel_spirv = compiler.compile(shader, kernel, ["-DREADS_TEXELS=1"])
            kernel.texel_reflection = reflect(kernel.texel_spirv)
            check_kernel(shader, kernel, kernel.texel_reflection, has_bound)
            check_twins(kernel)
    except BuildError as error:
        return str(error)
    except ReflectError as error:
        line = line_of(shader.path, r"local_size") if "local_size" in str(error) else 1
        return f"{shader.path}:{line}: error: {error} (kernel {kernel.name})"
    return None


def build_all(shaders, compiler, jobs):
    work = [(compiler, shader, kernel) for shader in shaders for kernel in shader.kernels]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        errors = [e for e in pool.map(lambda args: build_kernel(*args), work) if e]
    if errors:
        raise BuildError("\n".join(dict.fromkeys(errors)))
    for shader in shaders:
        check_alike(shader)
        missing = [k.name for k in shader.kernels if k.reflection is None]
        if missing:
            print(f"left out, glslang lacks GL_KHR_cooperative_matrix: {' '.join(missing)}")


def collect_enums(include_dir):
    enums = [e for path in sorted(include_dir.glob("**/*.glsl")) for e in parse_enums(path)]
    names = [e.name for e in enums]
    if twice := {n for n in names if names.count(n) > 1}:
        raise BuildError(f"{include_dir}: //@enum {sorted(twice)[0]} appears twice")
    return enums


def collect_contract(shaders, includes, include_dir):
    contract = Contract(includes)
    for shader in shaders:
        closure = source_closure(shader.path, include_dir)
        included = {path.relative_to(include_dir).as_posix() for path in closure
                    if path.is_relative_to(include_dir)}
        try:
            contract.add(shader, included, f"shaders/{shader.path.parent.name}/{shader.path.name}")
        except ReflectError as error:
            raise BuildError(f"{shader.path}:1: error: {error}") from error
    return contract.texts()


def write_if_changed(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shaders", type=Path, required=True, help="the shaders/ folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the generated files")
    parser.add_argument("--cache", type=Path, help="folder of compiled modules (OUT/cache)")
    parser.add_argument("--glslang", default="glslangValidator")
    parser.add_argument("--spirv-val", default="spirv-val")
    parser.add_argument("--count-loops", action="store_true", help="kernels that check themselves")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args()


def write_counting(shaders, out):
    """A copy of the shaders' folder whose kernels count their loops; returns where."""
    for path in sorted(p for p in shaders.glob("**/*") if p.suffix in (".comp", ".glsl")):
        closure = source_closure(path, shaders / "include")
        included = "".join(text for p, text in closure.items() if p != path)
        copy = out / path.relative_to(shaders)
        write_if_changed(copy, with_counters(path.name, path.read_text(), included))
    return out


def main():
    args = parse_arguments()
    if args.count_loops:
        args.shaders = write_counting(args.shaders, args.out / "counting")
    include_dir = args.shaders / "include"
    try:
        cache = args.cache or args.out / "cache"
        compiler = Compiler(args.glslang, args.spirv_val, include_dir, cache)
        paths = sorted(args.shaders.glob("**/*.comp"))
        shaders = [parse_shader(path, args.shaders) for path in paths]
        enums = collect_enums(include_dir)
        formulas = collect_formulas(include_dir, enums)
        build_all(shaders, compiler, args.jobs)
        includes = {p.relative_to(include_dir).as_posix(): p.read_text()
                    for p in include_dir.glob("**/*.glsl")}
        texts_of = lambda shader: source_closure(shader.path, include_dir).values()
        bounds = Bounds(includes, enums).write(shaders, texts_of)
        contract = collect_contract(shaders, includes, include_dir)
    except (BuildError, BoundError) as error:
        print(error, file=sys.stderr)
        return 1
    header, source = write_interface(shaders, enums, FEATURES, includes, formulas)
    write_if_changed(args.out / "vk" / "kernels.h", header)
    write_if_changed(args.out / "vk" / "kernels.cpp", source)
    for name, text in zip(("iterations.h", "iterations.cpp"), bounds):
        write_if_changed(args.out / "vk" / name, text)
    for name, text in contract.items():
        write_if_changed(args.out / "vk" / "kernels" / f"{name}.h", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
