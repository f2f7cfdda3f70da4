# SPDX-License-Identifier: Apache-2.0
"""docs/tutorial.md against the programs it shows: excerpts, outputs, lengths. The programs are those
of the dev preset, on lavapipe."""
import re
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "build/dev/bin"
SAMPLES = ROOT / "samples/tutorial"
DRIVER = [str(ROOT / "tools/with-driver"), "lavapipe", "--validate"]
PAGE = (ROOT / "docs/tutorial.md").read_text()
MOST_LINES = 80
# Bytes in KiB may differ by the device's alignment.
KIB = re.compile(r"\d+ KiB")


def sections():
    """Stem of the program, and the blocks of its section as (language, text)."""
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        if name := re.search(r"^samples/tutorial/(\w+)\.cpp", part, re.MULTILINE):
            yield name[1], re.findall(r"^```(\w+)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)


def lines_of(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def is_excerpt(piece, source):
    """Whether the lines stand in the source one after another, however they are indented."""
    wanted, lines = lines_of(piece), lines_of(source)
    return any(lines[i : i + len(wanted)] == wanted for i in range(len(lines)))


class Page(unittest.TestCase):
    def test_every_program_has_its_section_and_at_most_eighty_lines(self):
        programs = {path.stem for path in SAMPLES.glob("*.cpp")}
        self.assertEqual(programs, {name for name, _ in sections()})
        for path in SAMPLES.glob("*.cpp"):
            self.assertLessEqual(len(path.read_text().splitlines()), MOST_LINES, path.name)

    def test_the_code_is_the_programs(self):
        for name, blocks in sections():
            source = (SAMPLES / f"{name}.cpp").read_text()
            pieces = [
                piece
                for language, text in blocks
                if language == "cpp"
                for piece in re.split(r"^\.\.\.$", textwrap.dedent(text), flags=re.MULTILINE)
            ]
            self.assertTrue(pieces, name)
            for piece in pieces:
                self.assertTrue(is_excerpt(piece, source), f"not in {name}.cpp:\n{piece}")

    def test_a_changed_line_is_no_excerpt(self):
        self.assertTrue(is_excerpt("a\nb", "x\n  a\n\n  b\ny"))
        self.assertFalse(is_excerpt("a\nb", "a\nc\nb"))


class Programs(unittest.TestCase):
    def setUp(self):
        if not all((BIN / f"tutorial_{name}").exists() for name, _ in sections()):
            self.skipTest("the dev preset is not built")
        if subprocess.run([*DRIVER, "true"], capture_output=True).returncode != 0:
            self.skipTest("lavapipe or the validation layer is not installed")

    def run_program(self, name, *arguments):
        command = [*DRIVER, str(BIN / f"tutorial_{name}"), *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    def test_the_outputs_are_the_page_s(self):
        with tempfile.TemporaryDirectory() as folder:
            weights = str(Path(folder) / "weights.safetensors")
            subprocess.run(["python3", str(SAMPLES / "make_weights.py"), weights], check=True)
            for name, blocks in sections():
                arguments = [weights] if name == "weights_from_python" else []
                result = self.run_program(name, *arguments)
                self.assertEqual(result.returncode, 0, f"{name}: {result.stderr}")
                # The layer speaks on stdout.
                self.assertNotIn("Validation", result.stdout + result.stderr, name)
                wanted = "".join(text for language, text in blocks if language == "text")
                self.assertEqual(KIB.sub("KiB", result.stdout), KIB.sub("KiB", wanted), name)

    def test_a_program_says_what_it_could_not_read(self):
        result = self.run_program("weights_from_python", "/dev/null")
        self.assertEqual(result.returncode, 1)
        self.assertIn("/dev/null", result.stderr)


if __name__ == "__main__":
    unittest.main()
