"""Spoilt files of every kind, 100,000 of them; nothing but clear errors may come of it.

    python -m benchmarks.fuzz [--inputs 100000] [--kinds NAME ...] [--seed 0] [--out FILE]

Half of them are made by hypothesis, spoilt bytes and spoilt values; the other half by atheris where it is
installed (`python -m pip install atheris`), which looks for inputs that reach new lines. The exit code is 1
where something was found; the file says what, with the input.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from benchmarks.fuzz.guided import ARTIFACTS
from benchmarks.fuzz.kinds import Kind, kinds
from benchmarks.fuzz.limits import bounded
from benchmarks.fuzz.tally import Tally, finding
from benchmarks.machine import provenance
from fewshot.files import write_json

OUT = Path(__file__).parents[1] / "results" / "fuzz.json"
BATCH = 2_000  # inputs of hypothesis under one seed and in one cache
SAID = 2_000  # last bytes that are kept of what a process said that was brought down


def by_hypothesis(kind: Kind, inputs: int, first: int) -> Tally:
    """Spoils the valid files of a kind."""
    tally = Tally()
    for batch in range(first, first + -(-inputs // BATCH)):
        left = min(BATCH, inputs - tally.outcomes.total())

        @seed(batch)
        @settings(max_examples=left, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(kind.spoilt)
        def check(content: bytes) -> None:
            tally.add(kind, content)

        with bounded():
            check()
    return tally


def by_atheris(name: str, inputs: int, first: int) -> dict[str, Any]:
    """Lets atheris look, in a process of its own, which it ends; all that it writes goes with a folder."""
    with tempfile.TemporaryDirectory(prefix="fuzz-atheris-") as home:
        folder = Path(home)
        file, temporary, log = folder / "tally.json", folder / "temporary", folder / "said"
        temporary.mkdir()
        words = [name, "--inputs", str(inputs), "--seed", str(first), "--json", str(file)]
        with log.open("wb") as said:  # the library tells its progress for hours
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.fuzz.guided", *words],
                stdout=said,  # where an exception of Python is told
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(temporary)},
            )
        if not file.is_file():
            return {"found": 1, "findings": [_brought_down(folder, log, done.returncode)]}
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _brought_down(folder: Path, log: Path, code: int) -> dict[str, str]:
    """The finding of a process that did not come to its end, with the input where there is one."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - SAID))
        said = f"exit code {code}: {file.read().decode('utf-8', 'replace')}"
    inputs = [each for pattern in ARTIFACTS for each in sorted(folder.glob(pattern))]
    return finding(said, inputs[0].read_bytes()) if inputs else {"said": said}


def main() -> int:
    """Fuzzes, prints a line a kind and writes the tally."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every = kinds()
    parser.add_argument("--inputs", type=int, default=100_000, help="of all kinds together")
    parser.add_argument("--kinds", nargs="+", choices=sorted(every), default=list(every), metavar="NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    engines = {name: importlib.metadata.version(name) for name in ("hypothesis", "atheris") if _there(name)}
    whole = sum(every[name].share for name in asked.kinds)
    started = time.perf_counter()
    found: dict[str, dict[str, Any]] = {}
    for name in asked.kinds:
        inputs, since = (
            math.ceil(asked.inputs * every[name].share / whole / len(engines)),
            time.perf_counter(),
        )
        found[name] = {"hypothesis": by_hypothesis(every[name], inputs, asked.seed * 1_000_000).plain()}
        if "atheris" in engines:
            found[name]["atheris"] = by_atheris(name, inputs, asked.seed)
        found[name] |= {"seconds": round(time.perf_counter() - since, 1)}
        print(name, json.dumps(found[name]), flush=True)
    tallies = [found[name][engine] for name in found for engine in engines]
    totals = {what: sum(tally.get(what, 0) for tally in tallies) for what in ("read", "refused", "found")}
    content = {"inputs": sum(totals.values()), **totals, "seconds": round(time.perf_counter() - started, 1)}
    write_json(asked.out, {**content, "seed": asked.seed, "engines": engines, "kinds": found, **provenance()})
    print(json.dumps(content))
    return 1 if totals["found"] else 0


def _there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


if __name__ == "__main__":
    sys.exit(main())
