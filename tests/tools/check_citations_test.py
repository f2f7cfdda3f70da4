# SPDX-License-Identifier: Apache-2.0
import re
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_citations  # noqa: E402
import check_layers  # noqa: E402

RULES = """# Rules

## A heading, with `code`

**G1** Text. It goes with G2.
Test: dispatch/state_test "G1 the state".

**G2** Text.
Test: dispatch/state_test "G2".

**E1** `Cannot`
Test: dispatch/state_test "G1".
"""
CASES = 'TEST_CASE("G1 the state is small") {}\nTEST_CASE(\n    "G2 a long name") {}\n'
TREE = {"docs/grad_modes.md": RULES, "tests/dispatch/state_test.cpp": CASES}


def violations(files):
    """Of TREE with other files put into it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in {**TREE, **files}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return check_citations.check_tree(root)


class Rules(unittest.TestCase):
    def test_what_is_there_may_be_cited(self):
        self.assertEqual(violations({"engine/a/a.h": "// G1, E1a and F16\n# noqa: E402\n"}), [])

    def test_unknown_rules_and_errors_are_named_with_their_line(self):
        found = violations({"engine/a/a.h": "\n// G1 to G9\n", "include/pumice/b.h": "/// (E5)\n"})
        self.assertEqual(
            found,
            [
                "engine/a/a.h:2: error: G9 is not in docs/grad_modes.md",
                "include/pumice/b.h:1: error: E5 is not in docs/grad_modes.md",
            ],
        )

    def test_each_rule_has_tests_that_exist(self):
        for old, new, wanted in (
            ('Test: dispatch/state_test "G2".\n', "", "G2 names no test"),
            ('"G2"', '"G2 other"', 'G2: tests/dispatch/state_test.cpp has no case "G2 other..."'),
            ('state_test "G2"', 'gone_test "G2"', "G2: there is no tests/dispatch/gone_test.cpp"),
        ):
            found = violations({"docs/grad_modes.md": RULES.replace(old, new)})
            self.assertEqual(found, [f"docs/grad_modes.md:8: error: {wanted}"])

    def test_the_name_of_a_case_may_stand_on_its_own_line(self):
        self.assertEqual(check_citations.TEST_CASE.findall(CASES)[1], "G2 a long name")


class Notes(unittest.TestCase):
    HOME = "// Note [Hazards]: commands overlap.\n"

    def test_a_note_is_cited_from_anywhere_also_over_two_lines(self):
        for text in (
            "// see Note [Hazards].\n",
            "/// see Note\n/// [Hazards] in vk/a.cpp\n",
            "/// (Note [Hazards] in\n/// engine/vk/a.cpp).\n",
            "// Note [Hazards] in a.cpp.\n",
        ):
            self.assertEqual(violations({"engine/vk/a.cpp": self.HOME, "engine/vk/b.h": text}), [])

    def test_a_note_has_one_home(self):
        found = violations({"engine/vk/a.cpp": self.HOME, "engine/vk/b.cpp": self.HOME})
        self.assertIn("Note [Hazards] is defined in engine/vk/a.cpp too", found[0])

    def test_a_missing_note_and_a_wrong_home(self):
        found = violations({"engine/vk/b.cpp": "\n// Note [Guests] says why\n"})
        self.assertEqual(found, ["engine/vk/b.cpp:2: error: Note [Guests] is defined nowhere"])
        found = violations({"engine/vk/a.cpp": self.HOME, "docs/x.md": "Note [Hazards] in vk/b.cpp"})
        self.assertIn("Note [Hazards] is in engine/vk/a.cpp, not vk/b.cpp", found[0])


class Paths(unittest.TestCase):
    def test_paths_begin_at_the_root_or_as_includes_do(self):
        files = {
            "engine/vk/a.h": "",
            "include/pumice/ops/b.h": "// vk/a.h, pumice/ops/b.h, ops/b.h, engine/vk/a.h, torch/torch.h\n",
            "README.md": "docs/grad_modes.md, vulkan/vulkan.h and https://x.org/engine/none.md/\n",
        }
        self.assertEqual(violations(files), [])

    def test_what_is_not_there(self):
        files = {"engine/vk/a.h": "// engine/vk/gone.h\n// vk/none.cpp\n// pumice.md\n"}
        found = violations(files)
        for line, wanted in (
            (1, "there is no engine/vk/gone.h"),
            (2, "there is no vk/none.cpp"),
            (3, "there is no page pumice.md"),
        ):
            self.assertIn(f"engine/vk/a.h:{line}: error: {wanted}", found)

    def test_patterns_are_no_paths(self):
        text = "// engine/vk/*.cpp, shaders/<family>/<name>.comp, engine/vk/{a}.h, docs/*.md\n"
        self.assertEqual(violations({"engine/vk/a.h": text}), [])


class Anchors(unittest.TestCase):
    def test_anchors_are_headings_as_github_makes_them(self):
        self.assertEqual(check_citations.anchors_of(RULES), {"rules", "a-heading-with-code"})
        good = "docs/grad_modes.md#a-heading-with-code [x](docs/grad_modes.md#rules) [y](#top)\n# Top\n"
        self.assertEqual(violations({"README.md": good}), [])

    def test_a_missing_anchor_and_a_broken_link(self):
        found = violations({"README.md": "docs/grad_modes.md#none\n[x](#none)\n[y](docs/z.svg)\n"})
        self.assertEqual(
            found,
            [
                "README.md:1: error: docs/grad_modes.md has no heading #none",
                "README.md:2: error: README.md has no heading #none",
                "README.md:3: error: the link to docs/z.svg leads nowhere",
            ],
        )


class OwnTree(unittest.TestCase):
    def test_every_citation_has_its_place(self):
        self.assertEqual(check_citations.check_tree(ROOT), [])

    def test_the_drawing_of_the_house_has_its_rooms_in_their_order(self):
        house = check_layers.parse_house((ROOT / "docs/house.txt").read_text())
        page = (ROOT / "docs/architecture.md").read_text()
        drawing = re.findall(r"^   engine/([\w| ]+?)(?:  |$)", page, re.MULTILINE)
        drawn = [room for line in drawing for room in re.findall(r"\w+", line)]
        rooms = list(house.floors)
        self.assertEqual([room for room in drawn if room in rooms], rooms)


if __name__ == "__main__":
    unittest.main()
