"""Methods compared on the same episodes, task by task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fewshot.algorithms.algorithm import Algorithm
from fewshot.evaluation import Evaluation, TaskResult, evaluate, summarise
from fewshot.metrics import SCORES, Scores, mean_interval
from fewshot.models.learner import Learner
from fewshot.tasks.family import TaskFamily
from fewshot.versions import SCHEMA, versions

BEFORE = "before adaptation"


@dataclass(frozen=True)
class Contestant:
    """A model with a way of learning tasks, prepared for it, and a name for the table."""

    name: str
    model: Learner
    algorithm: Algorithm


def compare(
    family: TaskFamily, contestants: Sequence[Contestant], settings: Evaluation
) -> dict[str, list[TaskResult]]:
    """Each contestant's results on the same test episodes, by name."""
    return {
        each.name: evaluate(family, each.model, each.algorithm, settings, title=f"{each.name}:")
        for each in contestants
    }


def comparison(results: Mapping[str, Sequence[TaskResult]], reference: str, seed: int) -> dict[str, Any]:
    """The content of `compare.json`.

    Args:
        results: by contestant; all on the same episodes in the same order.
        reference: the contestant that the others are subtracted from, and whose scores before
            adaptation are one more row.
        seed: of the episodes.
    """
    scores = {name: [result.after for result in own] for name, own in results.items()}
    scores[BEFORE] = [result.before for result in results[reference]]
    return {
        "schema": SCHEMA,
        "episodes": len(scores[reference]),
        "seed": seed,
        "reference": reference,
        "methods": {name: summarise(own) for name, own in results.items()},
        "differences": {
            name: {score: _paired(scores[reference], own, score) for score in SCORES}
            for name, own in scores.items()
            if name != reference
        },
        "versions": versions(),
    }


def _paired(ours: Sequence[Scores], theirs: Sequence[Scores], score: str) -> dict[str, Any]:
    """Mean, deviation and 95% interval of the differences task by task."""
    differences = [getattr(a, score) - getattr(b, score) for a, b in zip(ours, theirs, strict=True)]
    mean, std, low, high = mean_interval(differences)
    return {"mean": mean, "std": std, "ci95": [low, high]}
