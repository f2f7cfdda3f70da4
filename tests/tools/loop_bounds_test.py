# SPDX-License-Identifier: Apache-2.0
"""What build_shaders.py makes of //@iterations lines, and of --count-loops."""
import re
import subprocess
import unittest

from build_shaders_test import HEAD, ShaderTree

LOOP = """void main() {
    float sum = 0.0;
    for (uint i = 0u; i < row_count; ++i) {
        sum += x[i];
    }
    y[gl_GlobalInvocationID.x] = sum * kScale * float(kOp) * slopes[1];
}
"""
UNROLLED = LOOP.replace("for (uint i = 0u; i < row_count", "[[unroll]] for (uint i = 0u; i < 4u")
CONTROL = "#extension GL_EXT_control_flow_attributes : require"


class Bounds(ShaderTree):
    def write_loop(self, *lines, main=LOOP):
        self.write_kernel("\n".join(lines), main)

    def evaluate(self, spec, push):
        """What the compiled C++ gives for the one kernel."""
        self.generate()
        words = ", ".join(map(str, push))
        (self.root / "main.cpp").write_text(
            "#include \"vk/iterations.h\"\n#include <array>\n#include <cstdio>\n"
            "using namespace pumice::vk;\n"
            f"int main() {{ const std::array<std::uint32_t, 11> push{{{words}}};\n"
            f"    const std::array<std::uint32_t, {len(spec)}> spec{{{', '.join(map(str, spec))}}};\n"
            "    const auto bound = iteration_bound(KernelId::kMapUnary);\n"
            "    std::printf(\"%g\", bound == nullptr ? -1.0 : bound(spec,"
            " std::as_bytes(std::span(push)))); }\n")
        command = ["c++", "-std=c++20", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Iout",
                   "main.cpp", "out/vk/iterations.cpp", "-o", "main"]
        subprocess.run(command, cwd=self.root, check=True)
        return float(subprocess.run([self.root / "main"], capture_output=True, check=True).stdout)

    def test_a_loop_needs_its_line(self):
        self.write_loop()
        self.assert_refused(r"unary.comp:1: error: 1 loops, but no line //@iterations")
        self.write_loop("//@iterations 1 + row_count")
        self.generate()

    def test_an_unrolled_loop_needs_none(self):
        self.write_loop(CONTROL, main=UNROLLED)
        self.generate()

    def test_lines_add_up_and_go_on(self):
        self.write("include/loops.glsl", "//@iterations half_of(a) = a / 2\n"
                                         "//@iterations twice(a, b) = a * half_of(b) * 4\n")
        self.write_loop('#include "loops.glsl"',
                        "//@iterations 1 + (kOp == kUnaryExp ? ceil(row_count / 3)",
                        "//@    : min(row_count, shape.w))",
                        "//@iterations twice(shape.y, slopes[1])")
        push = [10, 0, 0, 0, 5, 6, 7, 8, 0, 3, 0]  # shape is at 16 bytes, slopes at 32
        self.assertEqual(self.evaluate([64, 5], push), 1 + 4 + 36)
        self.assertEqual(self.evaluate([64, 0], push), 1 + 8 + 36)
        self.assertEqual(self.evaluate([64], push), 1 + 8 + 36)  # kOp's default is 3

    def test_lines_of_an_include_are_for_its_kernels(self):
        self.write("include/frame.glsl", "//@iterations 7 * row_count\n")
        self.write_loop('#include "frame.glsl"')
        self.assertEqual(self.evaluate([64], [3] * 11), 21)
        self.write_loop()
        self.assert_refused("1 loops, but no line")

    def test_a_constant_is_looked_at_once(self):
        self.write_loop("//@iterations 5 * 6")
        self.assertEqual(self.evaluate([64], [0] * 11), -1)
        _, source = self.generate()
        bounds = (self.root / "out/vk/iterations.cpp").read_text()
        self.assertIn("static_assert((5 * 6) <= kMostIterations", bounds)

    def test_what_is_not_understood(self):
        for line, text in {"1 + rows": "unknown name rows", "half(row_count)": "unknown function half",
                           "row_count % 2": "not understood: % 2",
                           "kScale": "unknown name kScale"}.items():
            self.write_loop(f"//@iterations {line}")
            self.assert_refused(re.escape(text))
        self.write("include/loops.glsl", "//@iterations f(a) = g(a)\n//@iterations g(a) = f(a)\n")
        self.write_loop("//@iterations f(1)")
        self.assert_refused("functions call each other")


class Counting(ShaderTree):
    def test_loops_count_and_spoil_the_result(self):
        self.write("include/more.glsl", "#ifndef PUMICE_MORE_GLSL\n#define PUMICE_MORE_GLSL\n"
                   "uint down(uint n) {\n    while (n > 3u) {\n        --n;\n    }\n    return n;\n}\n"
                   "#endif\n")
        main = LOOP.replace("sum * ", "sum * float(down(row_count)) * ")
        self.write_kernel('//@iterations 1 + row_count\n#include "more.glsl"', main)
        result = self.build("--count-loops")
        self.assertEqual(result.returncode, 0, result.stderr)
        text = (self.root / "out/counting/map/unary.comp").read_text()
        self.assertIn("for (uint i = 0u; counted(i < row_count); ++i)", text)
        self.assertIn("if (loop_passes > 30000u)", text)
        self.assertIn("y[0] = float(", text)
        included = (self.root / "out/counting/include/more.glsl").read_text()
        self.assertIn("while (counted(n > 3u))", included)

    def test_unrolled_loops_do_not_count(self):
        self.write_kernel(CONTROL, UNROLLED)
        self.assertEqual(self.build("--count-loops").returncode, 0)
        self.assertNotIn("counted(i", (self.root / "out/counting/map/unary.comp").read_text())


if __name__ == "__main__":
    unittest.main()
