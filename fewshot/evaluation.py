"""Adapts to test episodes and scores every one, at every step of the inner loop."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from torch import Tensor

from fewshot.ahead import ahead
from fewshot.algorithms.algorithm import Algorithm, Predictor, outsiders, ready
from fewshot.chunks import Chunks
from fewshot.course import Course, Watch, answers_of
from fewshot.data.split import Side
from fewshot.errors import InputError, require_at_least
from fewshot.metrics.answers import Answers, Floats
from fewshot.metrics.scores import Scores, rejection_auroc, scores
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner
from fewshot.models.remembered import Remembered
from fewshot.processes import Processes
from fewshot.progress import Progress
from fewshot.tasks.episode import Episode
from fewshot.tasks.family import TaskFamily, episodes
from fewshot.written import Written, by_task, word_scores, written


@dataclass(frozen=True)
class Evaluation:
    """Which episodes are scored, and what is looked at.

    Args:
        episodes: how many.
        seed: which; the same seed gives the same episodes everywhere.
        repeats: how often the classes of an episode are drawn from, which tells the choice of classes from
            that of examples; `episodes` counts every draw.
        tasks_at_once: episodes adapted together; changes speed and memory, results by rounding only.
        curve: score the queries after every inner step, not only before the first and after the last.
        inspected: tasks in which the adapter's moves and its representations are measured; 0 for nothing of
            `inspection.json`.
        shown: as many of the hardest and of the easiest tasks are kept with their texts.
        influence: in as many of the hardest, each support example is left out once, to see what hangs on it.
    """

    episodes: int = 600
    seed: int = 0
    repeats: int = 1
    tasks_at_once: int = 8
    curve: bool = True
    inspected: int = 16
    shown: int = 3
    influence: int = 1

    def __post_init__(self) -> None:
        require_at_least("evaluation", self, episodes=1, seed=0, repeats=1, tasks_at_once=1)
        require_at_least("evaluation", self, inspected=0, shown=0, influence=0)
        if self.episodes % self.repeats:
            raise InputError(
                "the last classes would be drawn from fewer times than the others",
                where="evaluation.episodes",
                got=f"{self.episodes} episodes, repeats {self.repeats}",
                needed="a multiple of evaluation.repeats",
            )


@dataclass(frozen=True)
class TaskResult:
    """One adapted task.

    Where answers are written, an answer counts as right if it is the right one token by token; precision,
    recall and F1 are those of its words (`fewshot.metrics.generation.overlap`).

    Args:
        task: its number.
        episode: the task.
        answers: what was answered to its queries, before adaptation and at every moment that was looked at.
        moments: the scores at these moments.
        loss: what the learner calls the loss of its queries after adaptation, in nats.
        seconds: wall time from the texts to the predictions, shared evenly by the tasks of one batch.
        auroc: how well the highest class probability tells the queries from those of no class; None where
            there are no such queries.
        written: the texts after adaptation, where answers are written.
        prompts: those that were read, and those of them that were cut to the length that the model takes.
    """

    task: int
    episode: Episode
    answers: Answers
    moments: tuple[Scores, ...]
    loss: float
    seconds: float
    auroc: float | None = None
    written: Written | None = None
    prompts: tuple[int, int] = (0, 0)

    @property
    def before(self) -> Scores:
        """Before adaptation."""
        return self.moments[0]

    @property
    def after(self) -> Scores:
        """After adaptation."""
        return self.moments[-1]


def evaluate(
    family: TaskFamily,
    model: Learner,
    algorithm: Algorithm,
    settings: Evaluation = Evaluation(),
    side: Side = "test",
    title: str = "",
    processes: Processes = Processes(),
) -> list[TaskResult]:
    """Adapts to the episodes of one side and scores each, in the order of their indices.

    Args:
        family: where the episodes come from.
        model: the learner, prepared by the algorithm (`Algorithm.prepare`).
        algorithm: how a task is learned.
        settings: which episodes.
        side: 'test', or 'valid' while training.
        title: what the progress bar says; no bar where it is empty.
        processes: share out the episodes; all get all results.
    """
    # the batches of one process where there are enough of them, so that no more than rounding changes
    numbers = processes.share(settings.episodes, settings.tasks_at_once)
    drawn = episodes(family, side, settings.seed, numbers, settings.repeats)
    own = replace(settings, episodes=max(1, len(numbers)), repeats=1)
    with Progress(title if processes.first else "", len(numbers)) as progress:
        found = scored(model, algorithm, drawn, own, progress) if numbers else []
    return [replace(each, task=n) for n, each in enumerate(processes.gather(found))]


def scored(
    model: Learner,
    algorithm: Algorithm,
    drawn: Iterable[Episode],
    settings: Evaluation,
    progress: Progress | None = None,
) -> list[TaskResult]:
    """Adapts to the episodes and scores each, in their order.

    Args:
        model: the learner, prepared by the algorithm.
        algorithm: how a task is learned.
        drawn: as many as `settings.episodes`.
        settings: how many are adapted at once, and whether every inner step is scored.
        progress: is told of every batch.
    """
    results: list[TaskResult] = []
    model = Remembered(model) if algorithm.shares_body and model.has_space else model
    progress = progress or Progress("", settings.episodes)
    most = min(settings.tasks_at_once, settings.episodes)
    chunks = Chunks(model, most, algorithm.takes_parts, progress.say)
    work = partial(_score, model, algorithm, settings.curve)
    with contextlib.closing(ahead(drawn, settings.tasks_at_once)) as coming:
        while batch := list(islice(coming, settings.tasks_at_once)):
            found = [result for part in chunks.each(work, batch) for result in part]
            results += [replace(each, task=number) for number, each in enumerate(found, len(results))]
            mean = sum(result.after.accuracy for result in results) / len(results)
            progress.advance(len(batch), f"accuracy {mean:.3f}")
    return results


def _score(model: Learner, algorithm: Algorithm, curve: bool, drawn: Sequence[Episode]) -> list[TaskResult]:
    """The results of tasks that are adapted together, numbered from 0."""
    watch = Watch(model.device)
    model.take_prompts()  # what was made before is not of these tasks
    support, query = ready(model, drawn)
    course = Course(algorithm.course(model, support), query, curve, watch)
    predict, last = course.last, course.scores[-1]
    answers = answers_of(model, course.scores, course.steps, query)
    outputs = [by_task(texts, query) for texts in course.written]
    found = scores(answers) | word_scores(outputs, drawn)
    alone = answers.by_task()
    losses = model.losses(last, query).tolist()
    rejection = _rejection(model, predict, drawn, last, query)
    prompts = model.take_prompts()
    return [
        TaskResult(
            task=t,
            episode=episode,
            answers=alone[t],
            moments=tuple(_scores_of(found, t, moment) for moment in range(len(course.steps))),
            loss=losses[t],
            seconds=course.seconds / len(drawn),
            auroc=rejection[t],
            written=written(outputs[-1][t], outputs[0][t], episode) if outputs else None,
            prompts=prompts.get(t, (0, 0)),
        )
        for t, episode in enumerate(drawn)
    ]


def _scores_of(found: Mapping[str, Floats], task: int, moment: int) -> Scores:
    return Scores(**{name: float(values[moment, task]) for name, values in found.items()})


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
