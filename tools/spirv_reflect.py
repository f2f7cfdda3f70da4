# SPDX-License-Identifier: Apache-2.0
"""Reads from one SPIR-V compute module what the host must know to launch it.

Only what build_shaders.py needs is decoded. Reference: the SPIR-V specification, section 3
(binary form) and the Vulkan specification, "Interfaces with Descriptor Sets".
"""
import struct
from dataclasses import dataclass, field

MAGIC = 0x07230203

OP_NAME, OP_MEMBER_NAME = 5, 6
OP_ENTRY_POINT, OP_CAPABILITY = 15, 17
OP_TYPE_BOOL, OP_TYPE_INT, OP_TYPE_FLOAT, OP_TYPE_VECTOR, OP_TYPE_MATRIX = 20, 21, 22, 23, 24
OP_TYPE_IMAGE, DIM_BUFFER, IMAGE_SAMPLED = 25, 5, 1
OP_TYPE_ARRAY, OP_TYPE_RUNTIME_ARRAY, OP_TYPE_STRUCT, OP_TYPE_POINTER = 28, 29, 30, 32
OP_CONSTANT, OP_CONSTANT_COMPOSITE = 43, 44
OP_SPEC_TRUE, OP_SPEC_FALSE, OP_SPEC_CONSTANT, OP_SPEC_COMPOSITE = 48, 49, 50, 51
OP_FUNCTION, OP_VARIABLE, OP_DECORATE, OP_MEMBER_DECORATE = 54, 59, 71, 72
OP_LOOP_MERGE, LOOP_UNROLL = 246, 1

DEC_SPEC_ID, DEC_BUFFER_BLOCK, DEC_ARRAY_STRIDE, DEC_MATRIX_STRIDE = 1, 3, 6, 7
DEC_BUILTIN, DEC_NON_WRITABLE, DEC_NON_READABLE = 11, 24, 25
DEC_BINDING, DEC_SET, DEC_OFFSET = 33, 34, 35
BUILTIN_WORKGROUP_SIZE = 25
STORAGE_UNIFORM_CONSTANT, STORAGE_UNIFORM, STORAGE_PUSH, STORAGE_BUFFER = 0, 2, 9, 12
EXECUTION_GL_COMPUTE = 5
REPORTS = "Reports"  # the block of shaders/include/report.glsl, which the queue binds


class ReflectError(Exception):
    """The module breaks a rule of Pumice's kernels; the text says which."""


@dataclass
class Binding:
    """One buffer binding of set 0; several blocks of storage may alias it."""

    name: str = ""  # of its first block, or of its texels
    is_read: bool = False
    is_written: bool = False
    is_texels: bool = False  # a uniform texel buffer


@dataclass
class PushMember:
    name: str
    offset_bytes: int
    size_bytes: int
    scalar: str = "uint"  # or int, float
    extents: tuple = ()  # of arrays and vectors around it, the outermost first


@dataclass
class SpecConstant:
    name: str  # empty for the anonymous constants of local_size_*_id
    spec_id: int
    type_name: str
    default: str


@dataclass
class Reflection:
    bindings: dict = field(default_factory=dict)  # number -> Binding, but for the reports
    reports: bool = False  # whether the block Reports is bound behind the others
    push_block: str = ""  # the block's name in GLSL
    push_members: list = field(default_factory=list)
    push_size_bytes: int = 0
    specs: list = field(default_factory=list)
    local_size_ids: tuple = ()  # spec id of x, y, z; None where that size is the literal 1
    capabilities: set = field(default_factory=set)


class _Module:
    """The instructions before the first function, indexed by result id."""

    def __init__(self, words):
        self.names, self.member_names = {}, {}
        self.decorations, self.member_decorations = {}, {}
        self.definitions = {}  # id -> (opcode, operands without type and result id, type id)
        self.variables, self.specs, self.capabilities = [], [], set()
        self.has_compute_entry = False
        at = 5
        while at < len(words):
            opcode, length = words[at] & 0xFFFF, words[at] >> 16
            if length == 0 or at + length > len(words):
                raise ReflectError(f"malformed SPIR-V: instruction of {length} words at {at}")
            if opcode == OP_FUNCTION:
                break
            self._read(opcode, words[at + 1 : at + length])
            at += length

    def _read(self, opcode, args):
        if opcode == OP_NAME:
            self.names[args[0]] = _text(args[1:])
        elif opcode == OP_MEMBER_NAME:
            self.member_names[args[0], args[1]] = _text(args[2:])
        elif opcode == OP_DECORATE:
            self.decorations.setdefault(args[0], {})[args[1]] = args[2] if len(args) > 2 else 0
        elif opcode == OP_MEMBER_DECORATE:
            member = self.member_decorations.setdefault((args[0], args[1]), {})
            member[args[2]] = args[3] if len(args) > 3 else 0
        elif opcode == OP_CAPABILITY:
            self.capabilities.add(args[0])
        elif opcode == OP_ENTRY_POINT:
            self.has_compute_entry |= args[0] == EXECUTION_GL_COMPUTE
        elif OP_TYPE_BOOL <= opcode <= OP_TYPE_POINTER:
            self.definitions[args[0]] = (opcode, args[1:], None)
        elif opcode in (OP_CONSTANT, OP_CONSTANT_COMPOSITE, *range(OP_SPEC_TRUE, OP_SPEC_COMPOSITE + 1)):
            self.definitions[args[1]] = (opcode, args[2:], args[0])
            if opcode in (OP_SPEC_TRUE, OP_SPEC_FALSE, OP_SPEC_CONSTANT):
                self.specs.append(args[1])
        elif opcode == OP_VARIABLE:
            self.variables.append((args[1], args[0], args[2]))

    def pointee(self, pointer_type):
        return self.definitions[pointer_type][1][1]

    def type_size_bytes(self, type_id, member=None):
        opcode, args, _ = self.definitions[type_id]
        if opcode in (OP_TYPE_INT, OP_TYPE_FLOAT):
            return args[0] // 8
        if opcode == OP_TYPE_VECTOR:
            return self.type_size_bytes(args[0]) * args[1]
        if opcode == OP_TYPE_MATRIX:
            return (member or {}).get(DEC_MATRIX_STRIDE, 16) * args[1]
        if opcode == OP_TYPE_ARRAY:
            length_opcode, length, _ = self.definitions[args[1]]
            if length_opcode != OP_CONSTANT:
                raise ReflectError("push constants hold an array sized by a spec constant")
            return self.decorations[type_id][DEC_ARRAY_STRIDE] * length[0]
        if opcode == OP_TYPE_STRUCT:
            return max((m.offset_bytes + m.size_bytes for m in self.members(type_id)), default=0)
        raise ReflectError(f"push constants hold a type of unknown size (SPIR-V opcode {opcode})")

    def members(self, struct_type):
        for index, member_type in enumerate(self.definitions[struct_type][1]):
            marks = self.member_decorations.get((struct_type, index), {})
            name = self.member_names.get((struct_type, index), f"member{index}")
            size_bytes = self.type_size_bytes(member_type, marks)
            yield PushMember(name, marks[DEC_OFFSET], size_bytes, *self.layout_of(name, member_type))

    def layout_of(self, name, type_id):
        """(scalar, extents) of a type that C++ has without gaps."""
        opcode, args, _ = self.definitions[type_id]
        if opcode == OP_TYPE_FLOAT and args[0] == 32:
            return "float", ()
        if opcode == OP_TYPE_INT and args[0] == 32:
            return ("int" if args[1] else "uint"), ()
        if opcode == OP_TYPE_VECTOR:
            scalar, _ = self.layout_of(name, args[0])
            return scalar, (args[1],)
        if opcode == OP_TYPE_ARRAY:
            scalar, extents = self.layout_of(name, args[0])
            length = self.definitions[args[1]][1][0]
            if self.decorations[type_id][DEC_ARRAY_STRIDE] == self.type_size_bytes(args[0]):
                return scalar, (length, *extents)
        raise ReflectError(f"push constant {name} must be of 32-bit numbers, without gaps")

    def is_marked(self, variable, struct_type, decoration):
        """Whether the block, or each of its members, carries the decoration."""
        if decoration in self.decorations.get(variable, {}):
            return True
        count = len(self.definitions[struct_type][1])
        marks = (self.member_decorations.get((struct_type, i), {}) for i in range(count))
        return all(decoration in member for member in marks)


def _text(words):
    raw = b"".join(struct.pack("<I", word) for word in words)
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def _add_buffer(out, module, variable, struct_type):
    marks = module.decorations.get(variable, {})
    name = module.names.get(struct_type, "?")
    if module.definitions[struct_type][0] != OP_TYPE_STRUCT:
        raise ReflectError("arrays of buffer blocks are not supported")
    if DEC_BINDING not in marks:
        raise ReflectError(f"buffer block {name} has no binding number")
    if marks.get(DEC_SET, 0) != 0:
        raise ReflectError(f"buffer block {name} is in set {marks[DEC_SET]}; only set 0 is used")
    binding = out.bindings.setdefault(marks[DEC_BINDING], Binding(name))
    binding.is_written |= not module.is_marked(variable, struct_type, DEC_NON_WRITABLE)
    binding.is_read |= not module.is_marked(variable, struct_type, DEC_NON_READABLE)


def _add_texels(out, module, variable, image_type):
    opcode, args, _ = module.definitions[image_type]
    if opcode != OP_TYPE_IMAGE or (args[1], args[5]) != (DIM_BUFFER, IMAGE_SAMPLED):
        raise ReflectError("only storage buffers, uniform texel buffers and push constants are supported")
    sampled = module.definitions[args[0]]
    if sampled[0] != OP_TYPE_INT or sampled[1][1]:
        raise ReflectError("texels must be unsigned: they are raw bits")
    marks = module.decorations.get(variable, {})
    name = module.names.get(variable, "?")
    if DEC_BINDING not in marks or marks.get(DEC_SET, 0) != 0 or marks[DEC_BINDING] in out.bindings:
        raise ReflectError(f"texel buffer {name} must have a binding of its own in set 0")
    out.bindings[marks[DEC_BINDING]] = Binding(name, is_read=True, is_texels=True)


def _read_variables(out, module):
    for variable, pointer_type, storage in module.variables:
        pointee = module.pointee(pointer_type)
        if storage == STORAGE_PUSH:
            out.push_block = module.names.get(pointee, "")
            out.push_members = list(module.members(pointee))
            out.push_size_bytes = module.type_size_bytes(pointee)
        elif storage == STORAGE_BUFFER or (
            storage == STORAGE_UNIFORM and DEC_BUFFER_BLOCK in module.decorations.get(pointee, {})
        ):
            _add_buffer(out, module, variable, pointee)
        elif storage == STORAGE_UNIFORM_CONSTANT:
            _add_texels(out, module, variable, pointee)
        elif storage == STORAGE_UNIFORM:
            raise ReflectError("only storage buffers, uniform texel buffers and push constants are supported")
    numbers = sorted(out.bindings)
    if numbers != list(range(len(numbers))):
        raise ReflectError(f"bindings must be contiguous from 0; got {numbers}")
    reports = [number for number in numbers if out.bindings[number].name == REPORTS]
    if reports and reports != numbers[-1:]:
        raise ReflectError(f"the block {REPORTS} must have the last binding; got {reports}")
    out.reports = bool(reports)
    for number in reports:
        del out.bindings[number]


def _spec(module, result_id):
    opcode, args, type_id = module.definitions[result_id]
    marks = module.decorations.get(result_id, {})
    if DEC_SPEC_ID not in marks:
        return None
    type_opcode, type_args, _ = module.definitions[type_id]
    if type_opcode == OP_TYPE_BOOL:
        type_name, default = "bool", "true" if opcode == OP_SPEC_TRUE else "false"
    elif type_args[0] != 32:
        raise ReflectError(f"spec constant {marks[DEC_SPEC_ID]} is not 32 bits wide")
    elif type_opcode == OP_TYPE_FLOAT:
        type_name, default = "float", repr(struct.unpack("<f", struct.pack("<I", args[0]))[0])
    elif type_args[1]:
        type_name, default = "int", str(struct.unpack("<i", struct.pack("<I", args[0]))[0])
    else:
        type_name, default = "uint", str(args[0])
    return SpecConstant(module.names.get(result_id, ""), marks[DEC_SPEC_ID], type_name, default)


def _read_local_size(out, module):
    composite = next(
        (i for i, d in module.decorations.items() if d.get(DEC_BUILTIN) == BUILTIN_WORKGROUP_SIZE),
        None,
    )
    if composite is None:
        raise ReflectError("literal workgroup size; use layout(local_size_x_id = 0) in")
    ids = []
    for axis, part in enumerate(module.definitions[composite][1]):
        opcode, args, _ = module.definitions[part]
        spec_id = module.decorations.get(part, {}).get(DEC_SPEC_ID)
        if spec_id is None and (opcode != OP_CONSTANT or args[0] != 1 or axis == 0):
            raise ReflectError(f"literal local_size_{'xyz'[axis]}; use local_size_{'xyz'[axis]}_id")
        if spec_id is not None and spec_id != axis:
            raise ReflectError(f"local_size_{'xyz'[axis]}_id must be {axis}; got {spec_id}")
        ids.append(spec_id)
    out.local_size_ids = tuple(ids)


def reflect(spirv):
    """Reflection of a module given as bytes; raises ReflectError with the broken rule."""
    if len(spirv) < 20 or len(spirv) % 4:
        raise ReflectError(f"not SPIR-V: {len(spirv)} bytes")
    words = struct.unpack(f"<{len(spirv) // 4}I", spirv)
    if words[0] != MAGIC:
        raise ReflectError(f"not SPIR-V: magic {words[0]:#x}")
    module = _Module(words)
    if not module.has_compute_entry:
        raise ReflectError("no compute entry point")
    out = Reflection(capabilities=module.capabilities)
    _read_variables(out, module)
    out.specs = [s for s in (_spec(module, i) for i in module.specs) if s is not None]
    _read_local_size(out, module)
    return out


def count_loops(spirv):
    """Loops of a module that reflect() took, without those marked to be unrolled."""
    words = struct.unpack(f"<{len(spirv) // 4}I", spirv)
    at, count = 5, 0
    while at < len(words):
        opcode, length = words[at] & 0xFFFF, words[at] >> 16
        if opcode == OP_LOOP_MERGE and not words[at + 3] & LOOP_UNROLL:
            count += 1
        at += length
    return count
