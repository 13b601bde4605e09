"""All of `inspection.json`: what adaptation changed in some tasks, and the texts of the extreme ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from fewshot.algorithms.algorithm import Adapted, Algorithm, ready
from fewshot.chunks import Chunks
from fewshot.evaluation import Evaluation, TaskResult
from fewshot.inspection.movement import Movement
from fewshot.inspection.shown import chosen, described
from fewshot.inspection.similarity import cka
from fewshot.metrics.intervals import mean_interval
from fewshot.models.learner import Learner
from fewshot.models.stack import Stack
from fewshot.progress import Progress
from fewshot.tasks.episode import Episode

Row = dict[str, Any]


def inspect(
    model: Learner,
    algorithm: Algorithm,
    results: Sequence[TaskResult],
    settings: Evaluation = Evaluation(),
    title: str = "",
) -> Row | None:
    """Adapts to some of the tasks again and looks inside.

    Args:
        model: the learner, prepared by the algorithm.
        algorithm: how a task is learned.
        results: of an evaluation.
        settings: how many tasks are looked at: the first `inspected` for moves and representations, `shown`
            of the hardest and of the easiest for their texts.
        title: what the progress bar says; no bar where it is empty.

    Returns:
        The content of `inspection.json`; None where nothing is to be inspected.
    """
    if not settings.inspected:
        return None
    first, extreme = results[: settings.inspected], chosen(results, settings.shown)
    with Progress(title, len(first) + len(extreme)) as progress:
        movement, similar = Movement(), []
        most = min(settings.tasks_at_once, len(first))
        chunks = Chunks(model, most, algorithm.takes_parts, progress.say)
        for at in range(0, len(first), most) if algorithm.adapts else ():
            part = [result.episode for result in first[at : at + most]]
            for look in filter(None, chunks.each(partial(_look, model, algorithm), part)):
                movement.add(look.before, look.after)  # the stacks themselves are not kept: they may be large
                similar.append(look.cka)
            progress.advance(len(part), "what adaptation moved")
        tasks = []
        for number, (which, result) in enumerate(extreme):  # the hardest come first
            influenced = which == "hardest" and number < settings.influence
            tasks.append(described(which, result, model, algorithm, settings, influenced))
            progress.advance(1, f"the {which} tasks")
    return {
        "inspected": len(first),
        "movement": movement.rows(),
        "similarity": _similarity(similar),
        "rates": rates(algorithm),
        "tasks": tasks,
    }


def rates(algorithm: Algorithm) -> list[Row]:
    """The learned inner rates: of each tensor and step, their mean, lowest and highest."""
    return [
        {
            "tensor": each.tensor,
            "step": each.step,
            "rate": each.values.mean().item(),
            "low": each.values.min().item(),
            "high": each.values.max().item(),
        }
        for each in algorithm.learned_rates()
    ]


@dataclass(frozen=True)
class _Inside:
    """What the inner loop did to T tasks: the stack before and after, and by layer the CKA of each task."""

    before: Stack
    after: Stack
    cka: dict[str, list[float]]


def _look(model: Learner, algorithm: Algorithm, drawn: Sequence[Episode]) -> _Inside | None:
    """Adapts; None where the predictors do not say what they are made of."""
    support, query = ready(model, drawn)
    before, after = algorithm.before(model, support), algorithm.adapt(model, support)
    if not (isinstance(before, Adapted) and isinstance(after, Adapted)):
        return None
    with torch.no_grad():
        layers = [model.layer_features(each.stack, query) for each in (before, after)]
    rows = [query.task == task for task in range(len(drawn))]
    found = {
        name: [cka(first[mine], layers[1][name][mine]) for mine in rows] for name, first in layers[0].items()
    }
    known = {name: [value for value in values if value is not None] for name, values in found.items()}
    return _Inside(before.stack, after.stack, known)


def _similarity(parts: Sequence[dict[str, list[float]]]) -> list[Row]:
    """By layer, over the tasks that have queries enough for it."""
    rows = []
    for layer in parts[0] if parts else ():
        values = [value for part in parts for value in part[layer]]
        if values:
            mean, std, *_ = mean_interval(values)
            rows.append({"layer": layer, "cka": mean, "std": std, "tasks": len(values)})
    return rows
