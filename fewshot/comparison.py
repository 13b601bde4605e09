"""Methods compared on the same episodes, task by task."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from fewshot.algorithms.algorithm import Algorithm, foresee
from fewshot.algorithms.algorithms import ALGORITHMS
from fewshot.checkpoint import beside_scaffold, meta_parameters
from fewshot.evaluation import Evaluation, TaskResult, evaluate
from fewshot.metrics.paired import corrected, paired
from fewshot.metrics.scores import SCORES, Scores
from fewshot.models.learner import Learner
from fewshot.results import generation_of, summarise
from fewshot.tasks.family import TaskFamily
from fewshot.versions import SCHEMA, versions

BEFORE = "before adaptation"


@dataclass(frozen=True)
class Contestant:
    """A model with a way of learning tasks, prepared for it.

    Args:
        name: for the table.
        model: the learner.
        algorithm: how a task is learned.
        baseline: needs no meta-training; the others are measured against the best of these.
    """

    name: str
    model: Learner
    algorithm: Algorithm
    baseline: bool = False

    @property
    def trainable_parameters(self) -> int:
        """Numbers that meta-training learns, or a baseline for each task; a solved head has none."""
        if self.algorithm.trainable:
            kept = beside_scaffold(meta_parameters(self.model, self.algorithm), self.algorithm)
            return sum(value.numel() for value in kept.values())
        return sum(value.numel() for value in self.model.adapter().values()) if self.algorithm.adapts else 0


def like(name: str, algorithm: Algorithm) -> Algorithm:
    """The algorithm of this name, with those arguments of another one that it has too.

    The inner rate is its own where its optimiser is another.
    """
    made = ALGORITHMS[name]
    accepted = inspect.signature(made).parameters
    shared = {key: value for key, value in vars(algorithm).items() if key in accepted}
    alike = made(**shared)
    if _optimiser(alike) != _optimiser(algorithm):
        return made(**{key: value for key, value in shared.items() if key != "inner_lr"})
    return alike


def adapted_by(run: Contestant, algorithm: Algorithm, name: str) -> Contestant:
    """The meta-parameters of a run under another inner method.

    What the two algorithms both learn, such as the inner rate of a tensor, is taken from the run, unless
    their inner optimisers differ: a rate of SGD is none of Adam.
    """
    algorithm.prepare(run.model)
    same = _optimiser(algorithm) == _optimiser(run.algorithm)
    learned = dict(run.algorithm.named_parameters()) if same else {}
    with torch.no_grad():
        for own, value in algorithm.named_parameters():
            if own in learned and learned[own].shape == value.shape:
                value.copy_(learned[own])
    return Contestant(f"{run.name} by {name}", run.model, algorithm)


def _optimiser(algorithm: Algorithm) -> str | None:
    """What its inner rates are rates of; None without an inner loop."""
    return getattr(algorithm, "inner_optimiser", None)


def compare(
    family: TaskFamily, contestants: Sequence[Contestant], settings: Evaluation
) -> dict[str, list[TaskResult]]:
    """Each contestant's results on the same test episodes, by name.

    Raises:
        InputError: what one of them cannot do; said before the others have taken their time.
    """
    settings = replace(settings, curve=False, repeats=1)  # a difference is of an episode each
    for each in contestants:
        foresee(each.model, family.split("test"))
        evaluate(family, each.model, each.algorithm, replace(settings, episodes=1))
    return {
        each.name: evaluate(family, each.model, each.algorithm, settings, title=f"{each.name}:")
        for each in contestants
    }


def comparison(
    results: Mapping[str, Sequence[TaskResult]],
    contestants: Sequence[Contestant],
    reference: str,
    seed: int,
) -> dict[str, Any]:
    """The content of `compare.json`.

    Differences are of accuracy, precision, recall and F1; where answers are written also of the scores of
    what was written.

    Args:
        results: by contestant; all on the same episodes in the same order.
        contestants: whose results these are.
        reference: the contestant that the others are subtracted from, and whose scores before
            adaptation are one more row.
        seed: of the episodes, and of the permutation tests.
    """
    scores = {
        name: [_scores(result.after) | generation_of(result) for result in own]
        for name, own in results.items()
    }
    scores[BEFORE] = [
        _scores(result.before) | generation_of(result, before=True) for result in results[reference]
    ]
    baselines = [each.name for each in contestants if each.baseline]
    best = max(baselines, key=lambda name: sum(each["accuracy"] for each in scores[name]), default=None)
    return {
        "schema": SCHEMA,
        "episodes": len(scores[reference]),
        "seed": seed,
        "reference": reference,
        "methods": {each.name: _method(each, results[each.name]) for each in contestants},
        "best_baseline": best,
        "over_best_baseline": corrected(
            {
                name: _paired(own, scores[best], seed)
                for name, own in scores.items()
                if best is not None and name != best
            }
        ),
        "differences": corrected(
            {name: _paired(scores[reference], own, seed) for name, own in scores.items() if name != reference}
        ),
        "versions": versions(),
    }


def _method(contestant: Contestant, results: Sequence[TaskResult]) -> dict[str, Any]:
    seconds = sum(result.seconds for result in results) / len(results)
    cost = {"seconds_per_task": seconds, "trainable_parameters": contestant.trainable_parameters}
    return summarise(results) | cost


def _scores(found: Scores) -> dict[str, float]:
    return {name: getattr(found, name) for name in SCORES}


def _paired(
    ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]], seed: int
) -> dict[str, dict[str, Any]]:
    """The differences task by task, by score; of the scores that all tasks have on both sides."""
    shared = [name for name in ours[0] if all(name in each for each in (*ours, *theirs))]
    return {name: paired([a[name] for a in ours], [b[name] for b in theirs], seed) for name in shared}
