# SPDX-License-Identifier: Apache-2.0
"""The subcommands of pumice, as built by the dev preset, on lavapipe."""
import csv
import itertools
import json
import os
import resource
import signal
import stat
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
AIR = str(ROOT / "samples/data/air_passengers.csv")


def why_not():
    if not all((BIN / name).exists() for name in ("pumice", "lower_bound")):
        return "the dev preset is not built"
    if subprocess.run([*DRIVER, "true"], capture_output=True).returncode != 0:
        return "lavapipe is not installed"
    return None


WHY_NOT = why_not()


def run(*arguments, **options):
    command = [*DRIVER, str(BIN / "pumice"), *arguments]
    return subprocess.run(command, **{"capture_output": True, "text": True, **options})


def limit_files():
    """What a full disk is to a file: a write past 1 KiB fails."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))


def overlap(a, b):
    """Whether two tenants have an address at the same time."""
    return (
        a["buffer"] == b["buffer"]
        and a["first_step"] < b["end_step"]
        and b["first_step"] < a["end_step"]
        and a["offset_bytes"] < b["offset_bytes"] + b["size_bytes"]
        and b["offset_bytes"] < a["offset_bytes"] + a["size_bytes"]
    )


class Reads(unittest.TestCase):
    def test_bits_do_not_depend_on_how_operands_are_read(self):
        if WHY_NOT:
            self.skipTest(WHY_NOT)
        outputs = []
        for way in ("words", "texels"):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "out.csv"
                result = run("forecast", AIR, "--horizon", "24", "--output", str(out),
                             env=dict(os.environ, PUMICE_READS=way))
                self.assertEqual(result.returncode, 0, result.stderr)
                outputs.append(out.read_bytes())
        self.assertEqual(*outputs)

    def test_an_unknown_way_is_refused(self):
        if WHY_NOT:
            self.skipTest(WHY_NOT)
        result = run("memory", "forecaster", env=dict(os.environ, PUMICE_READS="images"))
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("PUMICE_READS", result.stderr)


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


class Forecast(Command):
    def table(self, rows, name="series.csv"):
        path = self.folder / name
        path.write_text("".join(f"{row}\n" for row in rows))
        return str(path)

    def counts(self):
        """Four months of days, seldom sold."""
        return self.table(["date,sold", *(f"2024-{1 + i // 28:02}-{1 + i % 28:02},{int(i % 9 == 0)}"
                                          for i in range(28))])

    def test_csv_is_alone_on_stdout(self):
        result = run("forecast", AIR, "--horizon", "24", "--quantiles", "0.9,0.1", "0.5")
        self.assertEqual(result.returncode, 0, result.stderr)
        rows = list(csv.reader(result.stdout.splitlines()))
        self.assertEqual(rows[0], ["time", "q0.1", "q0.5", "q0.9"])
        self.assertEqual([row[0] for row in rows[1:]],
                         [f"{1961 + i // 12}-{1 + i % 12:02}" for i in range(24)])
        for row in rows[1:]:
            values = [float(value) for value in row[1:]]
            self.assertEqual(values, sorted(values))
        self.assertIn(f"{AIR}: column 'passengers', time 'month' (monthly, 1949-01 to 1960-12), "
                      "144 values\n", result.stderr)
        self.assertRegex(result.stderr, r"(?m)^inference +[\d.]+")

    def test_json_says_what_was_read(self):
        figures = self.figures("forecast", AIR, "--horizon", "2", "--holdout", "24")
        self.assertEqual(figures["series"], {
            "file": AIR, "column": "passengers", "time": "month", "frequency": "monthly",
            "count": 144, "first": "1949-01", "last": "1960-12", "notes": []})
        self.assertEqual(figures["forecast"]["time"], ["1959-01", "1959-02"])

    def test_help_tells_the_limits_of_the_model(self):
        config = json.loads((Path(MODEL) / "config.json").read_text())
        text = " ".join(run("forecast", "--help").stdout.split())
        self.assertIn(f"steps to forecast, 1 to {config['horizon_length']} with", text)
        self.assertIn(f"{config['quantiles'][0]} to {config['quantiles'][-1]} with", text)

    def test_options_outside_their_range(self):
        table = self.table(["y", "5", "6", "7"])
        for option, text in ((("--quantiles", "0.01", "0.5"), r"must be in \[0.1, 0.9\].*got 0.01"),
                             (("--quantiles", "0.5", "0.95"), r"must be in \[0.1, 0.9\].*got 0.95"),
                             (("--horizon", "61"), r"horizon must be in \[1, 60\]; got 61"),
                             (("--horizon", str(10**15)), "horizon must be in"),
                             (("--holdout", "3"), r"holdout must be in \[0, 3\)"),
                             (("--minimum", "x"), "must be a number or none; got 'x'")):
            horizon = () if option[0] == "--horizon" else ("--horizon", "2")
            result = run("forecast", table, *horizon, *option)
            self.assertEqual(result.returncode, 1, option)
            self.assertRegex(result.stderr, text)
            self.assertEqual(result.stdout, "")
        for season in ("-1", "0"):
            result = run("forecast", table, "--horizon", "2", "--season", season)
            self.assertGreater(result.returncode, 1)
            self.assertIn("--season", result.stderr)

    def test_values_that_leave_float64_give_no_infinity(self):
        table = self.table(["y", *("1.7e308", "-1.7e308") * 2])
        result = run("forecast", table, "--horizon", "4")
        self.assertEqual(result.returncode, 1)
        self.assertIn("is no finite float64", result.stderr)
        self.assertEqual(result.stdout, "")

    def test_counts_are_cut_at_0(self):
        free = self.figures("forecast", self.counts(), "--horizon", "14", "--minimum", "none")
        cut = self.figures("forecast", self.counts(), "--horizon", "14")
        self.assertLess(min(map(min, free["forecast"]["values"])), 0.0)
        self.assertEqual(cut["forecast"]["values"],
                         [[max(value, 0.0) for value in row] for row in free["forecast"]["values"]])
        self.assertRegex(cut["series"]["notes"][-1], r"^\d+ quantiles below 0 are cut to it")
        high = self.figures("forecast", self.counts(), "--horizon", "14", "--minimum", "0.5")
        self.assertEqual(min(map(min, high["forecast"]["values"])), 0.5)

    def test_an_outlier_does_not_set_the_scale(self):
        values = [100 + i % 12 for i in range(96)]
        clean = self.table(["y", *values])
        values[40] = 10**6
        spoilt = self.table(["y", *values], "spoilt.csv")
        median = [row[0] for row in self.figures(
            "forecast", clean, "--horizon", "12", "--quantiles", "0.5")["forecast"]["values"]]
        figures = self.figures("forecast", spoilt, "--horizon", "12", "--quantiles", "0.5",
                               "--plot", str(self.folder / "a.svg"))
        for wanted, (got,) in zip(median, figures["forecast"]["values"]):
            self.assertLess(abs(got - wanted), 3.0)
        self.assertRegex(figures["series"]["notes"][-1], "^line 42: 1000000 is at least 20 times")
        labels = self.axis_labels(self.folder / "a.svg")
        self.assertLess(max(float(label) for label in labels if label.isdigit()), 200)
        kept = self.figures("forecast", spoilt, "--horizon", "12", "--outliers", "keep")
        self.assertNotIn("line 42", "".join(kept["series"]["notes"]))
        self.assertGreater(max(map(max, kept["forecast"]["values"])), 1000)

    def axis_labels(self, path):
        space = "{http://www.w3.org/2000/svg}"
        root = ElementTree.parse(path).getroot()
        texts = ("".join(text.itertext()).strip() for text in root.iter(space + "text"))
        return [text for text in texts if text]

    def test_the_axis_shows_dates(self):
        for rows, label in (([f"{1950 + i // 12}-{1 + i % 12:02},{i}" for i in range(96)], "1952"),
                            ([f"2024-01-{1 + i:02} 00:00,{i}" for i in range(20)], "2024-01-14"),
                            ([f"2024-01-01 {i:02}:00,{i}" for i in range(20)], "01-01 12:00")):
            with self.subTest(label=label):
                path = self.folder / "dates.svg"
                result = run("forecast", self.table(["when,y", *rows]), "--horizon", "4",
                             "--plot", str(path))
                self.assertEqual(result.returncode, 0, result.stderr)
                labels = self.axis_labels(path)
                self.assertIn("when", labels)
                self.assertIn(label, labels)

    def test_what_is_not_certain_is_refused_in_a_line(self):
        table = self.table(["date,open,close", "2024-01-01,5,6", "2024-01-02,9,8"])
        self.assert_refused_leaving(
            1, "choose with --column; the columns are: 'date': dates", "forecast", table,
            "--horizon", "2")
        table = self.table(["month,y", *(f"{1999 + i // 12}-{1 + i % 12:02},{i}"
                                         for i in range(60) if i != 40)])
        self.assert_refused_leaving(
            1, "line 42: before '2002-06' 1 times lack .monthly.; say --fill", "forecast", table,
            "--horizon", "2")

    def assert_refused_leaving(self, count, text, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, text)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertEqual(len(os.listdir(self.folder)), count)


class Outputs(Command):
    """Every output is whole or absent, and the code says which."""

    def commands(self, path):
        plan = self.folder / "plan.csv"
        plan.write_text("id,lower,upper,size\n"
                        + "".join(f"buffer{i},0,1,16\n" for i in range(100)))
        quantiles = ",".join(f"{i / 100}" for i in range(10, 91))
        return {
            "forecast --output": ("forecast", AIR, "--horizon", "60", "--quantiles", quantiles,
                                  "--output", path),
            "forecast --plot": ("forecast", AIR, "--horizon", "60", "--plot", path),
            "plan --output": ("plan", str(plan), "--output", path),
            "plan --picture": ("plan", str(plan), "--output", "/dev/null", "--picture", path),
            "memory --picture": ("memory", "forecaster", "--picture", path),
            "memory --trace": ("memory", "forecaster", "--trace", path),
            "profile --output": ("profile", "forecaster", "--passes", "1", "--output", path),
        }

    def test_a_disk_that_is_full(self):
        path = str(self.folder / "out")
        for name, arguments in self.commands(path).items():
            with self.subTest(name):
                result = run(*arguments, preexec_fn=limit_files)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn("File too large", result.stderr)
                self.assertEqual(os.listdir(self.folder), ["plan.csv"])

    def test_a_folder_that_takes_no_file(self):
        for name, arguments in self.commands("/proc/pumice.out").items():
            with self.subTest(name):
                result = run(*arguments)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn("[/proc/pumice.out] cannot be written: ", result.stderr)
                self.assertNotIn("<svg", result.stdout)

    def test_an_old_file_stays_where_a_new_one_fails(self):
        path = self.folder / "out"
        path.write_text("old")
        arguments = self.commands(str(path))["forecast --output"]
        self.assertEqual(run(*arguments, preexec_fn=limit_files).returncode, 1)
        self.assertEqual(path.read_text(), "old")
        self.assertEqual(run(*arguments).returncode, 0)
        self.assertEqual(len(path.read_text().splitlines()), 61)

    def test_bench_start_measures_processes(self):
        result = run("bench", "start", "--json", "--rounds", "1", "--model", "forecaster")
        self.assertEqual(result.returncode, 0, result.stderr)
        figures = json.loads(result.stdout)["forecaster"]
        self.assertEqual(set(figures), {"inference", "captured"})
        for mode, caches in figures.items():
            self.assertEqual(set(caches), {"cold", "warm"})
            for name, run_of in caches.items():
                with self.subTest(mode=mode, cache=name):
                    self.assertGreater(run_of["pipelines"], 0)
                    self.assertGreater(run_of["driver_ms"], 0)
                    self.assertGreater(run_of["start_ms"], run_of["device_ms"])
                    self.assertGreater(run_of["start_ms"], run_of["first_ms"])

    def test_stdout_that_is_full_or_closed(self):
        plan = self.folder / "plan.csv"
        plan.write_text("id,lower,upper,size\na,0,1,16\n")
        commands = (("--help",), ("info", "--json"), ("plan", str(plan)),
                    ("forecast", AIR, "--horizon", "2"), ("memory", "forecaster", "--json"),
                    ("profile", "forecaster", "--passes", "1"), ("bench", "soak", "--help"))
        for arguments in commands:
            with self.subTest(arguments), open("/dev/full", "w") as full:
                result = run(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(result.returncode, 1)
                self.assertIn("No space left on device", result.stderr)
        closed = run("plan", str(plan), preexec_fn=lambda: os.close(1))
        self.assertEqual(closed.returncode, 1)
        self.assertIn("Bad file descriptor", closed.stderr)

    def test_devices_are_written_as_they_are(self):
        result = run("plan", *self.commands("/dev/stdout")["plan --output"][1:])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("id,lower,upper,size,offset\n", result.stdout)
        self.assertEqual(run(*self.commands("/dev/null")["forecast --plot"]).returncode, 0)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_a_gnuplot_that_fails(self):
        path = self.folder / "a.svg"
        fake = self.folder / "bin" / "gnuplot"
        fake.parent.mkdir()
        environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}
        for script, text in (("echo '<svg>'", "drew no picture: no message"),
                             ("echo '<svg></svg>'; echo 'line 0: no terminal' >&2; exit 1",
                              "drew no picture: line 0: no terminal")):
            fake.write_text(f"#!/bin/sh\n{script}\n")
            fake.chmod(0o755)
            result = run("forecast", AIR, "--horizon", "2", "--plot", str(path), env=environment)
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"[{path}] gnuplot {text}", result.stderr)
            self.assertFalse(path.exists())


if __name__ == "__main__":
    unittest.main()
