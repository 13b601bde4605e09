"""How long scores and reports take: all tasks at once, and a page of five runs.

    python -m benchmarks.reporting [--run RUN] [--json FILE]

Scores of 10,000 tasks of 75 queries, of which 200 are compared with scikit-learn; then, in a process of its
own as a user starts it, `fewshot report` of RUN five times over, each a copy under another name.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score

from benchmarks.machine import machine, provenance
from fewshot.files import write_json
from fewshot.metrics.answers import Answers
from fewshot.metrics.scores import scores

TASKS, QUERIES, WAY, CHECKED, COPIES = 10_000, 75, 5, 200, 5


def of_tasks() -> dict[str, Any]:
    """Seconds for all scores of all tasks, and the largest error in F1 of those that are checked."""
    generator, rows = np.random.default_rng(0), TASKS * QUERIES
    sure = generator.uniform(0.05, 1, (1, rows))
    answers = Answers(
        task=np.repeat(np.arange(TASKS), QUERIES),
        label=generator.integers(0, WAY, rows),
        ways=np.full(TASKS, WAY),
        steps=np.array([0]),
        predicted=generator.integers(0, WAY, (1, rows)),
        confidence=sure,
        log_right=np.log(sure),
    )
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        found = scores(answers)
        seconds.append(time.perf_counter() - started)
    table = zip(answers.label.reshape(TASKS, -1), answers.predicted.reshape(TASKS, -1), strict=True)
    errors = [
        abs(found["f1"][0, task] - f1_score(label, predicted, average="macro", labels=range(WAY)))
        for task, (label, predicted) in zip(range(CHECKED), table, strict=False)
    ]
    size = {"tasks": TASKS, "queries": QUERIES, "compared_with_scikit_learn": CHECKED}
    return size | {"seconds": float(np.median(seconds)), "largest_error": float(max(errors))}


def of_runs(run: Path) -> dict[str, Any]:
    """Seconds and bytes of a page of copies of a run."""
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(shutil.copytree(run, Path(folder) / f"run{n}")) for n in range(COPIES)]
        out = Path(folder) / "report.html"
        started = time.perf_counter()
        words = [sys.executable, "-m", "fewshot", "report", *map(str, copies), "--out", str(out)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        episodes = json.loads((run / "summary.json").read_text(encoding="utf-8"))["episodes"]
        return {"runs": COPIES, "episodes": episodes, "seconds": seconds, "bytes": out.stat().st_size}


def main() -> None:
    """Measures and prints both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, help="also measures a page of five copies of this run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the figures there")
    asked = parser.parse_args()
    where = {"machine": machine(torch.device("cpu"))} | provenance()
    figures = {"scores": of_tasks()} | ({"report": of_runs(asked.run)} if asked.run else {}) | where
    print(json.dumps(figures, indent=2))
    if asked.json:
        write_json(asked.json, figures)


if __name__ == "__main__":
    main()
