# SPDX-License-Identifier: Apache-2.0
"""However a process ends, it ends in time and with its code: gate_leave, as built by the dev preset, on
both drivers, with a cold and a warm cache of the driver. LEAVE_TIMES says how often each way is tried."""
import collections
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GATE = ROOT / "build/dev/bin/gate_leave"
TIMES = int(os.environ.get("LEAVE_TIMES", "5"))
LONGEST_SECONDS = 60
CODES = {
    "return": 3, "error": 4, "exit": 5, "stranger": 6, "worker": 7, "pool": 8, "continuation": 9,
    "hook": 10, "beside_workers": 11, "beside_pool": 12, "statics": 13, "handler": 14, "child": 15,
    "quick": 16, "at_once": 17, "nothing": 18, "beside_captures": 19, "throw": -signal.SIGABRT,
}  # fmt: skip


def with_driver(driver, *command):
    return [str(ROOT / "tools/with-driver"), driver, *command]


def why_not(driver):
    if not GATE.exists():
        return "the dev preset is not built"
    if subprocess.run(with_driver(driver, "true"), capture_output=True).returncode != 0:
        return f"{driver} is not installed"
    return None


def leave(driver, way, seed, cache):
    command = with_driver(driver, str(GATE), way, str(seed))
    environment = dict(os.environ, XDG_CACHE_HOME=cache)
    try:
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        return "no end"
    return run.returncode if not run.stderr or way == "throw" else (run.returncode, run.stderr)


@functools.cache
def warm_cache(driver):
    """A folder that a process of seed 1 left, to copy; removed at the end."""
    folder = tempfile.TemporaryDirectory()
    leave(driver, "return", 1, folder.name)
    return folder


class Leave(unittest.TestCase):
    def check(self, driver):
        reason = why_not(driver)
        if reason:
            self.skipTest(reason)
        for way, code in CODES.items():
            for cache in ("cold", "warm", "mixed"):
                with self.subTest(way=way, cache=cache):
                    self.assertEqual(self.codes(driver, way, cache), {code: TIMES})

    def codes(self, driver, way, cache):
        """How often each code came. A mixed cache has the kernels of another seed."""
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
            shared = Path(folder) / "shared"
            if cache != "cold":
                shutil.copytree(warm_cache(driver).name, shared)

            def one(index):
                own = str(Path(folder) / str(index)) if cache == "cold" else str(shared)
                return leave(driver, way, 1 if cache != "mixed" else index + 2, own)

            return dict(collections.Counter(threads.map(one, range(TIMES))))

    def test_lavapipe(self):
        self.check("lavapipe")

    def test_swiftshader(self):
        self.check("swiftshader")


if __name__ == "__main__":
    unittest.main()
