"""The hardest and the easiest tasks, with their texts and errors."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F

from fewshot.algorithms.algorithm import Adapted, Algorithm, ready
from fewshot.data.example import Example
from fewshot.evaluation import Evaluation, TaskResult
from fewshot.inspection.influence import influence, means
from fewshot.metrics.answers import Floats
from fewshot.metrics.scores import confusion
from fewshot.models.learner import Learner

Which = Literal["hardest", "easiest"]
ERRORS = 20  # of a task, the surest ones
NEAREST = 3  # support examples beside an error


def chosen(results: Sequence[TaskResult], count: int) -> list[tuple[Which, TaskResult]]:
    """The hardest tasks, the worst first, and the easiest, the best first; none is both.

    Of equal accuracies the one with the higher loss is the harder.
    """
    order = sorted(results, key=lambda result: (result.after.accuracy, -result.loss))
    count = min(count, len(order) // 2)
    hardest: list[tuple[Which, TaskResult]] = [("hardest", result) for result in order[:count]]
    return hardest + [("easiest", result) for result in order[::-1][:count]]


def described(
    which: Which,
    result: TaskResult,
    model: Learner,
    algorithm: Algorithm,
    settings: Evaluation,
    influenced: bool,
) -> dict[str, Any]:
    """A task as `inspection.json` has it, with the influence of its support examples where that is asked."""
    episode = result.episode
    effect = influence(model, algorithm, result, settings) if influenced else {}
    return {
        "task": result.task,
        "which": which,
        "source": episode.source,
        "classes": list(episode.classes),
        "accuracy": result.after.accuracy,
        "accuracy_before": result.before.accuracy,
        "support": [_plain(example) for example in episode.support],
        "wrong": int((~result.answers.right[-1]).sum()),
        "confusion": [] if result.written else confusion(result.answers)[0].tolist(),
        "errors": _errors(result, _nearest(model, algorithm, result), effect),
        "influence": list(means(effect, len(episode.support))) if effect else None,
    }


def _errors(
    result: TaskResult, nearest: list[list[dict[str, Any]]], effect: dict[int, Floats]
) -> list[dict[str, Any]]:
    """The wrong answers, the surest first."""
    episode, answers = result.episode, result.answers
    wrong = [n for n, right in enumerate(answers.right[-1]) if not right]
    wrong.sort(key=lambda n: -float(answers.confidence[-1, n]))
    return [
        _plain(episode.query[n])
        | {
            "answered": result.written.outputs[n]
            if result.written
            else episode.classes[int(answers.predicted[-1, n])],
            "confidence": None if result.written else float(answers.confidence[-1, n]),
            "nearest": nearest[n] if nearest else [],
            "influence": [{"support": i, "change": float(each[n])} for i, each in effect.items()] or None,
        }
        for n in wrong[:ERRORS]
    ]


def _nearest(model: Learner, algorithm: Algorithm, result: TaskResult) -> list[list[dict[str, Any]]]:
    """For each query the support examples with the closest adapted features; none without features."""
    support, query = ready(model, [result.episode])
    predict = algorithm.adapt(model, support)
    if not (isinstance(predict, Adapted) and model.has_space):
        return []
    with torch.no_grad():
        ours, theirs = (F.normalize(model.features(predict.stack, each), dim=-1) for each in (query, support))
    # without augmented examples, which come after the support set
    cosines = ours @ theirs[: len(result.episode.support)].T
    best = cosines.topk(min(NEAREST, cosines.shape[1]), dim=1)
    rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [
        [{"support": i, "cosine": value} for i, value in zip(numbers, values, strict=True)]
        for numbers, values in rows
    ]


def _plain(example: Example) -> dict[str, str]:
    pair = {} if example.text_pair is None else {"text_pair": example.text_pair}
    return {"text": example.text, "label": example.label} | pair
