# SPDX-License-Identifier: Apache-2.0
"""The runner of tools/test, on jobs made up here."""
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = f"""
set -euo pipefail
source {ROOT}/tools/lib.sh
source {ROOT}/tools/test_jobs.sh
log_dir=$PWD
job_well() {{ echo fine; }}
job_ill() {{ echo "what went wrong" && return 3; }}
job_cases() {{ printf '[doctest] test cases:    9 |   7 passed | 2 failed | 4 skipped\\n' && return 1; }}
job_passing() {{ printf '[doctest] test cases: 12 | 12 passed | 0 failed\\ncosts: slow\\n'; }}
job_crashing() {{ printf '[doctest] test cases: 12 | 12 passed | 0 failed\\n' && return 139; }}
job_costs() {{ printf '1\\t2\\t3\\tk_b k_a\\tname\\n1\\t2\\t0\\t\\tname\\n1\\t2\\t1\\tk_a\\tname\\n' >"$PUMICE_TEST_COSTS"; }}
"""


class Jobs(unittest.TestCase):
    def run_script(self, script):
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run(
                ["bash", "-c", HEAD + script], cwd=folder, capture_output=True, text=True, timeout=60
            )
        return result.returncode, result.stdout + result.stderr

    def sum_of(self, *jobs):
        code, output = self.run_script(
            f"run_jobs {' '.join(jobs)}\npassed=0 failed=0\nadd_counts .\necho sum $passed $failed\n"
        )
        self.assertEqual(code, 0, output)
        return output, output.splitlines()[-1]

    def test_cases_or_commands_are_counted(self):
        for jobs, expected in (
            (["well"], "sum 1 0"),
            (["ill"], "sum 0 1"),
            (["cases"], "sum 7 2"),
            (["passing"], "sum 12 0"),
            (["crashing"], "sum 12 1"),
            (["well", "ill", "cases", "passing"], "sum 20 3"),
        ):
            with self.subTest(jobs=jobs):
                self.assertEqual(self.sum_of(*jobs)[1], expected)

    def test_a_failure_shows_its_log_and_costs_are_shown(self):
        output, _ = self.sum_of("ill", "passing")
        self.assertIn("what went wrong", output)
        self.assertIn("    costs: slow", output)
        self.assertNotIn("fine", self.sum_of("well")[0])

    def test_a_job_without_an_end_is_a_failure(self):
        code, output = self.run_script("run_job() { :; }\nrun_jobs well\n")
        self.assertEqual(code, 1)
        self.assertIn("the job well ended early", output)

    def test_no_more_jobs_at_once_than_workers(self):
        script = """
worker_count=2
for name in a b c d e; do
    eval "job_$name() { touch running.$name; sleep 0.2; ls running.* | wc -l >>most; rm running.$name; }"
done
run_jobs a b c d e
sort -n most | tail -n 1
"""
        code, output = self.run_script(script)
        self.assertEqual(code, 0, output)
        self.assertLessEqual(int(output.splitlines()[-1]), 2)

    def test_kernels_are_named_once_and_a_lost_file_is_an_error(self):
        code, output = self.run_script("run_jobs costs\nkernels_of costs\n")
        self.assertEqual((code, output.split()[-2:]), (0, ["k_a", "k_b"]))
        self.assertNotEqual(self.run_script("kernels_of lost\n")[0], 0)

    def test_a_part_that_passed_on_a_commit_is_not_run_again(self):
        script = """
git init -q . && git config user.email a@b.c && git config user.name a
printf 'build/\n' >.gitignore && git add . && git commit -qm 1
passed=0 failed=0 the_job=well
part_some() { run_jobs $the_job; }
again() { run_part some >/dev/null; echo "$1: $passed $failed"; }
again "first run"
again "the same commit"
echo x >file && again "a changed tree"
git add . && git commit -qm 2 && again "another commit"
git rm -q file && git commit -qm 3 && the_job=ill && again "one that fails"
again "failed before"
"""
        code, output = self.run_script(script)
        self.assertEqual(code, 0, output)
        self.assertEqual(
            output.splitlines(),
            [
                "first run: 1 0",
                "the same commit: 1 0",
                "a changed tree: 2 0",
                "another commit: 3 0",
                "one that fails: 3 1",
                "failed before: 3 2",
            ],
        )


if __name__ == "__main__":
    unittest.main()
