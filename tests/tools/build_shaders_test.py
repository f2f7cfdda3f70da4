# SPDX-License-Identifier: Apache-2.0
"""Runs tools/build_shaders.py on small shader trees; needs glslangValidator and spirv-val."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = """#version 460
#extension GL_GOOGLE_include_directive : require
{extra}
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint kOp = 3u;
layout(constant_id = 4) const float kScale = 0.5;
layout(binding = 0, std430) readonly buffer X {{ float x[]; }};
layout(binding = 0, std430) readonly buffer X4 {{ vec4 x4[]; }};
layout(binding = 1, std430) writeonly buffer Y {{ float y[]; }};
layout(push_constant) uniform Push {{ uint row_count; uvec4 shape; float slopes[3]; }};
"""
MAIN = "void main() { y[gl_GlobalInvocationID.x] = x[row_count + kOp] * kScale; }\n"
FORMULAS = """
//@formulas UnaryOp
float unary_float(uint op, float x) {
    float y = x;
    switch (op) {
        case kUnaryNeg: y = -x; break;
        case kUnaryExp: y = exp(x); break;
    }
    return y;
}

//@formulas UnaryOp
int unary_int(uint op, int x) {
    switch (op) {
        case kUnaryNeg: return 0 - x;
    }
    return x;
}
"""
OPS = "//@enum UnaryOp\nconst uint kUnaryNeg = 0u;  // -x\nconst uint kUnaryExp = 5u;\n"


class ShaderTree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("include/ops.glsl", OPS)

    def write(self, name, text):
        path = self.root / "shaders" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write_kernel(self, extra="", main=MAIN, name="map/unary.comp"):
        self.write(name, HEAD.format(extra=extra) + main)

    def build(self, *arguments):
        command = [sys.executable, str(ROOT / "tools/build_shaders.py"), "--shaders", "shaders"]
        command += ["--out", "out", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True)

    def generate(self):
        result = self.build()
        self.assertEqual(result.returncode, 0, result.stderr)
        return tuple((self.root / "out/vk" / f"kernels.{s}").read_text() for s in ("h", "cpp"))

    def assert_refused(self, pattern):
        result = self.build()
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertRegex(result.stderr, pattern)


class Interface(ShaderTree):
    def test_variants_are_the_cross_product_last_axis_fastest(self):
        self.write_kernel("//@variant DTYPE = f32 bf16\n//@variant LAYOUT = row tile_4")
        header, _ = self.generate()
        ids = re.search(r"enum class KernelId[^{]*{([^}]*)}", header)[1].replace(",", "").split()
        expected = ["kMapUnaryF32Row", "kMapUnaryF32Tile4", "kMapUnaryBf16Row"]
        self.assertEqual(ids, [*expected, "kMapUnaryBf16Tile4", "kCount"])

    def test_reflection(self):
        self.write_kernel("//@requires fp16")
        _, source = self.generate()
        # 2 bindings, written 0b10, read 0b01 (aliased blocks are one), 44 push bytes, 5 ids, fp16
        self.assertRegex(source, r'"map_unary", kCodeMapUnary.data\(\), \d+, 2, 2, 1, 44, 5, 1, false}')

    def test_reports_are_a_binding_behind_those_of_the_host(self):
        block = "layout(binding = {}, std430) buffer Reports {{ uint words[]; }};\n"
        self.write_kernel(main=block.format(2) + "void main() { words[0] = 1u; y[0] = x[0]; }\n")
        _, source = self.generate()
        self.assertRegex(source, r'"map_unary", kCodeMapUnary.data\(\), \d+, 2, 2, 1, .* true}')
        self.write_kernel(main=block.format(0) + "void main() { words[0] = 1u; y[0] = x[0]; }\n")
        self.assert_refused("Reports must have the last binding")

    def write_reader(self, declaration, texels="uniform utextureBuffer name"):
        """reads.glsl in short, and a kernel that reads by it."""
        self.write("include/reads.glsl", "#ifdef READS_TEXELS\n"
                   f"#define READ_WORDS(n, block, name) layout(binding = n) {texels}\n"
                   "#define read_word(name, at) texelFetch(name, int(at)).x\n#else\n"
                   "#define READ_WORDS(n, block, name) "
                   "layout(binding = n, std430) readonly buffer block { uint name[]; }\n"
                   "#define read_word(name, at) name[at]\n#endif\n")
        self.write("map/read.comp", "#version 460\n"
                   "#extension GL_GOOGLE_include_directive : require\n#include \"reads.glsl\"\n"
                   "layout(local_size_x_id = 0) in;\n" + declaration +
                   "layout(binding = 1, std430) writeonly buffer Y { uint y[]; };\n"
                   "void main() { y[0] = read_word(x, 3u); }\n")

    def test_a_kernel_that_reads_by_the_include_has_a_module_for_texels(self):
        self.write_reader("READ_WORDS(0, X, x);\n")
        _, source = self.generate()
        self.assertRegex(source, r'"map_read", kCodeMapRead.data\(\), \d+, 2, 2, 1, 0, 1, 0, false, '
                                 r"{kTexelCodeMapRead.data\(\), \d+}, 1}")

    def test_other_kernels_have_one_module(self):
        self.write_kernel()
        self.assertNotIn("kTexelCode", self.generate()[1])

    def test_texels_must_be_raw_words_that_are_sampled(self):
        self.write_reader("READ_WORDS(0, X, x);\n", "uniform itextureBuffer name")
        self.assert_refused("texels must be unsigned")
        self.write_reader("READ_WORDS(0, X, x);\n", "uniform utexture2D name")
        self.assert_refused("only storage buffers, uniform texel buffers|texelFetch")

    def test_hooks_make_the_text_part_of_the_library(self):
        self.write_kernel("//@variant A = x y\n//@hook result 1\n//@hook operand 0 (3 reads)  ")
        _, source = self.generate()
        self.assertIn('kTextMapUnary = R"glsl(#version 460\n', source)
        self.assertIn('kHost{kTextMapUnary, "#define A_Y 1\\n", 1, 0, 1, 3};', source)
        self.assertNotIn("//@hook", source)

    def test_kernels_without_hooks_have_no_text(self):
        self.write_kernel()
        _, source = self.generate()
        self.assertNotIn("kHost", source)

    def test_hooks_on_other_bindings(self):
        for hook in ("result 0", "operand 1", "result 7"):
            self.write_kernel(f"//@hook {hook}")
            self.assert_refused(r"//@hook (result|operand) \d: no such binding")
        for hooks in ("//@hook result 0 1", "//@hook result 1\n//@hook result 1"):
            self.write_kernel(hooks)
            self.assert_refused("one //@hook result a file")
        self.write_kernel("//@hook output 1")
        self.assert_refused("not understood")

    def test_defines_reach_the_shader(self):
        guard = "#if defined(DTYPE_I8) == defined(DTYPE_F32)\n#error variant\n#endif"
        self.write_kernel(f"//@variant DTYPE = f32 i8\n{guard}")
        self.generate()

    def test_features_of_a_variant(self):
        self.write_kernel("//@variant A = x y\n//@variant B = p q\n//@requires int8 if A=y B=p|q")
        _, source = self.generate()
        rows = dict(re.findall(r'{"(map_unary_\w+)",.* (\d+), false},', source))
        self.assertEqual(rows["map_unary_x_p"], "0")
        self.assertEqual(rows["map_unary_y_q"], "4")

    def test_enum(self):
        header, _ = self.generate()
        expected = "enum class UnaryOp : std::uint32_t {\n    kNeg = 0,\n    kExp = 5,\n};"
        self.assertIn(expected, header)

    def test_formulas_are_taken_out_of_their_switch(self):
        self.write("include/ops.glsl", OPS + FORMULAS)
        header, source = self.generate()
        self.assertIn("Formula formula_of(UnaryOp op) noexcept;", header)
        self.assertIn('case UnaryOp::kNeg: return {"-x", "0 - x"};', source)
        self.assertIn('case UnaryOp::kExp: return {"exp(x)", ""};', source)

    def test_texts_of_include_files_have_no_comments(self):
        self.write("include/ops.glsl", OPS)
        _, source = self.generate()
        self.assertIn('{"ops.glsl", R"glsl(const uint kUnaryNeg = 0u;\nconst uint', source)

    @unittest.skipUnless(shutil.which("c++"), "no C++ compiler")
    def test_generated_code_compiles(self):
        check = '#include "vk/kernels.h"\nusing namespace pumice::vk;\n'
        for main in (None, MAIN):  # an empty tree, then one with a kernel
            if main:
                self.write_kernel()
                check += "static_assert(static_cast<int>(KernelId::kCount) == 1);\n"
            self.generate()
            (self.root / "check.cpp").write_text(check)
            flags = ["-std=c++20", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only"]
            for file in ("out/vk/kernels.cpp", "check.cpp"):
                command = ["c++", *flags, "-Iout", file]
                result = subprocess.run(command, cwd=self.root, capture_output=True, text=True)
                self.assertEqual(result.returncode, 0, result.stderr)


class Contract(ShaderTree):
    """vk/kernels/*.h: what the host hands to a kernel."""

    FLAGS = ("-std=c++20", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only")
    GIVEN = "{.local_size = 64, .op = 7, .scale = 0.5F}"
    PUSHED = "{.row_count = 5, .shape = {1, 2, 3, 4}, .slopes = {}}"

    def contract(self, name="map_unary"):
        self.generate()
        return (self.root / "out/vk/kernels" / f"{name}.h").read_text()

    def compiles(self, body, header="map_unary"):
        """Whether the generated header and a program that uses it do; the messages too."""
        text = f'#include "vk/kernels/{header}.h"\nusing namespace pumice::vk;\n{body}'
        (self.root / "check.cpp").write_text(text)
        command = ["c++", *self.FLAGS, "-Iout", f"-I{ROOT / 'include'}", "check.cpp"]
        result = subprocess.run(command, cwd=self.root, capture_output=True, text=True)
        return result.returncode == 0, result.stderr

    def assert_compiles(self, body, header="map_unary"):
        is_good, messages = self.compiles(body, header)
        self.assertTrue(is_good, messages)

    def test_fields_have_the_names_and_types_of_the_shader(self):
        self.write_kernel()
        text = self.contract()
        for line in ("    std::uint32_t row_count;\n    std::array<std::byte, 12> gap_at_4{};\n"
                     "    std::array<std::uint32_t, 4> shape;\n    std::array<float, 3> slopes;\n",
                     "static_assert(sizeof(MapUnaryPush) == 44);",
                     "    std::uint32_t local_size;\n    std::uint32_t op;\n    float scale;\n"):
            self.assertIn(line, text)

    @unittest.skipUnless(shutil.which("c++"), "no C++ compiler")
    def test_words_stand_at_their_ids(self):
        self.write_kernel()
        self.generate()
        self.assert_compiles(f"constexpr MapUnarySpec kSpec{self.GIVEN};\n"
                             "constexpr auto kWords = kSpec.by_id();\n"
                             "static_assert(kWords.size() == 5 && kWords[0] == 64);\n"
                             "static_assert(kWords[1] == 7 && kWords[4] == 0x3f000000);\n"
                             "static_assert(kSpec.kWordCounts[0] == 5);\n")

    @unittest.skipUnless(shutil.which("c++"), "no C++ compiler")
    def test_a_forgotten_field_does_not_compile(self):
        self.write_kernel()
        self.generate()
        whole = f"MapUnarySpec s{self.GIVEN};\nMapUnaryPush p{self.PUSHED};\n"
        self.assert_compiles(whole)
        for forgotten in (" .op = 7,", ", .scale = 0.5F", ".row_count = 5, ", ", .slopes = {}"):
            is_good, messages = self.compiles(whole.replace(forgotten, ""))
            self.assertFalse(is_good, forgotten)
            self.assertIn("missing initializer", messages)

    @unittest.skipUnless(shutil.which("c++"), "no C++ compiler")
    def test_swapped_fields_follow_their_names(self):
        block = "{{ uint row_count; uvec4 shape; float slopes[3]; }}"
        swapped = HEAD.replace(block, "{{ float slopes[3]; uint row_count; uvec4 shape; }}")
        swapped = swapped.replace("(constant_id = 1) const uint kOp = 3u",
                                  "(constant_id = 4) const uint kOp = 3u")
        swapped = swapped.replace("(constant_id = 4) const float", "(constant_id = 1) const float")
        by_name = ("constexpr auto kSpec = [] { MapUnarySpec s{}; s.op = 7; s.scale = 0.5F;"
                   " return s.by_id(); }();\n"
                   "static_assert(kSpec[%d] == 7 && kSpec[%d] == 0x3f000000);\n"
                   "static_assert(offsetof(MapUnaryPush, row_count) == %d);\n"
                   "static_assert(offsetof(MapUnaryPush, slopes) == %d);\n")
        self.write_kernel()
        self.generate()
        self.assert_compiles(by_name % (1, 4, 0, 32))
        self.write("map/unary.comp", swapped.format(extra="") + MAIN)
        self.generate()
        self.assert_compiles(by_name % (4, 1, 12, 0))
        for old in (f"MapUnarySpec s{self.GIVEN};\n", f"MapUnaryPush p{self.PUSHED};\n"):
            is_good, messages = self.compiles(old)
            self.assertFalse(is_good)
            self.assertIn("order", messages)

    @unittest.skipUnless(shutil.which("c++"), "no C++ compiler")
    def test_constants_of_some_variants_have_their_defaults(self):
        extra = ("//@variant RUNS = one many\n#ifdef RUNS_MANY\n"
                 "layout(constant_id = 5) const uint KEYS = 9u;\n#endif")
        use = MAIN.replace("kOp]", "kOp\n#ifdef RUNS_MANY\n + KEYS\n#endif\n]")
        self.write_kernel(extra, use)
        self.generate()
        self.assert_compiles(f"constexpr MapUnarySpec kSpec{self.GIVEN};\n"
                             "static_assert(kSpec.kWordCounts[0] == 5 && kSpec.keys == 9);\n"
                             "static_assert(kSpec.kWordCounts[1] == 6 && kSpec.by_id()[5] == 9);\n"
                             "static_assert(kSpec.kFirstKernel == KernelId::kMapUnaryOne);\n")

    @unittest.skipUnless(shutil.which("c++"), "no C++ compiler")
    def test_dtypes(self):
        dtype = "layout(constant_id = 2) const uint X_DTYPE = 0u;"
        self.write_kernel(dtype, MAIN.replace("kOp]", "kOp + X_DTYPE]"))
        self.generate()
        given = self.GIVEN.replace(".scale", ".x_dtype = pumice::kInt8, .scale")
        self.assert_compiles(f"static_assert(MapUnarySpec{given}.by_id()[2] == 4);\n")

    @unittest.skipUnless(shutil.which("c++"), "no C++ compiler")
    def test_what_an_included_file_declares_is_shared(self):
        frame = ("layout(local_size_x_id = 0) in;\nlayout(constant_id = 1) const uint WORDS = 1u;\n"
                 "layout(push_constant) uniform FramePush { uint count; };\n")
        self.write("include/frame.glsl", frame)
        for name in ("unary", "binary"):
            own = ('#version 460\n#extension GL_GOOGLE_include_directive : require\n'
                   '#include "frame.glsl"\nlayout(constant_id = 2) const uint OP = 0u;\n'
                   "layout(binding = 0, std430) buffer Y { uint y[]; };\n"
                   "void main() { y[0] = count + OP + WORDS; }\n")
            self.write(f"map/{name}.comp", own)
        self.generate()
        uses = ("constexpr FrameSpec kFrame{.local_size = 8, .words = 2};\n"
                "static_assert(kFrame.by_id()[1] == 2);\n"
                "constexpr MapUnarySpec kSpec{.frame = kFrame, .op = 3};\n"
                "static_assert(kSpec.by_id() == std::array<std::uint32_t, 3>{8, 2, 3});\n"
                "[[maybe_unused]] const MapUnarySpec::Push kPush = FramePush{.count = 1};\n")
        self.assert_compiles(uses)
        self.assert_compiles(uses.replace("Unary", "Binary"), "map_binary")

    def test_refusals(self):
        block = "uniform Push {{ uint row_count; uvec4 shape; float slopes[3]; }}"
        gap = HEAD.replace("float slopes[3]", "layout(offset = 48) uvec3 slopes[2]")
        self.write("map/unary.comp", gap.format(extra="") + MAIN)
        self.assert_refused("push constant slopes must be of 32-bit numbers, without gaps")
        one_of = ("//@variant A = x y\n#ifdef A_X\nlayout(constant_id = 2) const uint ROWS = 1u;\n"
                  "#else\nlayout(constant_id = 2) const uint COLS = 1u;\n#define ROWS COLS\n#endif")
        self.write_kernel(one_of, MAIN.replace("kOp]", "kOp + ROWS]"))
        self.assert_refused("constant_id 2 is rows uint 1 in one variant, cols uint 1 in another")
        named = HEAD.replace(block, block.replace("Push", "MapPush"))
        self.write("map/unary.comp", named.format(extra="") + MAIN)
        self.generate()
        other = named.replace("float slopes[3]", "int slopes[3]")
        self.write("map/other.comp", other.format(extra="") + MAIN)
        self.assert_refused("MapPush differs from that of another kernel")


class Cache(ShaderTree):
    def counting_compiler(self):
        real = shutil.which("glslangValidator")
        script = self.root / "glslang"
        script.write_text(f'#!/bin/sh\necho "$@" >>"{self.root}/calls"\nexec {real} "$@"\n')
        script.chmod(0o755)
        return str(script)

    def compiled(self, compiler):
        calls = self.root / "calls"
        calls.unlink(missing_ok=True)
        result = self.build("--glslang", compiler)
        self.assertEqual(result.returncode, 0, result.stderr)
        return sorted(set(re.findall(r"map/(\w+)\.comp", calls.read_text())))

    def test_only_what_changed_is_compiled(self):
        compiler = self.counting_compiler()
        self.write_kernel('#include "ops.glsl"', name="map/with.comp")
        self.write_kernel(name="map/without.comp")
        self.assertEqual(self.compiled(compiler), ["with", "without"])
        names = ("kernels.h", "kernels.cpp", "kernels/map_with.h", "kernels/shared.h")
        outputs = [self.root / "out/vk" / name for name in names]
        for output in outputs:
            os.utime(output, (1, 1))
        self.assertEqual(self.compiled(compiler), [])
        self.assertEqual([o.stat().st_mtime for o in outputs], [1, 1, 1, 1])
        self.write("include/ops.glsl", OPS + "// touched\n")
        self.assertEqual(self.compiled(compiler), ["with"])


class Refusals(ShaderTree):
    def test_rules_of_a_kernel(self):
        local_size = "layout(local_size_x_id = 0) in;"
        cases = (
            (MAIN.replace("row_count", "rowcount"), r"map/unary.comp:11: error: 'rowcount'"),
            (f"layout(binding = 3) buffer Z {{ float z[]; }};\n{MAIN}", r"contiguous from 0; got \[0, 1, 3\]"),
            (f"layout(binding = 2) uniform Z {{ float z; }};\n{MAIN}", "only storage buffers"),
            (f"layout(set = 1, binding = 2) buffer Z {{ float z[]; }};\n{MAIN}", "only set 0"),
            (f"layout(local_size_y = 4) in;\n{MAIN}", r"literal local_size_y"),
            (f"layout(constant_id = 1) const int kTwice = 0;\n{MAIN}", "constant_id.*already used"),
            ("void main() { y[0] = float(double(x[0])); }\n", "capability 10 belongs to no"),
        )  # fmt: skip
        for main, pattern in cases:
            with self.subTest(pattern):
                self.write_kernel(main=main)
                self.assert_refused(pattern)
        text = HEAD.format(extra="") + MAIN
        self.write("map/unary.comp", text.replace(local_size, "layout(local_size_x = 64) in;"))
        self.assert_refused(r"map/unary.comp:4: error: literal (local_size_x|workgroup size)")
        self.write("map/unary.comp", text.replace("shape;", "shape[8];"))
        self.assert_refused(r"push bytes; 128 allowed")

    def test_capability_needs_its_requires_line(self):
        extra = "#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require"
        main = MAIN.replace("x[row_count + kOp]", "float(float16_t(x[0]))")
        self.write_kernel(extra, main)
        self.assert_refused("needs a line //@requires fp16")
        self.write_kernel(f"//@requires fp16\n{extra}", main)
        self.generate()

    def test_lines_that_are_not_understood(self):
        many = " ".join(f"v{i}" for i in range(25))
        axes = "\n".join(f"//@variant A{i} = a b" for i in range(5))
        for extra, pattern in (
            ("//@variants A = a", r"map/unary.comp:3: error: not understood"),
            ("//@requires fp8", "unknown feature fp8"),
            ("//@requires fp16 if A=b", "no //@variant A above"),
            ("//@variant A = a\n//@requires fp16 if A=b", "axis A has no value 'b'"),
            ("//@variant A = a a", "a value of axis A appears twice"),
            (f"//@variant A = {many}", "25 variants; 24 allowed"),
            (axes, r"map/unary.comp:7: error: more than 4 axes"),
            ('#include "missing.glsl"', r"map/unary.comp:3: error: missing.glsl not found"),
        ):
            with self.subTest(extra):
                self.write_kernel(extra)
                self.assert_refused(pattern)

    def test_variants_share_one_push_struct(self):
        self.write_kernel("//@variant A = a b", MAIN)
        path = self.root / "shaders/map/unary.comp"
        only_in_b = "\n#ifdef A_B\nuint n;\n#endif\nuvec4 shape"
        path.write_text(path.read_text().replace("uvec4 shape", only_in_b))
        self.assert_refused("push constants differ between map_unary_a and map_unary_b")

    def test_enums(self):
        for text, pattern in (
            ("//@enum UnaryOp\nconst uint kOther = 0u;\n", r"ops.glsl:2: error: kOther must start"),
            ("//@enum UnaryOp\n\nconst uint kUnaryA = 0u;\n", r"ops.glsl:1: .* has no constants"),
            (OPS + "const uint kUnaryLog = 5u;\n", r"ops.glsl:4: .* appears twice"),
        ):
            with self.subTest(pattern):
                self.write("include/ops.glsl", text)
                self.assert_refused(pattern)

    def test_formulas(self):
        for formulas, pattern in (
            (FORMULAS.replace("kUnaryExp: y", "kUnaryLog: y"), "error: not understood: case kUnaryLog"),
            (FORMULAS.replace("y = -x; break;", "break;"), "error: not understood: case kUnaryNeg"),
            (FORMULAS.replace("        case kUnaryExp: y = exp(x); break;\n", ""), "Exp has no float"),
            (FORMULAS.replace("UnaryOp", "OtherOp"), "error: no //@enum OtherOp"),
            (FORMULAS.replace("float unary_float", "\nfloat unary_float"), "must follow //@formulas"),
        ):
            with self.subTest(pattern):
                self.write("include/ops.glsl", OPS + formulas)
                self.assert_refused(pattern)

    def test_place_of_a_file(self):
        self.write_kernel(name="unary.comp")
        self.assert_refused("shaders live at")


if __name__ == "__main__":
    unittest.main()
