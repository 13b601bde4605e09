"""Which lines of the package the tests reach, by package: the whole suite under coverage.py.

    scripts/coverage [--least 92] [--out FILE] [-- PYTEST ARGUMENTS]

Lines that run only in processes which a test starts are counted as not reached, as are those for a GPU where
there is none. Exit code 1: tests failed, or less is reached than asked for; 2: pytest-cov is not there.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import ROOT, machine, provenance
from fewshot.files import write_json

RESULT = ROOT / "benchmarks" / "results" / "coverage.json"
SUITE = ("tests", "-q", "--numprocesses", "auto", "--maxprocesses", "4", "--dist", "worksteal")


def main(arguments: Sequence[str]) -> int:
    """Runs the tests, prints a line a package, writes the shares."""
    parser = argparse.ArgumentParser(
        prog="scripts/coverage", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--least", type=float, default=92, help="per cent of the lines")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("tests", nargs="*", help="what pytest is told, behind --, in place of the suite")
    asked = parser.parse_args(list(arguments))
    if asked.tests and asked.out == RESULT:
        parser.error("--out is needed for other tests than the whole suite")
    tests = asked.tests or SUITE
    if importlib.util.find_spec("pytest_cov") is None:
        said = "error: pytest-cov is not installed\n  do:     python -m pip install -e '.[quality]'"
        print(said, file=sys.stderr)
        return 2
    started = time.perf_counter()
    code, report = reached(tests)
    if report is None:
        print(f"error: pytest wrote no report; its exit code is {code}", file=sys.stderr)
        return 1
    found = shares(report["files"]) | {"tests": list(tests), "tests_passed": not code}
    found["seconds"] = round(time.perf_counter() - started)
    write_json(asked.out, found | provenance() | {"machine": machine(torch.device("cpu"))})
    for name, share in found["packages"].items():
        print(f"{name:<24}{share['reached']:>6} of {share['lines']:>6} lines  {share['per_cent']:5.1f}%")
    print(f"{'fewshot':<24}{found['reached']:>6} of {found['lines']:>6} lines  {found['per_cent']:5.1f}%")
    return int(bool(code) or 100 * found["reached"] / found["lines"] < asked.least)


def reached(tests: Sequence[str]) -> tuple[int, dict[str, Any] | None]:
    """Pytest's exit code and coverage.py's report."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        options = ["--cov=fewshot", "--cov-config=setup.cfg", f"--cov-report=json:{file}"]
        done = subprocess.run([sys.executable, "-m", "pytest", *tests, *options], cwd=ROOT)
        return done.returncode, json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def shares(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Lines and those that were reached, of all and of each package and module at the top."""
    lines: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    for name, file in sorted(files.items()):
        inside = Path(name).parts[1:]  # behind fewshot/
        package = inside[0] if len(inside) > 1 else "(top)"
        lines[package] += file["summary"]["num_statements"]
        covered[package] += file["summary"]["covered_lines"]
    packages = {name: _share(covered[name], lines[name]) for name in lines}
    return _share(covered.total(), lines.total()) | {"packages": packages}


def _share(covered: int, lines: int) -> dict[str, float]:
    return {"lines": lines, "reached": covered, "per_cent": round(100 * covered / max(1, lines), 1)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
