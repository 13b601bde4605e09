"""The end of a search: the best and the default settings trained with several seeds, and tested once."""

import csv
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fewshot.errors import FewshotError, Whole
from fewshot.metrics.intervals import mean_interval
from fewshot.metrics.scores import SCORES
from fewshot.progress import Progress
from fewshot.untrusted.values import read_json

METRICS = (*SCORES, "loss", "score")
SAME = ("source", "classes", "way", "shot", "queries")  # columns that name an episode


@dataclass(frozen=True)
class Final:
    """Runs of one configuration that differ in their seed.

    Args:
        name: 'best' or 'default'.
        config: its `config.yaml`.
        runs: the run directories.
    """

    name: str
    config: Path
    runs: tuple[Path, ...]


def train_finally(finals: Sequence[Final], workers: int, title: str) -> None:
    """Trains what is not trained yet, each as `fewshot train`, so many at a time.

    Raises:
        FewshotError: one of them failed.
    """
    jobs = [(final.config, run) for final in finals for run in final.runs]
    with Progress(title, len(jobs)) as progress:
        waiting = [(config, run, seed_of(run)) for config, run in jobs if not _finished(run)]
        progress.advance(len(jobs) - len(waiting), "")
        running: list[tuple[Path, subprocess.Popen[bytes]]] = []
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    config, run, seed = waiting.pop(0)
                    running.append((run, _start(config, run, seed)))
                for run, process in list(running):
                    if process.poll() is not None:
                        running.remove((run, process))
                        _check(run, process.returncode)
                        progress.advance(1, run.name)
                time.sleep(0.2)
        finally:
            for _, process in running:
                process.terminate()
            for _, process in running:
                process.wait()


def seed_of(run: Path) -> int:
    """The seed in the name of a run: 'best-seed-2'."""
    return int(run.name.rpartition("-")[2])


def _finished(run: Path) -> bool:
    return (run / "summary.json").is_file()


def _start(config: Path, run: Path, seed: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "fewshot", "train", "--config", str(config), "--out", str(run)]
    run.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(run, ignore_errors=True)  # what a training left that was broken off
    with _log(run).open("wb") as log:
        return subprocess.Popen(
            [*command, "--training.seed", str(seed)], stdout=log, stderr=subprocess.STDOUT
        )


def _log(run: Path) -> Path:
    return run.with_name(f"{run.name}.log")


def _check(run: Path, code: int) -> None:
    if code:
        last = _log(run).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-4:]
        raise FewshotError(
            "a final training failed",
            where=run,
            got=f"exit code {code}: {' / '.join(last)}",
            fix=Whole(f"{_log(run)} has all of it; the same command goes on where this one stopped"),
        )


def tested(finals: Sequence[Final]) -> dict[str, Any]:
    """What the test episodes say: each configuration, and the best less the default, task by task.

    A task's value is its mean over the seeds, so that the interval is over tasks.
    """
    tables = {final.name: [_tasks(run) for run in final.runs] for final in finals}
    found: dict[str, Any] = {name: _figures(own) for name, own in tables.items()}
    found["drawn_from"] = "once, after the search had ended"
    if len(finals) == 2:
        found["difference"] = _difference(*(tables[final.name] for final in finals))
    return found


Table = list[dict[str, Any]]


def _tasks(run: Path) -> Table:
    """The rows of `tasks.csv`, each with its share in the score."""
    summary = read_json(run / "summary.json", numbers=False)
    unit = summary["score"]["baseline_loss"] if summary["score"] else float("nan")
    with (run / "tasks.csv").open(newline="", encoding="utf-8") as file:
        rows: Table = list(csv.DictReader(file))
    return [row | {"score": float(row["loss"]) / unit} for row in rows]


def _figures(tables: Sequence[Table]) -> dict[str, Any]:
    found: dict[str, Any] = {"episodes": len(tables[0])}
    for metric in METRICS:
        mean, std, low, high = mean_interval(_over_seeds(tables, metric))
        by_seed = [float(np.mean([float(row[metric]) for row in table])) for table in tables]
        found[metric] = {"mean": mean, "std": std, "ci95": [low, high], "by_seed": by_seed}
    return found


def _over_seeds(tables: Sequence[Table], metric: str) -> list[float]:
    """Each task's mean over the seeds."""
    values = np.array([[float(row[metric]) for row in table] for table in tables])
    means: list[float] = values.mean(0).tolist()
    return means


def _difference(best: Sequence[Table], default: Sequence[Table]) -> dict[str, Any] | None:
    """Mean and 95% interval of the paired differences; None where the episodes are not the same."""
    named = [[tuple(row[column] for column in SAME) for row in table] for table in (*best, *default)]
    if any(each != named[0] for each in named):
        return None
    found = {}
    for metric in METRICS:
        pairs = zip(_over_seeds(best, metric), _over_seeds(default, metric), strict=True)
        mean, std, low, high = mean_interval([ours - theirs for ours, theirs in pairs])
        found[metric] = {"mean": mean, "std": std, "ci95": [low, high]}
    return found
