# SPDX-License-Identifier: Apache-2.0
"""What tools/check_contract.py finds, and that engine/ has none of it."""
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_contract  # noqa: E402

WRONG = (
    ("struct FillPush {\n    std::uint32_t word_count;\n};", "push struct"),
    ("struct Push final : Base {", "push struct"),
    ("step.spec.push_back(kLocalSize);", "without its name"),
    ("push_spec(step, {kLocalSize});", "without its name"),
    ("const std::array<std::uint32_t, 2> spec = {8, number};", "a list of"),
    ("const std::vector<std::uint32_t> spec{8, number};", "a list of"),
    ("const std::uint32_t spec[] = {8};", "a list of"),
    ("const auto head_spec = {a, b};", "a list of"),
    ("const auto spec = std::array{8U, number};", "a list of"),
    ("queue.dispatch({.kernel = kernel, .spec = {words.data(), 2}});", "a list of"),
    ("const std::uint32_t lanes = step.spec[kLanes];", "by its number"),
    ("const std::uint32_t lanes = step.spec()[0];", "by its number"),
    ("vk::NormSoftmaxSpec spec{};", "without values"),
    ("auto spec = vk::NormSoftmaxSpec();", "without values"),
    ("step.set(vk::NormSoftmaxSpec{64, x.dtype}, push);", "designated"),
    ("vk::MapPush push{\n    count, offsets};", "designated"),
    ("step.set(vk::FactoryFillSpec{.local_size = 64},\n    {words, word});", "designated"),
    ("run.set(kernel, spec, {});", "designated"),
)

RIGHT = (
    "step.set(vk::FactoryFillSpec{.local_size = local_size},\n {.word_count = words, .word = {}});",
    "vk::MapPush push{.count = 1, .sizes = {1, 1}};",
    "vk::SpatialMaxPoolPush push{};",
    "std::array<std::uint32_t, kMaxSpecWords> spec{};",
    "difference |= entry.spec[i] ^ spec[i];",
    "const auto spec = DeviceNumberSpec{.local_size = 8, .number = 1}.by_id();",
    "spec.continues = !part.is_first;",
    "call.set(0, mul(a, b));",
    "// step.spec.push_back(kLocalSize)",
    'add("layout(push_constant) uniform Push { uint spec[2]; }");',
    "template <class Push>\nvoid set_geometry(Push& push) {}",
    "kernel.spec.assign(step.spec().begin(), step.spec().end());",
)


class Rules(unittest.TestCase):
    def test_what_is_refused(self):
        for text, message in WRONG:
            with self.subTest(text):
                found = check_contract.violations("engine/ops/a.cpp", f"\n{text}\n")
                self.assertEqual(len(found), 1, found)
                self.assertRegex(found[0], f"^engine/ops/a.cpp:[23]: error: .*{message}")

    def test_what_is_not(self):
        for text in RIGHT:
            with self.subTest(text):
                self.assertEqual(check_contract.violations("engine/ops/a.cpp", text), [])

    def test_only_the_writers_append_words(self):
        text = "spec_.push_back(words[i]);"
        self.assertEqual(check_contract.violations("engine/graph/chain.cpp", text), [])
        self.assertEqual(len(check_contract.violations("engine/graph/fusion.cpp", text)), 1)

    def test_the_engine(self):
        self.assertEqual(check_contract.main(), 0)


if __name__ == "__main__":
    unittest.main()
