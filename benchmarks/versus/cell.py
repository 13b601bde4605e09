"""One rival on the tasks of one problem, in a process of its own, so that its peak memory is its own.

python -m benchmarks.versus.cell PROBLEM RIVAL --tasks 20 --run ready --out cell.json
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from benchmarks.machine import machine, provenance
from benchmarks.versus.rivals import RIVALS, Rival
from fewshot.data.split import ClassSplit
from fewshot.files import write_json
from fewshot.metrics.intervals import over_tasks
from fewshot.progress import Progress
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import episodes
from fewshot.tasks.nway import NWayKShot
from fewshot.tasks.sampler import PoolTasks

SEED, FOLD = 0, "01"
ALL = "all"  # in place of a number of ways


@dataclass(frozen=True)
class Problem:
    """Test tasks of one data set.

    Args:
        source: the data set.
        way: classes of a task; None for all of the test side.
        shot: examples a class.
        queries: texts a class that are asked.
    """

    source: str
    way: int | None
    shot: int
    queries: int = 15

    def tasks(self, count: int) -> list[Episode]:
        """The first of them: the same for all rivals."""
        (pool,) = NWayKShot(self.source, 2, 1, 1, split=ClassSplit(fold=FOLD)).split("test").pools()
        family = PoolTasks(pool, self.way or len(pool.classes), self.shot, self.queries)
        return list(episodes(family, "test", SEED, range(count if self.way else 1)))


SOURCES = ("banking77", "hwu64", "clinic150")
PROBLEMS = {
    f"{source}-{way or ALL}way-{shot}shot": Problem(source, way, shot)
    for source, way, shot in (
        *((source, 5, shot) for shot in (1, 5) for source in SOURCES),
        ("banking77", None, 5),
    )
}


def run_cell(problem: str, rival: str, tasks: int, run: str | None) -> dict[str, Any]:
    """Learns and asks every task; what is measured of it.

    Args:
        problem: by name.
        rival: by name.
        tasks: how many.
        run: the meta-trained run, for the rival that takes one.
    """
    made, drawn = RIVALS[rival](run), PROBLEMS[problem].tasks(tasks)
    rows = []
    with Progress(f"{problem}, {rival}", len(drawn)) as progress:
        warm_up(made, drawn[0])
        for number, episode in enumerate(drawn):
            rows.append(_asked(made, episode) | ({"bytes": _size(made)} if not number else {}))
            progress.advance(1, f"accuracy {rows[-1]['accuracy']:.3f}")
    scores = {name: over_tasks([row[name] for row in rows]) for name in ("accuracy", "recall", "f1")}
    return {
        "schema": 1,
        "problem": problem,
        "rival": rival,
        "about": made.about,
        "tasks": len(rows),
        "way": drawn[0].way,
        "shot": int(drawn[0].shot),
        "seed": SEED,
        **scores,
        "accuracies": [row["accuracy"] for row in rows],
        "fit_seconds": [row["fit_seconds"] for row in rows],
        "load_seconds": sum(row["load_seconds"] for row in rows) / len(rows),
        "bytes": rows[0]["bytes"],
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "command": f"python -m benchmarks.versus --problems {problem} --rivals {rival} --tasks {tasks}",
        **provenance(),
        "machine": machine(torch.device("cpu")),
    }


def warm_up(rival: Rival, episode: Episode) -> None:
    """One task that is not counted: what is imported and measured at the first time is not of learning."""
    rival.load()
    rival.fit([e.text for e in episode.support[:: int(episode.shot)]], list(episode.classes))


def _asked(rival: Rival, episode: Episode) -> dict[str, float]:
    started = time.perf_counter()
    rival.load()
    loaded = time.perf_counter()
    rival.fit([e.text for e in episode.support], [e.label for e in episode.support])
    learned = time.perf_counter()
    right = [example.label for example in episode.query]
    given = rival.predict([example.text for example in episode.query])
    _, recall, f1, _ = precision_recall_fscore_support(
        right, given, labels=list(episode.classes), average="macro", zero_division=0
    )
    return {
        "accuracy": float(accuracy_score(right, given)),
        "recall": float(recall),
        "f1": float(f1),
        "load_seconds": loaded - started,
        "fit_seconds": learned - loaded,
    }


def _size(rival: Rival) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "kept"
        rival.save(folder)
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(arguments: Sequence[str]) -> int:
    """Writes the cell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versus.cell")
    parser.add_argument("problem", choices=PROBLEMS)
    parser.add_argument("rival", choices=RIVALS)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--run")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(list(arguments))
    write_json(given.out, run_cell(given.problem, given.rival, given.tasks, given.run))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
