"""One cell measured: its test episodes, scored, as one JSON object."""

import time
from collections.abc import Sequence
from typing import Any

import yaml

from benchmarks.machine import machine, provenance
from benchmarks.tables.cell import Cell
from benchmarks.tables.methods import CHOSEN, EVERY
from benchmarks.tables.training import RECIPE, Effort, Trainings
from fewshot.algorithms.algorithms import BASELINES
from fewshot.comparison import Contestant
from fewshot.config import Parts, build, parse_values
from fewshot.evaluation import Evaluation, TaskResult, evaluate
from fewshot.models.learner import Learner
from fewshot.models.remembered import Remembered
from fewshot.results import summarise

EPISODES_SEED = 0
REPORTED = ("accuracy", "precision", "recall", "f1")


class Features:
    """Features of texts, kept from cell to cell: under frozen weights, and under the last training."""

    def __init__(self) -> None:
        self._known: dict[object, Remembered] = {}

    def of(self, cell: Cell, parts: Parts) -> Learner:
        """The model of a cell, or one that has the same features and knows some of them already."""
        method = EVERY[cell.method]
        if not (parts.algorithm.shares_body and parts.model.has_space):
            return parts.model
        trained = None if method.baseline else (cell.corpus.name, method.of or cell.method, cell.seed)
        if trained not in self._known:
            self._known = {None: self._known[None]} if None in self._known else {}
            self._known[trained] = Remembered(parts.model)
        return self._known[trained]


def measure(cell: Cell, trainings: Trainings, effort: Effort, features: Features) -> dict[str, Any]:
    """The content of a cell's file.

    Args:
        cell: what is measured.
        trainings: where its meta-parameters come from.
        effort: how much is spent.
        features: what is known of texts already; only seconds depend on it.
    """
    baseline = EVERY[cell.method].baseline
    parts, cost = (_frozen(cell, baseline), None) if baseline else trainings.parts(cell)
    settings = Evaluation(cell.episodes(effort.episodes), EPISODES_SEED, curve=False)
    started = time.perf_counter()
    model = features.of(cell, parts)
    results = evaluate(parts.family, model, parts.algorithm, settings, cell.side, cell.name)
    return {
        "schema": 1,
        "table": cell.table,
        "dataset": cell.dataset,
        "fold": cell.fold,
        "way": cell.way,
        "shot": cell.shot,
        "trained_on": cost and cell.corpus.name,
        "method": cell.method,
        "about": EVERY[cell.method].about,
        "chosen": cell.method == CHOSEN,
        "quick": effort.quick,
        "side": cell.side,
        "episodes": settings.episodes,
        "episodes_seed": EPISODES_SEED,
        "seed": cell.seed,
        **_scores(results),
        "trainable_parameters": Contestant("", parts.model, parts.algorithm).trainable_parameters,
        "training": cost,
        "seconds": time.perf_counter() - started,
        "ran": parts.model.note(),
        "command": command(cell, effort),
        **provenance(),
        "machine": machine(parts.model.device),
    }


def command(cell: Cell, effort: Effort) -> str:
    """What measures the cell again, its training included."""
    quick = " --quick" if effort.quick else f" --episodes {effort.episodes}"
    return f"python -m benchmarks.tables {cell.table} --cells {cell.name}{quick}"


def _frozen(cell: Cell, baseline: str) -> Parts:
    """The recipe's model without its adapter, under a baseline."""
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    parts = build(*parse_values({"family": dict(cell.family), "model": recipe["model"]}))
    algorithm = BASELINES[baseline]()
    algorithm.prepare(parts.model)
    return Parts(**vars(parts) | {"algorithm": algorithm})


def _scores(results: Sequence[TaskResult]) -> dict[str, Any]:
    """Statistics over the tasks, and the accuracy of every task, for paired differences."""
    summary = summarise(results)
    accuracies = " ".join(f"{result.after.accuracy:.6g}" for result in results)
    before = summary["before"]["accuracy"]["mean"]
    return {
        **{name: summary[name] for name in REPORTED},
        "accuracy_before": before,
        "seconds_per_task": sum(result.seconds for result in results) / len(results),
        "accuracies": accuracies,
    }
