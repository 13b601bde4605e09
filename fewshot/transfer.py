"""Transfer as the start of meta-training: multi-task training on all meta-training classes at once.

Its objective is J(theta) = (1/N) sum_i L(f(theta(x_i)), y_i) / L* over the sources' texts x_i, with theta the
adapted backbone, f a head for all C classes of a source and L* = ln C; see `fewshot.algorithms.multitask`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fewshot.algorithms.multitask import MultiTask
from fewshot.checkpoint import restore, snapshot
from fewshot.chunks import Chunks
from fewshot.engine import Engine
from fewshot.loop import OuterLoop
from fewshot.models.learner import Learner
from fewshot.outer import Training
from fewshot.processes import Processes
from fewshot.tasks.family import TaskFamily, episodes


class MultiTaskStart:
    """Trains the adapter of a learner for `training.multitask_steps`; its head is left as it was.

    Args:
        family: whose meta-training side has the classes.
        model: the learner.
        chunks: how many tasks are taken together.
        training: what is not of the start alone is that of the outer loop.
        processes: share out the episodes of every step.
    """

    def __init__(
        self,
        family: TaskFamily,
        model: Learner,
        chunks: Chunks,
        training: Training,
        processes: Processes = Processes(),
    ) -> None:
        self._family, self._model, self._chunks, self._processes = family, model, chunks, processes
        lr = training.multitask_lr or training.lr
        self._settings = replace(training, steps=training.multitask_steps, lr=lr)
        self.skipped = 0

    def check(self) -> None:
        """Refuses, before anything is trained, a family that does not list its classes.

        Raises:
            InputError: such a family, where there are steps to take.
        """
        if self._settings.steps:
            self._met()

    def _met(self) -> MultiTask:
        algorithm = MultiTask() if self._model.has_space else MultiTask("adapter")
        algorithm.meet(self._family.split("train").classes())
        algorithm.prepare(self._model)
        return algorithm

    def lines(self) -> Iterator[dict[str, Any]]:
        """Takes the steps; gives each one's line of the log.

        Raises:
            InputError: as `check`.
            FewshotError: steps whose loss is not finite, too many in a row.
        """
        if not self._settings.steps:
            return
        algorithm = self._met()
        parameters = dict(self._model.head.named_parameters())
        head = snapshot(parameters)
        engine = Engine(self._model, algorithm, self._chunks)
        engine.measure(next(episodes(self._family, "train", self._settings.seed, [0])), None)
        loop = OuterLoop(self._family, engine, self._settings, self._processes)
        yield from loop.lines()
        self.skipped = loop.skips.total
        restore(parameters, head, "multi-task training")
