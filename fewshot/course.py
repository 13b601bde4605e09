"""T tasks on their way through the inner loop: what they answer at every moment, and the seconds it takes."""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from fewshot.algorithms.algorithm import Predictor, Writer
from fewshot.metrics.answers import Answers
from fewshot.models.batch import TaskBatch
from fewshot.models.learner import Learner


class Watch:
    """Seconds since it was last asked.

    Args:
        device: whose work is waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._last = device, time.perf_counter()

    def lap(self) -> float:
        """The seconds, when the device has done its work."""
        if self._device.type == "cuda":
            torch.cuda.synchronize()  # else the clock stops before the work does
        before, self._last = self._last, time.perf_counter()
        return self._last - before


class Course:
    """Follows T tasks through the inner loop.

    Its `seconds` are those of adapting and of the last answers alone, as if nobody had looked in between.
    Where answers are written, `written` has those of the first moment and of the last; only these are asked.

    Args:
        course: a predictor at every moment, see `Algorithm.course`.
        query: the rows that are asked.
        curve: ask at every moment, not at the first and the last alone.
        watch: was started as the work began.
    """

    def __init__(self, course: Iterator[Predictor], query: TaskBatch, curve: bool, watch: Watch) -> None:
        self.scores: list[Tensor] = []
        self.steps: list[int] = []
        self.written: list[list[str]] = []
        self.seconds, answering = 0.0, 0.0
        for number, self.last in enumerate(course):
            self.seconds += watch.lap()
            if (curve and not query.written) or not number:
                self._ask(number, query)
                answering = watch.lap()
        if self.steps[-1] != number:
            self._ask(number, query)
            answering = watch.lap()
        self.seconds += answering

    def _ask(self, number: int, query: TaskBatch) -> None:
        self.steps.append(number)
        self.scores.append(self.last(query))
        if query.written:
            assert isinstance(self.last, Writer), "what learns from answers can give them"
            self.written.append(self.last.write(query))


def answers_of(
    learner: Learner, moments: Sequence[Tensor], steps: Sequence[int], query: TaskBatch
) -> Answers:
    """What class scores say, as numbers on the host.

    Args:
        learner: whose scores they are.
        moments: class scores of the query rows, (R, max way) each, at S moments of the inner loop.
        steps: inner steps taken at each.
        query: the rows.
    """
    answered = [learner.answered(scores, query) for scores in moments]
    predicted, confidence, log_right = (torch.stack(each) for each in zip(*answered, strict=True))
    return Answers(
        task=query.task.cpu().numpy(),
        label=query.labels.cpu().numpy(),
        ways=np.array(query.ways),
        steps=np.array(steps),
        predicted=predicted.cpu().numpy(),
        confidence=confidence.cpu().numpy(),
        log_right=log_right.cpu().numpy(),
    )
