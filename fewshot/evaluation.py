"""Adapts to test episodes and scores every one of them, before and after."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from fewshot.ahead import ahead
from fewshot.algorithms.algorithm import Algorithm, Predictor, outsiders, ready
from fewshot.chunks import Chunks
from fewshot.data.split import Side
from fewshot.errors import require_at_least
from fewshot.metrics import SCORES, Scores, over_tasks, rejection_auroc, task_scores
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.progress import Progress
from fewshot.score import score
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily, episodes


@dataclass(frozen=True)
class Evaluation:
    """Which episodes are scored.

    Args:
        episodes: how many.
        seed: which; the same seed gives the same episodes everywhere.
        tasks_at_once: episodes adapted together; changes speed and memory, results by rounding only.
    """

    episodes: int = 600
    seed: int = 0
    tasks_at_once: int = 8

    def __post_init__(self) -> None:
        require_at_least("evaluation", self, episodes=1, seed=0, tasks_at_once=1)


@dataclass(frozen=True)
class TaskResult:
    """One adapted task: its scores, their values before adaptation, and the seconds it took.

    `auroc` says how well the highest class probability tells the queries from those of no class; None where
    there are no such queries.
    Seconds are the wall time from the texts to the predictions, shared evenly by the tasks of one batch.
    """

    task: int
    episode: Episode
    after: Scores
    before: Scores
    loss: float
    seconds: float
    auroc: float | None = None

    def row(self) -> dict[str, Any]:
        """The columns of `tasks.csv`."""
        episode = self.episode
        return {
            "task": self.task,
            "source": episode.source,
            "classes": json.dumps(episode.classes, ensure_ascii=False),
            "way": episode.way,
            "shot": _plain(episode.shot),
            "queries": _plain(episode.queries),
            **asdict(self.after),
            "loss": self.loss,
            "accuracy_before": self.before.accuracy,
            "seconds": self.seconds,
        } | ({} if self.auroc is None else {"auroc": self.auroc})


def evaluate(
    family: TaskFamily,
    model: Learner,
    algorithm: Algorithm,
    settings: Evaluation = Evaluation(),
    side: Side = "test",
    title: str = "",
) -> list[TaskResult]:
    """Adapts to the episodes of one side and scores each, in the order of their indices.

    Args:
        family: where the episodes come from.
        model: the learner, prepared by the algorithm (`Algorithm.prepare`).
        algorithm: how a task is learned.
        settings: which episodes.
        side: 'test', or 'valid' while training.
        title: what the progress bar says; no bar where it is empty.
    """
    results: list[TaskResult] = []
    drawn = ahead(episodes(family, side, settings.seed, range(settings.episodes)), settings.tasks_at_once)
    with Progress(title, settings.episodes) as progress, contextlib.closing(drawn):
        most = min(settings.tasks_at_once, settings.episodes)
        chunks = Chunks(model, most, algorithm.takes_parts, progress.say)
        while batch := list(islice(drawn, settings.tasks_at_once)):
            numbers = range(len(results), len(results) + len(batch))
            results += _evaluate_chunks(model, algorithm, numbers, batch, chunks)
            mean = sum(result.after.accuracy for result in results) / len(results)
            progress.advance(len(batch), f"accuracy {mean:.3f}")
    return results


def summarise(results: Sequence[TaskResult], baseline: float | None = None) -> dict[str, Any]:
    """The figures of `summary.json` that follow from the task results.

    Args:
        results: of the tasks.
        baseline: see `fewshot.score.score`; no score where the prior's loss is 0.
    """
    priors = [result.episode.prior_loss for result in results]
    scored = score([result.loss for result in results], priors, baseline) if baseline or any(priors) else None
    rejected = [result.auroc for result in results if result.auroc is not None]
    return {
        "episodes": len(results),
        "way": _common(result.episode.way for result in results),
        "shot": _common(result.episode.shot for result in results),
        **{name: over_tasks([getattr(result.after, name) for result in results]) for name in SCORES},
        "loss": over_tasks([result.loss for result in results])["mean"],
        "score": scored and scored.plain(),
        "before": {name: over_tasks([getattr(result.before, name) for result in results]) for name in SCORES},
    } | ({"auroc": over_tasks(rejected)} if rejected else {})


def _evaluate_chunks(
    model: Learner, algorithm: Algorithm, numbers: Sequence[int], drawn: Sequence[Episode], chunks: Chunks
) -> list[TaskResult]:
    """The tasks together, or in chunks where the memory does not hold them all."""

    def work() -> list[TaskResult]:
        size = chunks.tasks
        cuts = [slice(first, first + size) for first in range(0, len(drawn), size)]
        return [
            result
            for cut in cuts
            for result in _evaluate_together(model, algorithm, numbers[cut], drawn[cut])
        ]

    return chunks.run(work, max(max(len(e.learned_from), len(e.query), len(e.outside)) for e in drawn))


def _evaluate_together(
    model: Learner, algorithm: Algorithm, numbers: Sequence[int], drawn: Sequence[Episode]
) -> list[TaskResult]:
    started = time.perf_counter()
    support, query = ready(model, drawn)
    predict = algorithm.adapt(model, support)
    scores = predict(query)
    if scores.is_cuda:
        torch.cuda.synchronize()  # else the clock stops before the work does
    seconds = (time.perf_counter() - started) / len(drawn)
    losses = model.losses(scores, query).tolist()
    after = _scores_by_task(scores, query)
    before = _scores_by_task(algorithm.before(model, support)(query), query) if algorithm.adapts else after
    rejection = _rejection(model, predict, drawn, scores, query)
    return [
        TaskResult(numbers[t], drawn[t], after[t], before[t], losses[t], seconds, rejection[t])
        for t in range(len(drawn))
    ]


def _rejection(
    model: Learner, predict: Predictor, drawn: Sequence[Episode], scores: Tensor, query: TaskBatch
) -> list[float | None]:
    """For each task the area under the ROC curve of the highest class probability."""
    batch = outsiders(model, drawn)
    if batch is None:
        return [None] * len(drawn)
    batch = model.place(batch)
    known, strange = (each.softmax(-1).amax(-1) for each in (scores, predict(batch)))
    return [
        rejection_auroc(known[query.task == t].tolist(), strange[batch.task == t].tolist())
        if episode.outside
        else None
        for t, episode in enumerate(drawn)
    ]


def _scores_by_task(scores: Tensor, query: TaskBatch) -> list[Scores]:
    predicted = scores.argmax(-1)
    rows = [query.task == t for t in range(query.tasks)]
    return [
        task_scores(query.labels[mine].tolist(), predicted[mine].tolist(), query.ways[t])
        for t, mine in enumerate(rows)
    ]


def _common(values: Iterator[float]) -> float | None:
    """The value that all share; None where they differ."""
    distinct = set(values)
    return (_plain(distinct.pop()) or None) if len(distinct) == 1 else None


def _plain(value: float) -> float:
    """5 for 5.0: counts are whole numbers wherever they are."""
    return int(value) if value == int(value) else value
