# SPDX-License-Identifier: Apache-2.0
"""pumice memory and pumice profile, as built by the dev preset, on lavapipe."""
import itertools
import json
import os
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "build/dev/bin"
DRIVER = [str(ROOT / "tools/with-driver"), "lavapipe"]
MODES = ("grad", "no_grad", "inference", "captured")
MODEL = str(ROOT / "samples/models/forecaster")


def why_not():
    if not all((BIN / name).exists() for name in ("pumice", "lower_bound")):
        return "the dev preset is not built"
    if subprocess.run([*DRIVER, "true"], capture_output=True).returncode != 0:
        return "lavapipe is not installed"
    return None


WHY_NOT = why_not()


def run(*arguments):
    command = [*DRIVER, str(BIN / "pumice"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def overlap(a, b):
    """Whether two tenants have an address at the same time."""
    return (
        a["buffer"] == b["buffer"]
        and a["first_step"] < b["end_step"]
        and b["first_step"] < a["end_step"]
        and a["offset_bytes"] < b["offset_bytes"] + b["size_bytes"]
        and b["offset_bytes"] < a["offset_bytes"] + a["size_bytes"]
    )


class Command(unittest.TestCase):
    def setUp(self):
        if WHY_NOT:
            self.skipTest(WHY_NOT)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def figures(self, *arguments):
        result = run(*arguments, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def assert_refused(self, text, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, text)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertEqual(os.listdir(self.folder), [])


class Memory(Command):
    def measure(self, model, mode):
        self.picture = self.folder / f"{mode}.svg"
        self.trace = self.folder / f"{mode}.jsonl"
        return self.figures(
            "memory", model, "--mode", mode, "--picture", str(self.picture), "--trace", str(self.trace)
        )

    def check_bound(self, mode, figures):
        program = [str(BIN / "lower_bound"), str(self.trace)]
        recomputed = json.loads(subprocess.run(program, capture_output=True, check=True).stdout)
        self.assertEqual(figures["lower_bound_bytes"], recomputed["lower_bound_bytes"])
        self.assertAlmostEqual(
            figures["ratio"], figures["peak_bytes"] / figures["lower_bound_bytes"], places=9
        )
        self.assertEqual(max(figures["needed_bytes"]), figures["lower_bound_bytes"])
        if mode == "captured":  # the block's height, which holds what lives
            self.assertGreaterEqual(figures["peak_bytes"], recomputed["peak_bytes"])
        else:
            self.assertEqual(figures["peak_bytes"], recomputed["peak_bytes"])
            self.assertAlmostEqual(figures["ratio"], recomputed["ratio"], places=9)

    def check_time(self, figures):
        steps = figures["step_count"]
        self.assertEqual(len(figures["live_bytes"]), steps)
        self.assertEqual(len(figures["needed_bytes"]), steps)
        self.assertEqual(figures["live_bytes"][figures["peak_step"]], max(figures["live_bytes"]))
        lived = [0] * steps
        for tenant in figures["tenants"]:
            self.assertLessEqual(tenant["end_step"], steps)
            for step in range(tenant["first_step"], tenant["end_step"]):
                lived[step] += tenant["size_bytes"]
        for step in range(steps):
            self.assertLessEqual(lived[step], figures["live_bytes"][step])
            self.assertLessEqual(figures["needed_bytes"][step], lived[step])

    def check_picture(self, figures):
        root = ElementTree.parse(self.picture).getroot()
        space = "{http://www.w3.org/2000/svg}"
        self.assertEqual(root.tag, space + "svg")
        titles = [each.text for each in root.iter(space + "title")]
        drawn = [t for t in figures["tenants"] if t["end_step"] > t["first_step"]]
        self.assertEqual(len(titles), len(drawn))
        for tenant, title in zip(drawn, titles):
            self.assertTrue(title.startswith(tenant["operator"]), title)
        texts = " ".join(each.text or "" for each in root.iter(space + "text"))
        for figure in ("peak_bytes", "lower_bound_bytes"):
            self.assertIn(str(figures[figure]), texts)

    def test_forecaster_in_each_mode(self):
        ratios = {}
        for mode in MODES:
            with self.subTest(mode=mode):
                figures = self.measure("forecaster", mode)
                self.check_bound(mode, figures)
                self.check_time(figures)
                self.check_picture(figures)
                for a, b in itertools.combinations(figures["tenants"], 2):
                    self.assertFalse(overlap(a, b), (a, b))
                ratios[mode] = figures["ratio"]
        self.assertGreater(ratios["grad"], ratios["inference"])
        self.assertEqual(len(os.listdir(self.folder)), 2 * len(MODES))

    def test_a_folder_gives_what_the_sample_gives(self):
        sample = self.measure("forecaster", "inference")
        folder = self.measure(MODEL, "inference")
        for key in ("peak_bytes", "lower_bound_bytes", "live_bytes"):
            self.assertEqual(sample[key], folder[key])

    def test_text(self):
        result = run("memory", "forecaster")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(
            result.stdout,
            r"^forecaster, inference: peak \d+ bytes, lower bound \d+, ratio \d\.\d{3}\n",
        )

    def test_bad_arguments(self):
        self.assert_refused("is neither a model's folder nor one of", "memory", "nonesuch")
        self.assert_refused("config.json", "memory", str(self.folder))
        self.assert_refused(
            "cannot be written", "memory", "forecaster", "--picture", str(self.folder / "no/a.svg")
        )
        self.assert_refused("no/a", "memory", "forecaster", "--trace", str(self.folder / "no/a"))
        self.assertGreater(run("memory", "forecaster", "--mode", "nonesuch").returncode, 1)
        self.assertGreater(run("memory").returncode, 1)


class Profile(Command):
    def test_forecaster_in_each_mode(self):
        counts = {}
        for mode in MODES:
            with self.subTest(mode=mode):
                path = self.folder / f"{mode}.json"
                figures = self.figures(
                    "profile", "forecaster", "--mode", mode, "--passes", "3", "--output", str(path)
                )
                self.check_figures(figures)
                self.check_trace(json.loads(path.read_text()), figures)
                # A captured one may do others' work in its kernel: linear+relu.
                counts[mode] = sum(
                    row["count"]
                    for row in figures["operators"]
                    if "linear" in row["operator"].split("+")
                )
        for mode in MODES:
            self.assertGreater(counts[mode], 0)
            self.assertEqual(counts[mode], counts["grad"])
            self.assertEqual(counts[mode] % 3, 0)

    def check_figures(self, figures):
        rows = figures["operators"]
        self.assertEqual(figures["lost_count"], 0)
        self.assertEqual(sum(row["count"] for row in rows), figures["event_count"])
        self.assertAlmostEqual(sum(row["share"] for row in rows), 1.0, places=6)
        totals = [row["total_us"] for row in rows]
        self.assertEqual(totals, sorted(totals, reverse=True))
        for row in rows:
            self.assertAlmostEqual(row["mean_us"] * row["count"], row["total_us"], places=3)

    def check_trace(self, trace, figures):
        events = [each for each in trace["traceEvents"] if each["ph"] == "X"]
        self.assertEqual(len(events), figures["event_count"])
        row_ends = {}
        for event in events:
            self.assertGreaterEqual(event["dur"], 0.0)
            self.assertGreaterEqual(event["ts"], row_ends.get(event["tid"], 0.0))
            row_ends[event["tid"]] = event["ts"] + event["dur"]
        self.assertAlmostEqual(max(row_ends.values()), figures["span_us"], places=3)

    def test_text(self):
        result = run("profile", MODEL, "--passes", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"inference, on .*: \d+ events in 1 passes over [\d.]+ us")
        self.assertRegex(result.stdout, r"(?m)^linear +\d+ +[\d.]+ +[\d.]+ +[\d.]+%$")

    def test_bad_arguments(self):
        self.assert_refused("is neither a model's folder nor one of", "profile", "nonesuch")
        self.assert_refused("no/a", "profile", "forecaster", "--output", str(self.folder / "no/a"))
        self.assertGreater(run("profile", "forecaster", "--mode", "nonesuch").returncode, 1)
        self.assertGreater(run("profile", "forecaster", "--passes", "0").returncode, 1)


if __name__ == "__main__":
    unittest.main()
