# SPDX-License-Identifier: Apache-2.0
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_layers  # noqa: E402

HOUSE = """
room base
room plan vk   # beside each other
room ops
room nn io public
only vulkan/ volk.h : vk
nameless vk
allow nlohmann/ : io
"""


class HouseText(unittest.TestCase):
    def test_floors_count_from_the_top(self):
        house = check_layers.parse_house(HOUSE)
        self.assertEqual(house.floors, {"base": 0, "plan": 1, "vk": 1, "ops": 2, "nn": 3, "io": 3})
        self.assertEqual(house.public, {"nn", "io"})

    def test_errors_name_the_line(self):
        for text, expected in (
            ("room a\nroom a\n", "h:2: error: room a appears twice"),
            ("only x.h : cellar\n", "h:1: error: no room cellar"),
            ("nameless cellar\n", "h:1: error: no room cellar"),
            ("floor a\n", "h:1: error: not understood"),
        ):
            with self.assertRaisesRegex(check_layers.HouseError, expected):
                check_layers.parse_house(text, "h")

    def test_own_house_is_readable_and_in_the_order_of_the_design(self):
        house = check_layers.parse_house((ROOT / "docs/house.txt").read_text())
        self.assertEqual(house.floors["plan"], house.floors["vk"])
        order = ["base", "vk", "memory", "tensor", "dispatch", "ops", "autograd", "graph", "nn"]
        self.assertEqual(order, sorted(order, key=house.floors.get))
        self.assertEqual(house.public, {"nn", "optim", "io", "data"})


class OneInclude(unittest.TestCase):
    def setUp(self):
        self.house = check_layers.parse_house(HOUSE)

    def check(self, room, header, is_quoted=True, is_local=False):
        return check_layers.check_include(self.house, room, header, is_quoted, is_local)

    def test_up_and_own_are_allowed(self):
        for room, header in (("ops", "vk/a.h"), ("ops", "ops/a.h"), ("vk", "base/a.h")):
            self.assertIsNone(self.check(room, header))
        self.assertIsNone(self.check("ops", "all_ops.inc", is_local=True))

    def test_down_and_beside_are_not(self):
        self.assertIn("stands below", self.check("base", "vk/a.h"))
        self.assertIn("stands beside", self.check("plan", "vk/a.h"))
        self.assertIn("stands beside", self.check("vk", "plan/a.h"))

    def test_angle_brackets_are_no_way_around(self):
        self.assertIn("stands below", self.check("base", "vk/a.h", is_quoted=False))

    def test_unknown_room(self):
        self.assertIn("in no room", self.check("ops", "cellar/a.h"))
        self.assertIn("in no room", self.check("ops", "../vk/a.h"))
        self.assertIn("in no room", self.check("ops", "missing.h"))

    def test_only_vk_knows_vulkan(self):
        for header in ("vulkan/vulkan.h", "volk.h"):
            self.assertIsNone(self.check("vk", header, is_quoted=False))
            self.assertIn("for vk alone", self.check("ops", header, is_quoted=False))

    def test_public_rooms_see_the_face_alone(self):
        self.assertIsNone(self.check("nn", "pumice/tensor.h"))
        self.assertIsNone(self.check("nn", "nn/detail.h"))
        self.assertIsNone(self.check("io", "sys/mman.h", is_quoted=False))
        self.assertIsNone(self.check("io", "nlohmann/json.hpp", is_quoted=False))
        self.assertIn("pumice/ alone", self.check("nn", "nlohmann/json.hpp", is_quoted=False))
        self.assertIn("pumice/ alone", self.check("nn", "ops/a.h"))
        self.assertIn("pumice/ alone", self.check("io", "nn/a.h"))

    def test_the_face_includes_itself_and_the_standard_library(self):
        self.assertIsNone(self.check("pumice", "pumice/a.h"))
        self.assertIsNone(self.check("pumice", "vector", is_quoted=False))
        for header in ("fmt/core.h", "unistd.h"):
            self.assertIn("includes only itself", self.check("pumice", header, is_quoted=False))
        self.assertIn("includes only itself", self.check("pumice", "base/a.h"))


class Names(unittest.TestCase):
    OPERATORS = ({"add", "matmul"}, {"kAdd", "kMatmul"})

    def check(self, line):
        return check_layers.check_line("graph", line, self.OPERATORS)

    def test_records_and_names_are_seen(self):
        for line, name in (
            ("if (node.def != &ops::kMatmul) {", "kMatmul"),
            ("constexpr std::array kMaps = {&ops::kAdd};", "kAdd"),
            ('if (node.def->name == "add") {', "add"),
            ('constexpr std::array kNames = {"matmul", "add"};', "matmul"),
            ('    "matmul",', "matmul"),
            ("using namespace ops;", "names from ops"),
            ("using pumice::ops::kAdd;", "kAdd"),
        ):
            self.assertIn(name, self.check(line))

    def test_roles_other_words_and_comments_are_not(self):
        for line in (
            "node.def = &ops::kCopyOfValue;",
            "case Form::kAdd:",
            'throw ArgumentError("replay", "matmul is another word here");',
            "// ops::kAdd and \"add\" in a comment",
            '#include "add"',
            'list.push_back({{"add", event.label}});',
            '{"add", "category"},',
            "ops::all_ops()",
        ):
            self.assertIsNone(self.check(line))

    def test_the_engine_has_operators_and_nameless_rooms(self):
        names, records = check_layers.read_operators(ROOT)
        self.assertLessEqual({"matmul", "relu"}, names)
        self.assertLessEqual({"kMatmul", "kRelu"}, records)
        house = check_layers.parse_house((ROOT / "docs/house.txt").read_text())
        self.assertLessEqual({"vk", "memory", "dispatch", "autograd", "graph"}, house.nameless)


class Tree(unittest.TestCase):
    def test_violation_names_file_and_line(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in (
                ("docs/house.txt", HOUSE),
                ("engine/base/a.h", '#pragma once\n  #  include "vk/b.h"\n'),
                ("engine/vk/b.h", '#include "base/a.h"\nif (name == "sum") {\n'),
                ("engine/ops/all_ops.inc", "PUMICE_OP(sum, kSum)\n"),
                ("engine/cellar/c.h", ""),
                ("include/pumice/d.h", "#include <vector>\n"),
            ):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            first, second, third = check_layers.check_tree(root)
        self.assertTrue(first.startswith("engine/base/a.h:2: error: base may not include vk/b.h"))
        self.assertIn("engine/cellar/c.h:1: error: cellar is no room", second)
        self.assertIn("engine/vk/b.h:2: error: vk knows no operator and may not compare or list the name sum", third)


if __name__ == "__main__":
    unittest.main()
