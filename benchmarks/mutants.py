"""Whether the tests notice a change: mutmut makes one at a time and runs the tests that reach it.

    scripts/mutants [--processes 1] [--go-on] [--out FILE]

What is changed and which tests should notice are in setup.cfg, section mutmut: the scores, episodes, the
inner loop, and what is saved of a training. Properties and other decorated functions are left alone by
mutmut, and so are constants of a module. A function that no test of the selection runs counts as not
noticed, and so does a change after which the program does the same. A copy of the code and what became of
each change are in `mutants/`: `mutmut results` names the changes that nothing noticed, `mutmut show NAME`
prints one.

Exit code 0: in every group at least 80% are killed; 1: fewer; 2: no answer.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import machine, provenance
from fewshot.errors import FewshotError, MissingPartError, require_at_least
from fewshot.files import write_json
from fewshot.versions import version_of

ROOT = Path(__file__).parent.parent
COPY = ROOT / "mutants"
RESULT = Path(__file__).parent / "results" / "mutants.json"
LEAST = 0.8
GROUPS = {
    "metrics": "fewshot/metrics/",
    "episode": "fewshot/tasks/",
    "inner loop": "fewshot/algorithms/",
    "checkpoint": "fewshot/",  # what is left
}
# a timeout is noticed too, but by the clock
KINDS = {"killed": "killed", "timeout": "timeout", "survived": "survived", "no tests": "not_covered"}
START = "from mutmut.__main__ import cli; cli()"  # in this interpreter, which has what the tests need


def tally(results: str) -> dict[str, dict[str, int]]:
    """Counts by file of what `mutmut results --all true` prints, `name: what became of it` a line.

    Raises:
        FewshotError: no line, or a mutant that was not tried.
    """
    files: dict[str, Counter[str]] = {}
    for line in filter(None, map(str.strip, results.splitlines())):
        name, _, became = line.partition(": ")
        if became in ("not checked", "check was interrupted by user"):
            raise FewshotError(
                "not all mutants were tried", got=line, fix="go on with scripts/mutants --go-on"
            )
        file = name.rpartition(".")[0].replace(".", "/") + ".py"
        files.setdefault(file, Counter())[KINDS.get(became, "other")] += 1
    if not files:
        raise FewshotError("mutmut names no mutants", got=results, needed="the section mutmut of setup.cfg")
    return {file: _row(count) for file, count in sorted(files.items())}


def grouped(files: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """The counts by group, and the share of them that was killed."""
    groups: dict[str, Counter[str]] = {name: Counter() for name in GROUPS}
    for file, row in files.items():
        groups[next(name for name, begin in GROUPS.items() if file.startswith(begin))].update(row)
    return {name: {**_row(count), "share": share(count)} for name, count in groups.items() if count}


def share(row: Mapping[str, int]) -> float:
    """Killed ones of all, to four digits; those that ran into the time limit were killed by it."""
    return round((row["killed"] + row["timeout"]) / sum(row.values()), 4)


def _row(count: Mapping[str, int]) -> dict[str, int]:
    return {kind: count.get(kind, 0) for kind in (*KINDS.values(), "other")}


def _asked(*words: str, quiet: bool = False) -> str:
    """What mutmut prints.

    Raises:
        FewshotError: it failed, such as on tests that fail without a change.
    """
    done = subprocess.run(
        [sys.executable, "-c", START, *words],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},  # it forks, which threads do not survive
        stdout=subprocess.PIPE if quiet else None,
        text=True,
    )
    if done.returncode:
        raise FewshotError(
            "mutmut came to no answer",
            got=f"exit code {done.returncode} of mutmut {' '.join(words)}",
            needed="tests that pass",
        )
    return done.stdout or ""


def measured(processes: int, go_on: bool) -> dict[str, Any]:
    """Runs mutmut and counts.

    Raises:
        FewshotError: mutmut is not installed, or came to no answer.
    """
    if importlib.util.find_spec("mutmut") is None:
        raise MissingPartError(
            "mutmut is not installed", fix=f"{sys.executable} -m pip install 'mutmut>=3.8'"
        )
    if not go_on:
        shutil.rmtree(COPY, ignore_errors=True)
    started = time.monotonic()
    _asked("run", "--max-children", str(processes))
    seconds = None if go_on else round(time.monotonic() - started)
    files = tally(_asked("results", "--all", "true", quiet=True))
    rows = {file: {**row, "share": share(row)} for file, row in files.items()}
    return {"groups": grouped(files), "files": rows, "processes": processes, "seconds": seconds}


def main(arguments: Sequence[str]) -> int:
    """Prints the tally by file and writes it."""
    parser = argparse.ArgumentParser(
        prog="scripts/mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=1, help="mutants beside one another")
    parser.add_argument("--go-on", action="store_true", help="with a run that was stopped")
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args(list(arguments))
    about = provenance()  # before: what is measured is how the code was when it began
    try:
        require_at_least("scripts/mutants", given, processes=1)
        found = measured(given.processes, given.go_on)
    except FewshotError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    about["versions"] |= {name: version_of(name) for name in ("mutmut", "pytest")}
    write_json(given.out, {"schema": 1} | found | about | {"machine": machine(torch.device("cpu"))})
    for name, row in (found["files"] | found["groups"]).items():
        counts = ", ".join(f"{row[kind]} {kind.replace('_', ' ')}" for kind in (*KINDS.values(), "other"))
        print(f"{name}: {row['share']:.1%} killed ({counts})")
    return int(any(row["share"] < LEAST for row in found["groups"].values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
