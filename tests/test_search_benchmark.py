"""The tables of a search in the README."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.search.table import load, markdown
from fewshot.errors import InputError

FIGURE = {"mean": 0.5, "std": 0.1, "ci95": [0.45, 0.55], "by_seed": [0.5]}
METRICS = ("score", "accuracy", "precision", "recall", "f1", "loss")


def search(folder: Path, test: dict[str, Any] | None) -> Path:
    """What a kept search looks like, with two trials."""
    content = {
        "test": test, "settings": {"seeds": 3, "workers": 2}, "ended": "all trials are made", "minutes": 12.3,
        "trials": {"done": 2}, "importance": {"training.lr": 0.75}, "commit": "abc",
        "command": "fewshot search",
        "machine": {"processor": "CPU", "instructions": "AVX2"},
    }  # fmt: skip
    (folder / "search.json").write_text(json.dumps(content))
    figures = {"score": 0.25, "score_low": 0.2, "score_high": 0.3, "accuracy": 0.9, "recall": 0.9}
    marks = {"default": False, "best": False, "tied": False, "pareto": False}
    done = marks | {"seconds_per_task": 0.04, "bytes": 2000} | figures
    lines = [
        {"trial": 0, "state": "done"} | done | {"default": True, "training.lr": 0.003},
        {"trial": 1, "state": "pruned"} | marks | {"training.lr": 0.1},
    ]
    with (folder / "trials.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return folder


def test_a_search_becomes_two_tables(tmp_path: Path) -> None:
    own = dict.fromkeys(METRICS, FIGURE) | {"episodes": 600}
    table = markdown(load(search(tmp_path, {"best": own, "default": own, "difference": own})))
    for line in (
        "| trial | score | accuracy | recall | s a task | kB | `training.lr` |  |",
        "| 0 | 0.250 ± 0.050 | 90.0 | 90.0 | 0.040 | 2 | 0.003 | default |",
        "| 1 |  |  |  |  |  | 0.1 | pruned |",
        "Share of the score's variance (fANOVA, 2 trials that came to their end): `training.lr` 75%.",
        "| best - default, paired | +0.500 ± 0.050 | +50.0 ± 5.0 | +50.0 ± 5.0 | +50.0 ± 5.0 |",
        "`fewshot search`: all trials are made after 12 min with the final trainings; 3 trainings of each,"
        " 600 test episodes, intervals over tasks. CPU (AVX2), 2 worker(s); commit abc.",
    ):
        assert line in table.splitlines()


def test_a_search_that_has_not_ended_enters_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the search has not ended"):
        load(search(tmp_path, None))
    with pytest.raises(InputError, match="there is no search"):
        load(tmp_path / "elsewhere")
