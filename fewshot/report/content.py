"""What a report says, as plain data: the figures of each run, and the differences between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fewshot.metrics.intervals import set_means
from fewshot.metrics.paired import corrected, paired
from fewshot.metrics.scores import SCORES
from fewshot.report.parsing import Row
from fewshot.report.reading import ReportedRun
from fewshot.report.same import check_same_episodes

SCHEMA = 1  # of the JSON format
BESIDE = ("balanced_accuracy", "f1_micro", "log_loss", "ece", "auroc")  # where they were recorded
COST = ("seconds", "tasks_per_second", "tokens_per_second", "matmul_share", "padding")  # means over steps


def content_of(runs: Sequence[ReportedRun], command: str) -> Row:
    """The content of a report, as `--format json` writes it.

    Args:
        runs: at least one, finished or not.
        command: what makes the report again.

    Raises:
        InputError: finished runs that were tested on different episodes.
    """
    finished = [run for run in runs if run.finished]
    if len(finished) > 1:
        check_same_episodes(finished)
    return {
        "schema": SCHEMA,
        "command": command,
        "reference": finished[0].name if finished else None,
        "runs": [_run(run) for run in runs],
        "differences": _differences(finished),
    }


def _run(run: ReportedRun) -> Row:
    state = {
        "name": run.name,
        "folder": str(run.folder),
        "state": "finished" if run.finished else "unfinished",
        "steps": run.step,
        "cost": cost(run),
        "versions": run.wrote,
    }
    read: Row = {"config": run.config, "data": run.data, "inspection": run.inspection}
    read |= {"comparison": run.comparison, "log": run.log, "tasks": run.tasks}
    return state | ({"summary": run.summary} if run.finished else {}) | read


def cost(run: ReportedRun) -> Row:
    """What training and testing took: seconds, rates, bytes; what was not recorded is left out."""
    lines = [line for line in run.log if "stage" not in line]
    found: Row = {}
    for name in COST:
        if values := [line[name] for line in lines if name in line]:
            found[f"{name}_a_step" if name == "seconds" else name] = float(np.mean(values))
    if peaks := [line["peak_memory"] for line in lines if line.get("peak_memory")]:
        found["peak_memory"] = max(peaks)
    if run.finished:
        found |= {"seconds": run.figures["seconds"], "seconds_a_task": float(np.mean(run.values("seconds")))}
    return found


def _differences(runs: Sequence[ReportedRun]) -> Row:
    """By run, every score less that of the first run, task by task."""
    if len(runs) < 2:
        return {}
    first, *others = runs
    seed, repeats = first.figures["seed"], first.figures.get("repeats", 1)
    names = [*SCORES, *(name for name in first.written if all(name in run.written for run in others))]
    theirs = {name: set_means(first.values(name), repeats) for name in names}
    rows: dict[str, dict[str, dict[str, Any]]] = {
        run.name: {name: paired(set_means(run.values(name), repeats), theirs[name], seed) for name in names}
        for run in others
    }
    return corrected(rows)
