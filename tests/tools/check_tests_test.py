# SPDX-License-Identifier: Apache-2.0
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_tests  # noqa: E402


class Places(unittest.TestCase):
    def faults(self, where, *files):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in files:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            (root / "tests").mkdir(exist_ok=True)
            (root / "tests/where.txt").write_text(where)
            return check_tests.check_places(root)

    def test_tests_of_the_same_name_need_no_line(self):
        self.assertEqual(self.faults("", "engine/ops/a.cpp", "tests/ops/a_test.cpp"), [])

    def test_a_line_says_where_others_are_tested(self):
        files = ("engine/ops/a.cpp", "engine/vk/b.cpp", "tests/torch/c_test.cpp")
        self.assertEqual(self.faults("torch/c_test.cpp : ops/a vk/b  # both\n", *files), [])

    def test_faults(self):
        source, tests = "engine/ops/a.cpp", "tests/ops/b_test.cpp"
        for where, files, expected in (
            ("", (source,), "neither tests/ops/a_test.cpp nor a line"),
            ("", (source, "tests/vk/a_test.cpp"), "neither tests/ops/a_test.cpp nor a line"),
            ("ops/b_test.cpp ops/a\n", (source, tests), "where.txt:1: wanted"),
            ("ops/b_test.cpp : ops/a\n", (source,), "there is no tests/ops/b_test.cpp"),
            ("ops/b_test.cpp : ops/a\n", (tests,), "there is no engine/ops/a.cpp"),
            ("ops/b_test.cpp : ops/a ops/a\n", (source, tests), "is named twice"),
            ("ops/b_test.cpp : ops/a\n", (source, tests, "tests/ops/a_test.cpp"), "of its own name"),
        ):
            with self.subTest(where=where, files=files):
                self.assertIn(expected, "\n".join(self.faults(where, *files)))

    def test_this_tree(self):
        self.assertEqual(check_tests.check_places(ROOT), [])


class Attributes(unittest.TestCase):
    def test_parameters_count_and_operands_that_may_be_left_out(self):
        header = """
/// Tensor commented(Tensor x, int no);
Tensor layer_norm(Tensor x,
                  const Dims& normalized_shape,  // of x
                  Tensor weight = {},
                  double eps = 1e-5);
Tensor add(Tensor a, Tensor b);
std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& lengths, IntPair p = {1, 2});
template <class T>
Tensor tensor(std::initializer_list<T> values) {
    return detail::from_list(values.size(), filled);
}
namespace detail {
Tensor from_list(std::size_t count);
}
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5);
"""
        self.assertEqual(
            check_tests.attributes_of(header),
            {
                ("layer_norm", "normalized_shape"),
                ("layer_norm", "weight"),
                ("layer_norm", "eps"),
                ("split", "lengths"),
                ("split", "p"),
                ("tensor", "values"),
                ("allclose", "rtol"),
            },
        )

    def faults(self, rows):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "include/pumice/ops").mkdir(parents=True)
            (root / "include/pumice/ops/x.h").write_text("Tensor sum(Tensor x, bool keepdim = false);\n")
            (root / "tests/ops").mkdir(parents=True)
            (root / check_tests.ROWS).write_text(rows)
            return check_tests.check_attributes(root)

    def test_rows_and_parameters_are_the_same(self):
        row = '{"sum",\n     "keepdim",\n     [](bool c) {}},\n'
        self.assertEqual(self.faults(row), [])
        self.assertEqual(self.faults(""), [f"{check_tests.ROWS}: no row for keepdim of sum"])
        self.assertEqual(
            self.faults(row + '{"sum", "dims", f},'), [f"{check_tests.ROWS}: there is no dims of sum"]
        )

    def test_this_tree(self):
        self.assertEqual(check_tests.check_attributes(ROOT), [])


if __name__ == "__main__":
    unittest.main()
